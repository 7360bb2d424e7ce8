// Time is a parameter: nothing below elements/ asks the system for it but through a Clock.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace hawser {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// `from` + `by`; the end of time where that lies beyond it, as with a time-out of "for ever".
constexpr TimePoint saturating_add(TimePoint from, Duration by) {
    return by > TimePoint::max() - from ? TimePoint::max() : from + by;
}

// Monotonic clock. Thread-safe.
class Clock {
  public:
    virtual ~Clock() = default;
    virtual TimePoint now() const = 0;
};

// CLOCK_MONOTONIC.
class SteadyClock final : public Clock {
  public:
    TimePoint now() const override;
    static const SteadyClock& instance();
};

// A clock that stands still until a test moves it. Starts at 1 s, so that "an hour ago" is not the only
// negative time.
class ManualClock final : public Clock {
  public:
    TimePoint now() const override { return TimePoint(Duration(now_.load(std::memory_order_relaxed))); }
    void advance(Duration by) { now_.fetch_add(by.count(), std::memory_order_relaxed); }
    void set(TimePoint to) { now_.store(to.time_since_epoch().count(), std::memory_order_relaxed); }

  private:
    std::atomic<std::int64_t> now_{1'000'000'000};
};

}  // namespace hawser
