#include "runtime/ring/blocking_consumer.h"

#include <linux/futex.h>
#include <poll.h>
#include <sys/eventfd.h>
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
    rouse(word_.fetch_and(~kAsleep, std::memory_order_acq_rel));
}

void BlockingConsumer::rouse(std::uint32_t word) {
    if (word & kSleeping) futex(word_, FUTEX_WAKE, 1, nullptr);
    if (word & kPolling) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t put = ::write(event_.get(), &one, sizeof one);
    }
}

bool BlockingConsumer::can_wait_readable() {
    if (!event_) event_ = Fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    return static_cast<bool>(event_);
}

bool BlockingConsumer::poll(int descriptor) {
    pollfd both[2] = {{event_.get(), POLLIN, 0}, {descriptor, POLLIN, 0}};
    if (::poll(both, 2, -1) <= 0) return false;
    if (both[0].revents) {
        std::uint64_t count = 0;
        [[maybe_unused]] const ssize_t got = ::read(event_.get(), &count, sizeof count);
    }
    return both[1].revents != 0;
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
    while (!word_.compare_exchange_weak(word, ((word + kUnlock) | kUnlocked) & ~kAsleep,
                                        std::memory_order_acq_rel, std::memory_order_relaxed)) {
    }
    rouse(word);
}

void BlockingConsumer::unlock_stop() {
    word_.fetch_and(~kUnlocked, std::memory_order_acq_rel);
}

}  // namespace hawser::ring
