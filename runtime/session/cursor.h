// Where a client is in one track's ring: all that a publisher keeps of a track for each of its clients.
#pragma once

#include <cstdint>

#include "hawser/wire.pb.h"
#include "runtime/session/track_view.h"

namespace hawser::session {

struct Cursor {
    TrackView* view = nullptr;
    std::uint64_t next = 0;     // sequence to be sent next, or under way
    std::uint64_t objects = 0;  // objects below `next`
    std::uint64_t acked = 0;    // the ring need keep nothing below
    std::uint64_t handed = 0;   // everything below was handed downstream, as far as is known
    std::uint64_t began = 0;    // `next` and `objects` when it was subscribed
    std::uint64_t began_objects = 0;
    std::uint64_t needs_group_from = 0;                // what lies between cannot be decoded
    std::uint32_t body_offset = 0;                     // bytes of its body that are sent in whole frames
    bool needs_group = false;                          // skip to the next group start
    std::uint8_t needs_group_why = wire::GAP_OVERRUN;  // a wire::GapReason

    const PublisherTrack& track() const { return view->track; }
    const ring::HistoryRing::ReadScope& scope() const { return *view->scope; }
};
// A client's only one is part of it.
static_assert(sizeof(Cursor) <= 72);

}  // namespace hawser::session
