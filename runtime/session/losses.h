// What receivers were told to have lost.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "hawser/wire.pb.h"

namespace hawser::session {

// Counts each object once for each receiver, although what tells a receiver of it may break with its
// connection, and is told again on the next one, perhaps for another reason. So a count may fall. One thread.
class Losses {
  public:
    using ByReason = std::array<std::uint64_t, wire::GapReason_ARRAYSIZE>;

    // `session` is being told that `objects` of a track are gone, of which `first` is the first sequence.
    void tell(std::uint64_t session, std::uint16_t track, std::uint64_t first, std::uint64_t objects,
              wire::GapReason reason);
    // It has got past everything below `next`: what it was told of that, it has heard. O(1) where nothing is
    // open.
    void confirm(std::uint64_t session, std::uint16_t track, std::uint64_t next);
    // It comes back and wants `next`: it has not heard of what is from there on.
    void come_back(std::uint64_t session, std::uint16_t track, std::uint64_t next);
    // What was told stays as it is.
    void forget_track(std::uint16_t track);
    void forget_all() { open_.clear(); }

    const ByReason& by_reason() const { return by_reason_; }

  private:
    struct Told {
        std::uint16_t track;
        wire::GapReason reason;
        std::uint64_t first;
        std::uint64_t objects;
    };
    // What is more than that counts as heard: of a session the oldest, and of sessions any.
    static constexpr std::size_t kMostOpen = 64;
    static constexpr std::size_t kMostSessions = 4096;

    ByReason by_reason_{};
    std::unordered_map<std::uint64_t, std::vector<Told>> open_;  // not known to be heard, by session
};

}  // namespace hawser::session
