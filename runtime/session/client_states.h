// How a publisher treats a client that cannot keep up, as one table. docs/state/client.dot is drawn from it.
#pragma once

#include <cstdint>

#include "runtime/state/table.h"

namespace hawser::session {

enum class ClientState : std::uint8_t {
    Live,      // near the newest
    Lagging,   // falls behind: objects that upstream marked as droppable are left out
    Skipping,  // overtaken by the ring: GAP, then the newest group
    Parked,    // has taken nothing for a while: not looked at until it does
    Evicted,   // closed, with the reason
    Count_,
};
const char* to_string(ClientState state);  // "live"

enum class ClientEvent : std::uint8_t {
    Behind,     // what it would get next has waited for long
    CaughtUp,   // it has got nearly all
    Overtaken,  // the ring has let go of what it would get next
    Resumed,    // it goes on behind a GAP
    Stuck,      // its socket has taken nothing for long
    Moved,      // its socket takes something again
    Evict,      // parked for too long, never subscribed, or by slow-client-policy=disconnect
    Count_,
};
const char* to_string(ClientEvent event);

inline constexpr auto kClientTable = state::make_table<ClientState, ClientEvent>(
    ClientState::Live,
    {
        {ClientState::Live, ClientEvent::Behind, ClientState::Lagging},
        {ClientState::Live, ClientEvent::Overtaken, ClientState::Skipping},
        {ClientState::Live, ClientEvent::Stuck, ClientState::Parked},
        {ClientState::Live, ClientEvent::Evict, ClientState::Evicted},
        {ClientState::Lagging, ClientEvent::CaughtUp, ClientState::Live},
        {ClientState::Lagging, ClientEvent::Overtaken, ClientState::Skipping},
        {ClientState::Lagging, ClientEvent::Stuck, ClientState::Parked},
        {ClientState::Lagging, ClientEvent::Evict, ClientState::Evicted},
        {ClientState::Skipping, ClientEvent::Resumed, ClientState::Lagging},
        {ClientState::Skipping, ClientEvent::Stuck, ClientState::Parked},
        {ClientState::Skipping, ClientEvent::Evict, ClientState::Evicted},
        {ClientState::Parked, ClientEvent::Moved, ClientState::Lagging},
        {ClientState::Parked, ClientEvent::Evict, ClientState::Evicted},
    },
    {
        {ClientEvent::Behind, ClientState::Lagging},
        {ClientEvent::Behind, ClientState::Skipping},
        {ClientEvent::Behind, ClientState::Parked},
        {ClientEvent::CaughtUp, ClientState::Live},
        {ClientEvent::CaughtUp, ClientState::Skipping},
        {ClientEvent::CaughtUp, ClientState::Parked},
        {ClientEvent::Overtaken, ClientState::Skipping},
        {ClientEvent::Overtaken, ClientState::Parked},  // seen to when it moves
        {ClientEvent::Resumed, ClientState::Live},
        {ClientEvent::Resumed, ClientState::Lagging},
        {ClientEvent::Resumed, ClientState::Parked},
        {ClientEvent::Stuck, ClientState::Parked},
        {ClientEvent::Moved, ClientState::Live},
        {ClientEvent::Moved, ClientState::Lagging},
        {ClientEvent::Moved, ClientState::Skipping},
        // Its socket may still tell of its own.
        {ClientEvent::Behind, ClientState::Evicted},
        {ClientEvent::CaughtUp, ClientState::Evicted},
        {ClientEvent::Overtaken, ClientState::Evicted},
        {ClientEvent::Resumed, ClientState::Evicted},
        {ClientEvent::Stuck, ClientState::Evicted},
        {ClientEvent::Moved, ClientState::Evicted},
        {ClientEvent::Evict, ClientState::Evicted},
    });
static_assert(kClientTable.deterministic() && kClientTable.reachable() && kClientTable.names_all() &&
              kClientTable.total());
static_assert(kClientTable.leaves_all_but({ClientState::Evicted}));

}  // namespace hawser::session
