#include "runtime/session/link_states.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "runtime/state/dot.h"
#include "tests/support/golden.h"

namespace hawser::session {
namespace {

TEST(LinkStates, StopLeadsOutOfEveryState) {
    for (std::size_t s = 0; s < state::kEnumSize<State>; ++s) {
        const State state = static_cast<State>(s);
        if (state == State::Idle) continue;
        EXPECT_EQ(kLinkTable.next(state, LinkEvent::Stop), State::Idle) << to_string(state);
    }
}

TEST(LinkStates, FailedAndEndedAreLeftByStopOnly) {
    for (const State state : {State::Failed, State::Ended})
        for (std::size_t e = 0; e < static_cast<std::size_t>(LinkEvent::Count_); ++e) {
            const LinkEvent event = static_cast<LinkEvent>(e);
            if (event == LinkEvent::Stop) continue;
            EXPECT_FALSE(kLinkTable.next(state, event)) << to_string(state) << " " << to_string(event);
        }
}

TEST(LinkStates, ALostCallerAlwaysBacksOff) {
    for (const State state : {State::Resolving, State::Connecting, State::Handshake, State::Streaming})
        EXPECT_EQ(kLinkTable.next(state, LinkEvent::Lost), State::Backoff) << to_string(state);
}

TEST(LinkStates, EveryNameIsItsOwn) {
    std::set<std::string> names;
    for (std::size_t s = 0; s < state::kEnumSize<State>; ++s) names.insert(to_string(static_cast<State>(s)));
    EXPECT_EQ(names.size(), state::kEnumSize<State>);
}

TEST(LinkStates, TheDrawingIsUpToDate) {
    test::expect_golden(HAWSER_STATE_DIR "/link.dot", state::to_dot(kLinkTable, "link"));
}

}  // namespace
}  // namespace hawser::session
