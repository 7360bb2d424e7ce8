// What a client's socket can carry, measured while it is the bottleneck.
//
// Thread: the reactor's.
#pragma once

#include <cstdint>

#include "runtime/base/clock.h"
#include "runtime/io/reactor.h"

namespace hawser::session {

class Congestion {
  public:
    // Asks the system at most every 20 ms. `eager`: there has been something to send ever since the last
    // call, so that what was acknowledged meanwhile is all that the link could do.
    void measure(io::Stream& stream, TimePoint now, bool eager);

    // Bytes a second that the peer has acknowledged, smoothed; 0 while unknown.
    std::uint64_t rate() const { return rate_; }
    // When what is written now, behind `bytes` of other data, will have arrived whole; `now` where that is
    // unknown.
    TimePoint arrival(std::uint64_t bytes, TimePoint now) const;
    // The most that a frame should hold, so that it delays what is more urgent by 20 ms at most. A power of
    // two.
    std::size_t most_a_frame() const;

    // The most that should be written at once, and that the kernel keeps of what is not under way, likewise.
    std::size_t most_unsent() const { return unsent_limit_ > 0 ? unsent_limit_ : 16 * 1024; }

  private:
    static constexpr std::size_t kMostUnsent = 128 * 1024;

    TimePoint asked_{};    // when `queued_` was read
    TimePoint sampled_{};  // when `acked_` was
    std::uint64_t acked_ = 0;
    std::uint64_t rate_ = 0;
    std::uint32_t queued_ = 0;  // bytes in the kernel that the peer has not acknowledged
    std::uint32_t unsent_limit_ = 0;
};

}  // namespace hawser::session
