// Where a subscriber starts: pure decisions on the tracks' rings.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/session/track_view.h"

namespace hawser::session {

struct Start {
    std::uint64_t sequence = 0;
    bool needs_group = false;  // nothing held can be decoded: wait for the next group
};

// For a newcomer: the newest group of each track such that all tracks start at about the same running time.
// Every view must be open. Fills `starts`.
void join(const std::vector<std::unique_ptr<TrackView>>& tracks, std::vector<Start>& starts);

// For one who comes back and wants `next`: that, or the oldest group still held.
Start resume(const TrackView& track, std::uint64_t next);

// For one who was overtaken: the newest group.
Start skip_ahead(const TrackView& track);

}  // namespace hawser::session
