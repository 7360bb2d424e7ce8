// A bounded ring between any number of producers and consumers.
//
// D. Vyukov, "Bounded MPMC queue", 1024cores.net, 2010: each cell carries the number of the turn that may use
// it next, so that a push or pop is one compare-and-swap, on an index that only its own side writes. Items
// keep the order in which their places were taken. Not lock-free to the letter: a thread that is preempted
// between taking its place and filling (or emptying) it makes the ring look empty (or full) from there on, to
// all; nobody spins for it.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "runtime/base/fence.h"

namespace hawser::ring {

// T may be move-only; moving it must not throw, since nobody could use its cell again. What is left dies with
// the ring, when all threads have stopped.
template <typename T>
class MpmcRing {
    static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T> &&
                  std::is_nothrow_destructible_v<T>);

  public:
    // `capacity` is rounded up to a power of two, at least 2.
    explicit MpmcRing(std::size_t capacity)
        : mask_(std::bit_ceil(std::max<std::size_t>(capacity, 2)) - 1), cells_(new Cell[mask_ + 1]) {
        for (std::size_t i = 0; i <= mask_; ++i) cells_[i].turn.store(i, std::memory_order_relaxed);
    }
    MpmcRing(const MpmcRing&) = delete;
    MpmcRing& operator=(const MpmcRing&) = delete;
    ~MpmcRing() {
        while (Cell* cell = claim(pop_, 1)) leave(*cell, cell->item());
    }

    // Any thread. False where the ring is full; `item` is untouched then.
    bool try_push(T&& item) {
        Cell* cell = claim(push_, 0);
        if (!cell) return false;
        ::new (static_cast<void*>(cell->bytes)) T(std::move(item));
        // Its pop comes next.
        cell->turn.store(cell->turn.load(std::memory_order_relaxed) + 1, std::memory_order_release);
        return true;
    }
    bool try_push(const T& item) requires std::is_copy_constructible_v<T> {
        T copy(item);
        return try_push(std::move(copy));
    }

    // Any thread. False where the ring is empty.
    bool try_pop(T& into) {
        Cell* cell = claim(pop_, 1);
        if (!cell) return false;
        T* item = cell->item();
        into = std::move(*item);
        leave(*cell, item);
        return true;
    }

    // Any thread; exact only where all rest.
    std::size_t size_approx() const {
        const std::size_t popped = pop_.load(std::memory_order_acquire);
        const std::size_t pushed = push_.load(std::memory_order_acquire);
        return std::min(pushed - popped, capacity());
    }
    std::size_t capacity() const { return mask_ + 1; }

  private:
    struct Cell {
        // At place p of the ring's life: p where its push may come, p + 1 where its pop may.
        std::atomic<std::size_t> turn;
        alignas(T) unsigned char bytes[sizeof(T)];
        T* item() { return std::launder(reinterpret_cast<T*>(bytes)); }
    };

    // The next cell of this side, which is the caller's then; null where the other side is not that far.
    Cell* claim(std::atomic<std::size_t>& next, std::size_t ahead) {
        std::size_t place = next.load(std::memory_order_relaxed);
        for (;;) {
            Cell& cell = cells_[place & mask_];
            const std::size_t turn = cell.turn.load(std::memory_order_acquire);
            const auto distance = static_cast<std::ptrdiff_t>(turn - (place + ahead));
            if (distance == 0) {
                if (next.compare_exchange_weak(place, place + 1, std::memory_order_relaxed)) return &cell;
            } else if (distance < 0) {
                return nullptr;
            } else {
                place = next.load(std::memory_order_relaxed);  // others were faster
            }
        }
    }
    // The cell's next push is that of the ring's next time round.
    void leave(Cell& cell, T* item) {
        item->~T();
        cell.turn.store(cell.turn.load(std::memory_order_relaxed) + mask_, std::memory_order_release);
    }

    const std::size_t mask_;
    const std::unique_ptr<Cell[]> cells_;
    alignas(kCacheLine) std::atomic<std::size_t> push_{0};  // producers'
    alignas(kCacheLine) std::atomic<std::size_t> pop_{0};   // consumers'
};

}  // namespace hawser::ring
