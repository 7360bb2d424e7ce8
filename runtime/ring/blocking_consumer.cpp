#include "runtime/ring/blocking_consumer.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace hawser::ring {
namespace {

static_assert(sizeof(std::atomic<std::uint32_t>) == 4 && std::atomic<std::uint32_t>::is_always_lock_free);

long futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value, const timespec* until) {
    return syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value, until, nullptr,
                   FUTEX_BITSET_MATCH_ANY);
}

}  // namespace

TimePoint BlockingConsumer::deadline(Duration limit) {
    const TimePoint now = SteadyClock::instance().now();
    return limit < TimePoint::max() - now ? now + limit : TimePoint::max();
}

void BlockingConsumer::wake() {
    // Cleared here, so that of many notifications during one sleep only the first costs a system call.
    if (word_.fetch_and(~kSleeping, std::memory_order_acq_rel) & kSleeping)
        futex(word_, FUTEX_WAKE, 1, nullptr);
}

bool BlockingConsumer::sleep(std::uint32_t expected, TimePoint end) {
    timespec until{};
    if (end != TimePoint::max()) {
        const std::int64_t ns = end.time_since_epoch().count();
        until = {.tv_sec = static_cast<time_t>(ns / 1'000'000'000),
                 .tv_nsec = static_cast<long>(ns % 1'000'000'000)};
    }
    // FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC time, as SteadyClock's are.
    const long result = futex(word_, FUTEX_WAIT_BITSET, expected, end == TimePoint::max() ? nullptr : &until);
    return !(result == -1 && errno == ETIMEDOUT);
}

void BlockingConsumer::unlock() {
    std::uint32_t word = word_.load(std::memory_order_relaxed);
    while (!word_.compare_exchange_weak(word, ((word + kUnlock) | kUnlocked) & ~kSleeping,
                                        std::memory_order_acq_rel, std::memory_order_relaxed)) {
    }
    if (word & kSleeping) futex(word_, FUTEX_WAKE, 1, nullptr);
}

void BlockingConsumer::unlock_stop() {
    word_.fetch_and(~kUnlocked, std::memory_order_acq_rel);
}

}  // namespace hawser::ring
