// Lets one thread sleep until another has made something true, at no cost to the other while nobody sleeps.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "runtime/base/clock.h"
#include "runtime/base/fd.h"
#include "runtime/base/fence.h"
#include "runtime/ring/adaptive_spin.h"

namespace hawser::ring {

enum class WaitResult : std::uint8_t { Ready, Unlocked, TimedOut, Readable };

// One consumer waits; any threads notify, unlock and unlock_stop. What it waits for is the caller's: items in
// a ring, room, a position. Unlocking works as in GstBaseSrc: from unlock() until unlock_stop() every wait
// returns Unlocked at once, ready or not, and a wait under way at unlock() returns Unlocked even if
// unlock_stop() follows before it has looked.
//
// Notifying costs a fence and a load; the system call comes only when the consumer has said that it sleeps.
// The proof is Dekker's: the notifier writes its state, then reads the sleeping bit; the waiter writes the
// bit, then reads the state; each has a full fence between, so at least one of them sees the other's write.
//
// Where something comes soon as a rule, the consumer spins for 2 µs before it sleeps, so that a producer at
// full speed pays for no wake-up. From some µs between items on, sleeping costs less processor time.
// (perf_rings measures it.)
//
// (A futex of our own, since std::atomic::wait has no time limit and spins through sched_yield first.)
class BlockingConsumer {
  public:
    BlockingConsumer() = default;
    BlockingConsumer(const BlockingConsumer&) = delete;
    BlockingConsumer& operator=(const BlockingConsumer&) = delete;

    // After the store that makes the waiter's predicate true. Any thread.
    void notify() {
        full_fence();
        if (word_.load(std::memory_order_relaxed) & kAsleep) wake();
    }

    // As notify(), but a consumer that sleeps is woken only where `worth_it()` says so. It is called after
    // the fence, so it may look at what the consumer has written before it went to sleep.
    template <typename WorthIt>
    void notify_if(WorthIt&& worth_it) {
        full_fence();
        if ((word_.load(std::memory_order_relaxed) & kSleeping) && worth_it()) wake();
    }

    // Waits until `ready()` returns true (it is called on this thread, often), at most `limit` of real time
    // where one is given. One thread at a time.
    template <typename Ready>
    WaitResult wait(Ready&& ready, std::optional<Duration> limit = std::nullopt) {
        std::optional<TimePoint> end;
        return wait_by(kSleeping, WaitResult::TimedOut, ready, [&](std::uint32_t word) {
            if (!end) end = limit ? deadline(*limit) : TimePoint::max();
            return !sleep(word, *end);
        });
    }
    // Consumer. Whether wait_readable() can be had: it takes a descriptor of its own, and they may have run
    // out.
    bool can_wait_readable();
    // As wait() without a limit, but sleeps in poll(2), and returns Readable when there is something to read
    // from `descriptor`, too.
    template <typename Ready>
    WaitResult wait_readable(int descriptor, Ready&& ready) {
        if (!can_wait_readable()) return wait(ready);
        return wait_by(kPolling, WaitResult::Readable, ready,
                       [&](std::uint32_t) { return poll(descriptor); });
    }

    void unlock();       // any thread
    void unlock_stop();  // any thread
    bool unlocked() const { return word_.load(std::memory_order_acquire) & kUnlocked; }

  private:
    static constexpr std::uint32_t kSleeping = 1;  // on the futex
    static constexpr std::uint32_t kPolling = 2;   // on event_
    static constexpr std::uint32_t kAsleep = kSleeping | kPolling;
    static constexpr std::uint32_t kUnlocked = 4;
    static constexpr std::uint32_t kUnlock = 8;  // the bits from here on count unlock() calls

    // `sleep(word)` sleeps while the word is that; where it returns true, the wait ends with `other`, unless
    // there is a better reason.
    template <typename Ready, typename Sleep>
    WaitResult wait_by(std::uint32_t bit, WaitResult other, Ready&& ready, Sleep&& sleep_once) {
        const std::uint32_t began = word_.load(std::memory_order_acquire);
        if (began & kUnlocked) return WaitResult::Unlocked;
        if (ready()) return WaitResult::Ready;
        const auto unlocked_since = [&](std::uint32_t word) { return ((word ^ began) & ~kAsleep) != 0; };
        const auto now = [&] { return word_.load(std::memory_order_acquire); };
        // What comes from a descriptor is not seen that way.
        if (bit == kSleeping && spin_.spin([&] { return unlocked_since(now()) || ready(); }))
            return unlocked_since(now()) ? WaitResult::Unlocked : WaitResult::Ready;
        for (bool ended = false;;) {
            const std::uint32_t word = word_.fetch_or(bit, std::memory_order_acq_rel) | bit;
            full_fence();
            std::optional<WaitResult> result;
            if (unlocked_since(word)) {  // even if for a moment only
                result = WaitResult::Unlocked;
            } else if (ready()) {
                result = WaitResult::Ready;
            } else if (ended) {
                result = other;
            }
            if (result) {
                word_.fetch_and(~bit, std::memory_order_relaxed);
                return *result;
            }
            ended = sleep_once(word);
        }
    }

    static constexpr Duration kSpin = std::chrono::microseconds(2);

    static TimePoint deadline(Duration limit);
    void wake();
    void rouse(std::uint32_t word);  // who sleeps by these bits, which have been cleared
    // Sleeps while the word is `expected`. False when `end` is past.
    bool sleep(std::uint32_t expected, TimePoint end);
    // Sleeps until it is woken (false), or until there is something to read (true).
    bool poll(int descriptor);

    std::atomic<std::uint32_t> word_{0};
    AdaptiveSpin spin_{kSpin};  // the consumer's
    Fd event_;                  // made by the consumer before it first polls; notifiers know of it by the bit
};

}  // namespace hawser::ring
