// What a client's socket can carry, measured while it is the bottleneck.
//
// Thread: the reactor's.
#pragma once

#include <cstdint>

#include "runtime/base/clock.h"
#include "runtime/io/reactor.h"
#include "runtime/io/tcp.h"

namespace hawser::session {

class Congestion {
  public:
    // Before each turn; asks the system at most every 20 ms. `eager`: there has been something to send ever
    // since the last call, so that what was acknowledged meanwhile is all that the link could do. Else it can
    // do at least that.
    void measure(io::Stream& stream, TimePoint now, bool eager);
    // The two parts of it; neither asks the system.
    void set_eager(bool eager) { eager_ = eager_ && eager; }
    void sample(const io::tcp::LinkInfo& info, TimePoint now);

    // Bytes a second that the peer has acknowledged, smoothed; 0 while unknown.
    std::uint64_t rate() const { return rate_; }
    // When what is written now, behind `bytes` of other data, will have arrived whole; `now` where that is
    // unknown.
    TimePoint arrival(std::uint64_t bytes, TimePoint now) const;
    // The most that a frame should hold, so that it delays what is more urgent by 20 ms at most.
    std::size_t most_a_frame() const { return most_a_frame_; }

    // The most that should be written at once, and that the kernel keeps of what is not under way, likewise.
    std::size_t most_unsent() const { return most_unsent_; }

  private:
    // While nothing is known.
    static constexpr std::size_t kFirstFrame = 8 * 1024;
    static constexpr std::size_t kFirstUnsent = io::tcp::kNotSentLowWater;
    static constexpr std::size_t kMostUnsent = 128 * 1024;

    TimePoint asked_{};  // when `queued_` was read
    TimePoint began_{};  // the present sample, at `acked_`
    std::uint64_t acked_ = 0;
    std::uint64_t rate_ = 0;
    std::uint32_t queued_ = 0;  // bytes in the kernel that the peer has not acknowledged
    bool eager_ = true;         // throughout the present sample
    std::size_t most_a_frame_ = kFirstFrame;
    std::size_t most_unsent_ = kFirstUnsent;
};

}  // namespace hawser::session
