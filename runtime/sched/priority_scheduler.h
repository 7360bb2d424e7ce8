// Which track of a client sends its next fragment.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "runtime/base/clock.h"

namespace hawser::sched {

inline constexpr std::size_t kPriorities = 8;

// A track that has something to send.
struct Candidate {
    std::uint8_t priority = 4;              // 0 (most urgent) … 7; anything above counts as 7
    std::uint16_t track = 0;                // its index, unique among the candidates
    TimePoint deadline = TimePoint::max();  // of the fragment's object; max: none
};

// Strict classes; in a class the earliest deadline first (Liu and Layland, JACM 1973); among equals
// round-robin in the order of the tracks. O(candidates). A lower class waits for as long as a higher one has
// anything to send. What it remembers is that of one client. No clock, no allocation; one thread.
class PriorityScheduler {
  public:
    // The index in `candidates` of the one whose turn it is; nothing where there are none.
    std::optional<std::size_t> pick(std::span<const Candidate> candidates);
    // Whether both would pick the same from now on.
    bool operator==(const PriorityScheduler& other) const { return turn_ == other.turn_; }

  private:
    std::array<std::uint16_t, kPriorities> turn_{};  // of each class: the track behind the one served last
};
static_assert(sizeof(PriorityScheduler) <= 16, "a part of every client");

}  // namespace hawser::sched
