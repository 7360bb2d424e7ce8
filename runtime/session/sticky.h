// The sticky events of a track as they were at any position that its ring still holds: what a joiner must
// know first.
//
// Thread-safe; the lock is taken once an event and once a joiner, never once an object.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "hawser/wire.pb.h"

namespace hawser::session {

class StickyEvents {
  public:
    // The event takes effect for entries from `from` on.
    void add(const wire::Event& event, std::uint64_t from, std::uint16_t track);
    // Forgets versions that no entry at or above `tail` needs.
    void prune(std::uint64_t tail);
    // Encoded EVENT frames with the SNAPSHOT flag: the state in force just before the entry at `sequence`.
    std::string snapshot(std::uint64_t sequence) const;

  private:
    struct Sticky {
        wire::Event::Kind kind;
        std::string name;
        std::string frame;
    };
    struct Version {
        std::uint64_t from;
        std::shared_ptr<const std::vector<Sticky>> events;
    };

    mutable std::mutex mutex_;
    std::deque<Version> versions_;
};

}  // namespace hawser::session
