// A hierarchical timer wheel: any number of one-shot timers, each added and cancelled in O(1).
//
// Varghese and Lauck, "Hashed and hierarchical timing wheels", SOSP 1987 (scheme 7). Ticks of 1 ms; four
// levels of 64 slots reach 4.6 hours ahead, later timers wait in one overflow list. A timer's level is the
// highest base-64 digit in which its tick differs from the wheel's, so whatever lies on a level is due before
// all that lies above it, and a bit mask a level finds the next slot without walking empty ones.
//
// A timer runs in the tick after its time at the latest (up to 1 ms late), and never early.
//
// Threads: one owner; nothing here is synchronised.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "runtime/base/clock.h"

namespace hawser::sched {

class TimerWheel {
  public:
    using Callback = std::function<void()>;
    static constexpr Duration kTick = std::chrono::milliseconds(1);

    // `start` is the present time, not before the clock's epoch.
    explicit TimerWheel(TimePoint start);
    TimerWheel(const TimerWheel&) = delete;
    TimerWheel& operator=(const TimerWheel&) = delete;

    // Has `run` called by the first advance() that reaches `when`; where that is past, by the next advance().
    // Returns the timer's id: never 0, and not given out again in any practical time.
    std::uint64_t add(TimePoint when, Callback run);

    // False where the timer has run, is running, or never was.
    bool cancel(std::uint64_t id);

    // Runs what is due by `now`, in order of ticks and, within one, of add(). Callbacks may add and cancel,
    // but not advance. A timer added by a callback for a time that is already past waits for the next call,
    // so this always returns. Returns how many ran. O(timers run + slots passed that held some).
    std::size_t advance(TimePoint now);

    // When advance() should be called next: never later than the earliest timer's tick. It may be earlier
    // after a cancellation or for timers more than 4 hours ahead; advance() then runs nothing and this gets
    // more exact. O(1).
    std::optional<TimePoint> next_expiry() const;

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }

  private:
    static constexpr unsigned kBits = 6;
    static constexpr unsigned kSlots = 1u << kBits;
    static constexpr unsigned kLevels = 4;
    static constexpr std::uint32_t kNone = ~0u;
    // Lists, by index: the slots of every level, then these three.
    static constexpr std::uint32_t kOverflow = kLevels * kSlots;
    static constexpr std::uint32_t kReady = kOverflow + 1;    // past when added: the next advance() runs them
    static constexpr std::uint32_t kRunning = kOverflow + 2;  // being run by advance()
    static constexpr std::uint32_t kLists = kOverflow + 3;

    struct Timer {
        std::uint64_t tick = 0;
        std::uint32_t next = kNone;
        std::uint32_t previous = kNone;
        std::uint32_t list = kNone;  // kNone: free
        std::uint32_t generation = 0;
        Callback run;
    };
    struct List {
        std::uint32_t first = kNone;
        std::uint32_t last = kNone;
        std::uint64_t earliest = 0;  // lower bound of the ticks in it; exact unless something was cancelled
    };
    struct Next {
        std::uint32_t list;
        std::uint64_t opens;     // the tick at which the list must be taken apart
        std::uint64_t earliest;  // the tick before which none of it is due
    };

    std::uint64_t tick_of(TimePoint when) const;  // rounded up
    TimePoint time_of(std::uint64_t tick) const { return start_ + kTick * static_cast<std::int64_t>(tick); }
    std::optional<Next> next_list() const;
    void place(std::uint32_t index);
    void append(std::uint32_t list, std::uint32_t index);
    void unlink(std::uint32_t index);
    // Empties `list` and returns its first timer; the chain hangs together by `next`.
    std::uint32_t take(std::uint32_t list);
    Callback release(std::uint32_t index);
    std::size_t run_all(std::uint32_t chain);

    const TimePoint start_;
    std::uint64_t now_ = 0;  // the last tick that has been run
    std::array<std::uint64_t, kLevels> occupied_{};
    std::array<List, kLists> lists_;
    std::vector<Timer> timers_;
    std::uint32_t free_ = kNone;
    std::size_t size_ = 0;
};

}  // namespace hawser::sched
