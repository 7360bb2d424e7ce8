// When a reader of a dense stream naps instead of waiting at the socket.
//
// The far side pays for waking a reader that waits: several µs of its streaming thread's time for each time
// that the reader has been faster. Where many small objects come all the time, the reader sleeps by the clock
// instead, for as long as it takes some to come, and nobody wakes it. No object waits for longer than a nap
// for that. A stream that is not dense, and one that comes in bursts, never sees one.
//
// No clock; one thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "runtime/base/clock.h"

namespace hawser::session {

class ReaderNap {
  public:
    // With what the system adds to a sleep this is about 0.1 ms.
    static constexpr Duration kNap = std::chrono::microseconds(50);

    // Before each wait: whether to nap. `objects`: read so far.
    bool naps(TimePoint now, std::uint64_t objects) {
        const bool dense = objects - objects_ >= kObjects && now - last_ <= kWithin;
        last_ = now;
        objects_ = objects;
        in_a_row_ = dense ? std::min(in_a_row_ + 1, kInARow) : 0;
        return in_a_row_ == kInARow;
    }

  private:
    // So many objects from one wait to the next, not further apart than this, so many times in a row. One nap
    // that brings less, and it waits at the socket again.
    static constexpr std::uint64_t kObjects = 24;
    static constexpr Duration kWithin = std::chrono::milliseconds(1);
    static constexpr int kInARow = 4;

    TimePoint last_{};
    std::uint64_t objects_ = 0;
    int in_a_row_ = 0;
};

}  // namespace hawser::session
