// A bounded ring between one producer and one consumer; wait-free on both sides.
//
// Lamport, "Specifying concurrent program modules", 1983; each side keeps a copy of the other's index and
// looks at the real one only when the copy says full or empty (Lee, Bu, Chandranmenon, "A lock-free,
// cache-efficient multi-core synchronization mechanism", ANCS 2009), so that in steady flow no cache line
// moves but those of the items.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include "runtime/base/fence.h"

namespace hawser::ring {

// T may be move-only. Whatever is still in the ring dies with it (on the destroying thread, when both sides
// have stopped).
template <typename T>
class SpscRing {
  public:
    // `capacity` is rounded up to a power of two, at least 2.
    explicit SpscRing(std::size_t capacity)
        : mask_(std::bit_ceil(std::max<std::size_t>(capacity, 2)) - 1), slots_(new Slot[mask_ + 1]) {}
    SpscRing(const SpscRing&) = delete;
    SpscRing& operator=(const SpscRing&) = delete;
    ~SpscRing() {
        while (front()) pop();
    }

    // Producer. False where the ring is full; `item` is untouched then.
    bool try_push(T&& item) { return try_emplace(std::move(item)); }
    bool try_push(const T& item) { return try_emplace(item); }
    template <typename... Args>
    bool try_emplace(Args&&... args) {
        const std::size_t tail = tail_.load(std::memory_order_relaxed);
        if (tail - head_copy_ > mask_) {
            head_copy_ = head_.load(std::memory_order_acquire);
            if (tail - head_copy_ > mask_) return false;
        }
        ::new (static_cast<void*>(slots_[tail & mask_].bytes)) T(std::forward<Args>(args)...);
        tail_.store(tail + 1, std::memory_order_release);
        return true;
    }

    // Producer. Whether `count` items or more are in the ring; looks at the consumer's index only where that
    // may be.
    bool holds(std::size_t count) {
        const std::size_t tail = tail_.load(std::memory_order_relaxed);
        if (tail - head_copy_ < count) return false;
        head_copy_ = head_.load(std::memory_order_acquire);
        return tail - head_copy_ >= count;
    }

    // Consumer. The oldest item, in place until pop(); null where the ring is empty.
    T* front() {
        const std::size_t head = head_.load(std::memory_order_relaxed);
        if (head == tail_copy_) {
            tail_copy_ = tail_.load(std::memory_order_acquire);
            if (head == tail_copy_) return nullptr;
        }
        return std::launder(reinterpret_cast<T*>(slots_[head & mask_].bytes));
    }
    // Consumer. Drops the item that front() returned; the ring must not be empty.
    void pop() {
        const std::size_t head = head_.load(std::memory_order_relaxed);
        std::launder(reinterpret_cast<T*>(slots_[head & mask_].bytes))->~T();
        head_.store(head + 1, std::memory_order_release);
    }
    // Consumer. False where the ring is empty.
    bool try_pop(T& into) {
        T* item = front();
        if (!item) return false;
        into = std::move(*item);
        pop();
        return true;
    }

    // Any thread; exact only where both sides rest.
    std::size_t size_approx() const {
        const std::size_t head = head_.load(std::memory_order_acquire);
        const std::size_t tail = tail_.load(std::memory_order_acquire);
        return std::min(tail - head, capacity());
    }
    std::size_t capacity() const { return mask_ + 1; }

  private:
    struct Slot {
        alignas(T) unsigned char bytes[sizeof(T)];
    };

    const std::size_t mask_;
    const std::unique_ptr<Slot[]> slots_;
    // Producer's line.
    alignas(kCacheLine) std::atomic<std::size_t> tail_{0};
    std::size_t head_copy_ = 0;
    // Consumer's line.
    alignas(kCacheLine) std::atomic<std::size_t> head_{0};
    std::size_t tail_copy_ = 0;
};

}  // namespace hawser::ring
