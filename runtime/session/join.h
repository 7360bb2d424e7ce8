// Where a subscriber starts: pure decisions on the tracks' rings.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/session/publisher_track.h"

namespace hawser::session {

struct Start {
    std::uint64_t sequence = 0;
    bool needs_group = false;  // nothing held can be decoded: wait for the next group
};

// For a newcomer: the newest group of each track such that all tracks start at about the same running time.
// Every track's scope must be open.
std::vector<Start> join(const std::vector<std::unique_ptr<PublisherTrack>>& tracks);

// For one who comes back and wants `next`: that, or the oldest group still held.
Start resume(const PublisherTrack& track, std::uint64_t next);

// For one who was overtaken: the newest group.
Start skip_ahead(const PublisherTrack& track);

}  // namespace hawser::session
