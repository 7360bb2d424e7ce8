// An SpscRing whose consumer can sleep: what carries items from the reactor to a pad's streaming thread.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>

#include "runtime/ring/blocking_consumer.h"
#include "runtime/ring/spsc.h"

namespace hawser::ring {

// Producer and consumer are one thread each; unlock() and unlock_stop() may be called by any.
template <typename T>
class SpscQueue {
  public:
    explicit SpscQueue(std::size_t capacity) : ring_(capacity) {}

    // Producer. False where full; `item` is untouched then. A system call only where the consumer sleeps.
    bool try_push(T&& item) {
        if (!ring_.try_push(std::move(item))) return false;
        consumer_.notify();
        return true;
    }

    // Producer. The two halves of it, for many items at once: what was pushed quietly may lie unseen until
    // notify().
    bool try_push_quietly(T&& item) { return ring_.try_push(std::move(item)); }
    void notify() { consumer_.notify(); }
    // Producer. Whether `count` items or more wait.
    bool holds(std::size_t count) { return ring_.holds(count); }

    // Consumer. Waits for an item; false once unlocked, even if there are items.
    bool pop(T& into) { return wait() == WaitResult::Ready && ring_.try_pop(into); }
    // Consumer. As pop(), but without taking the item: front() has it then.
    WaitResult wait(std::optional<Duration> limit = std::nullopt) {
        return consumer_.wait([this] { return ring_.front() != nullptr; }, limit);
    }
    // Consumer. Waits for an item or, as BlockingConsumer's, for something to read; also Ready when
    // `or_else()` becomes true and notify() says so.
    template <typename OrElse>
    WaitResult wait_readable(int descriptor, OrElse&& or_else) {
        return consumer_.wait_readable(descriptor, [&] { return ring_.front() != nullptr || or_else(); });
    }
    bool can_wait_readable() { return consumer_.can_wait_readable(); }
    bool try_pop(T& into) { return ring_.try_pop(into); }
    T* front() { return ring_.front(); }
    void drop_front() { ring_.pop(); }
    // Consumer, or both sides at rest.
    void clear() {
        while (ring_.front()) ring_.pop();
    }

    void unlock() { consumer_.unlock(); }
    void unlock_stop() { consumer_.unlock_stop(); }
    bool unlocked() const { return consumer_.unlocked(); }
    std::size_t size_approx() const { return ring_.size_approx(); }
    std::size_t capacity() const { return ring_.capacity(); }

  private:
    SpscRing<T> ring_;
    BlockingConsumer consumer_;
};

}  // namespace hawser::ring
