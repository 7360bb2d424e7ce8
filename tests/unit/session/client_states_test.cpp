#include "runtime/session/client_states.h"

#include <gtest/gtest.h>

#include "runtime/state/dot.h"
#include "tests/support/golden.h"

namespace hawser::session {
namespace {

TEST(ClientStates, EveryStateLeadsToEviction) {
    for (std::size_t s = 0; s < state::kEnumSize<ClientState>; ++s) {
        const auto state = static_cast<ClientState>(s);
        if (state == ClientState::Evicted) continue;
        EXPECT_EQ(kClientTable.next(state, ClientEvent::Evict), ClientState::Evicted) << to_string(state);
    }
}

TEST(ClientStates, AParkedClientIsLeftAloneUntilItMoves) {
    for (std::size_t e = 0; e < static_cast<std::size_t>(ClientEvent::Count_); ++e) {
        const auto event = static_cast<ClientEvent>(e);
        const auto next = kClientTable.next(ClientState::Parked, event);
        if (event == ClientEvent::Moved) {
            EXPECT_EQ(next, ClientState::Lagging);
        } else if (event != ClientEvent::Evict) {
            EXPECT_FALSE(next) << to_string(event);
        }
    }
}

TEST(ClientStates, WhoWasOvertakenIsLiveOnlyWhenItHasCaughtUp) {
    ClientState state = ClientState::Live;
    for (const auto& [event, expected] : {std::pair{ClientEvent::Overtaken, ClientState::Skipping},
                                          {ClientEvent::Resumed, ClientState::Lagging},
                                          {ClientEvent::CaughtUp, ClientState::Live}}) {
        ASSERT_EQ(kClientTable.next(state, event), expected) << to_string(event);
        state = expected;
    }
}

TEST(ClientStates, TheDrawingIsUpToDate) {
    test::expect_golden(HAWSER_STATE_DIR "/client.dot", state::to_dot(kClientTable, "client"));
}

}  // namespace
}  // namespace hawser::session
