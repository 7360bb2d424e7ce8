#include "runtime/supervise/lifecycle.h"

#include <gtest/gtest.h>

#include "runtime/state/dot.h"
#include "tests/support/golden.h"

namespace hawser::supervise {
namespace {

// Totality, determinism and reachability are static_asserts beside the table.

TEST(Lifecycle, OrdinaryLife) {
    State state = State::Stopped;
    for (const auto& [trigger, next] :
         {std::pair{Trigger::Enable, State::Waiting}, std::pair{Trigger::Launch, State::Starting},
          std::pair{Trigger::Flow, State::Running}, std::pair{Trigger::Impair, State::Degraded},
          std::pair{Trigger::Heal, State::Running}, std::pair{Trigger::Stall, State::Stalled},
          std::pair{Trigger::Failed, State::Backoff}, std::pair{Trigger::Retry, State::Waiting},
          std::pair{Trigger::Launch, State::Starting}, std::pair{Trigger::Flow, State::Running},
          std::pair{Trigger::Stop, State::Draining}, std::pair{Trigger::Ended, State::Completed}}) {
        ASSERT_EQ(after(state, trigger), next) << to_string(state) << " " << to_string(trigger);
        state = next;
    }
}

TEST(Lifecycle, NothingLeadsOutOfTheEnds) {
    for (std::size_t t = 0; t < static_cast<std::size_t>(Trigger::Count_); ++t) {
        EXPECT_EQ(after(State::Completed, static_cast<Trigger>(t)), std::nullopt);
        EXPECT_EQ(after(State::Quarantined, static_cast<Trigger>(t)), std::nullopt);
    }
}

TEST(Lifecycle, AStopIsHeardWhereverSomethingIsToStop) {
    for (const State state : {State::Starting, State::Running, State::Degraded, State::Stalled})
        EXPECT_EQ(after(state, Trigger::Stop), State::Draining) << to_string(state);
    for (const State state : {State::Waiting, State::Backoff})
        EXPECT_EQ(after(state, Trigger::Stop), State::Stopped) << to_string(state);
}

TEST(Lifecycle, EveryEnumeratorHasAName) {
    for (std::size_t s = 0; s < static_cast<std::size_t>(State::Count_); ++s)
        EXPECT_STRNE(to_string(static_cast<State>(s)), "?");
    for (std::size_t t = 0; t < static_cast<std::size_t>(Trigger::Count_); ++t)
        EXPECT_STRNE(to_string(static_cast<Trigger>(t)), "?");
}

TEST(Lifecycle, TheDrawingInTheDocsIsThisTable) {
    test::expect_golden(HAWSER_SOURCE_DIR "/docs/state/pipeline.dot", state::to_dot(kLifecycle, "pipeline"));
}

}  // namespace
}  // namespace hawser::supervise
