// A queue without bound between one producer and one consumer: a chain of blocks. For those who bound it by
// something else than its number of items.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "runtime/base/fence.h"

namespace hawser::ring {

// Both sides are wait-free, but for the allocation of a block; the consumer hands an emptied block back, so
// that in steady flow none is allocated. As in SpscRing each side keeps a copy of the other's index. T may be
// move-only. Whatever is still in the chain dies with it (both sides have stopped then).
template <typename T, std::size_t kBlock = 128>
class SpscChain {
    static_assert((kBlock & (kBlock - 1)) == 0, "a power of two");

  public:
    SpscChain() : tail_block_(new Block), head_block_(tail_block_) {}
    SpscChain(const SpscChain&) = delete;
    SpscChain& operator=(const SpscChain&) = delete;
    ~SpscChain() {
        while (front()) pop();
        delete head_block_;
        delete spare_.load(std::memory_order_relaxed);
    }

    // Producer.
    void push(T&& item) {
        const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
        if ((tail & (kBlock - 1)) == 0 && tail != 0) {
            Block* next = spare_.exchange(nullptr, std::memory_order_acquire);
            if (!next) next = new Block;
            tail_block_->next = next;  // the consumer looks at it once `tail_` says there is something in it
            tail_block_ = next;
        }
        ::new (static_cast<void*>(tail_block_->slots[tail & (kBlock - 1)].bytes)) T(std::move(item));
        tail_.store(tail + 1, std::memory_order_release);
    }

    // Consumer. The oldest item, in place until pop(); null where there is none.
    T* front() {
        const std::uint64_t head = head_.load(std::memory_order_relaxed);
        if (head == tail_copy_) {
            tail_copy_ = tail_.load(std::memory_order_acquire);
            if (head == tail_copy_) return nullptr;
        }
        if (head == block_end_) next_block();
        return slot(head);
    }
    // Consumer. Drops the item that front() returned.
    void pop() {
        const std::uint64_t head = head_.load(std::memory_order_relaxed);
        slot(head)->~T();
        head_.store(head + 1, std::memory_order_release);
    }
    // Consumer. False where it is empty.
    bool try_pop(T& into) {
        T* item = front();
        if (!item) return false;
        into = std::move(*item);
        pop();
        return true;
    }

    // Any thread; exact only where both sides rest. The producer finds it empty only if it is.
    bool empty_approx() const { return size_approx() == 0; }
    std::size_t size_approx() const {
        const std::uint64_t head = head_.load(std::memory_order_acquire);
        const std::uint64_t tail = tail_.load(std::memory_order_acquire);
        return static_cast<std::size_t>(tail - std::min(head, tail));
    }

  private:
    struct Slot {
        alignas(T) unsigned char bytes[sizeof(T)];
    };
    struct Block {
        Slot slots[kBlock];
        Block* next = nullptr;
    };

    T* slot(std::uint64_t position) {
        return std::launder(reinterpret_cast<T*>(head_block_->slots[position & (kBlock - 1)].bytes));
    }
    void next_block() {
        Block* empty = std::exchange(head_block_, head_block_->next);
        block_end_ += kBlock;
        empty->next = nullptr;
        delete spare_.exchange(empty, std::memory_order_acq_rel);
    }

    // Producer's line.
    alignas(kCacheLine) std::atomic<std::uint64_t> tail_{0};
    Block* tail_block_;
    // Consumer's line.
    alignas(kCacheLine) std::atomic<std::uint64_t> head_{0};
    std::uint64_t tail_copy_ = 0;
    std::uint64_t block_end_ = kBlock;
    Block* head_block_;
    // Both, once a block.
    alignas(kCacheLine) std::atomic<Block*> spare_{nullptr};
};

}  // namespace hawser::ring
