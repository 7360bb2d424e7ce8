// Counters are API: they live in a block of shared memory which another process may map, so that the books of
// a killed sender can still be read. (The idea is Aeron's counters file.)
//
// A block is a file of kSlots fixed slots. A track end claims a slot for each epoch it lives through; it
// never gives it back, so a reader sees the whole history of the process. Where the environment has
// HAWSER_COUNTERS=FILE, the block is that file; otherwise anonymous memory.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/base/result.h"

namespace hawser {

enum class Counter : std::uint32_t {
    Objects,       // publisher: published into the ring; subscriber: received whole, and in order
    Bytes,         // payload bytes of these
    Events,        // serialized events, counted like objects
    Replayed,      // subscriber: objects of these that were sent again after a reconnection
    Lost,          // subscriber: objects that the publisher reported as gone
    Doubled,       // subscriber: objects received twice (and thrown away); 0 unless something is wrong
    Delivered,     // subscriber: objects handed downstream
    Reconnects,    // subscriber: connections after the first
    LastSequence,  // publisher: next sequence to be published; subscriber: next sequence expected
    Ended,         // 1 once EOS was published or received
    Count_,
};

enum class CounterRole : std::uint32_t { Free = 0, Publisher = 1, Subscriber = 2 };

// One slot. Written by the thread that owns the track end (relaxed); read by anyone.
struct alignas(64) CounterSlot {
    std::atomic<std::uint32_t> claimed;  // 0 free, 1 being filled in, 2 valid
    CounterRole role;
    std::uint64_t epoch;
    char stream[64];  // "/cam", NUL-terminated, cut where longer
    char track[32];
    std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(Counter::Count_)> values;

    void add(Counter counter, std::uint64_t by = 1) {
        values[static_cast<std::size_t>(counter)].fetch_add(by, std::memory_order_relaxed);
    }
    // As add(), without a locked instruction: for counters that one thread at a time writes
    // (where tracks have to share the last slot, some counts get lost).
    void bump(Counter counter, std::uint64_t by = 1) {
        std::atomic<std::uint64_t>& value = values[static_cast<std::size_t>(counter)];
        value.store(value.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
    }
    void set(Counter counter, std::uint64_t to) {
        values[static_cast<std::size_t>(counter)].store(to, std::memory_order_relaxed);
    }
    std::uint64_t get(Counter counter) const {
        return values[static_cast<std::size_t>(counter)].load(std::memory_order_relaxed);
    }
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

class CounterBlock {
  public:
    static constexpr std::size_t kSlots = 1024;

    // The process's block: HAWSER_COUNTERS or anonymous memory. Never fails: a file that cannot be used is
    // logged.
    static CounterBlock& process();

    // A new private block.
    CounterBlock();
    // Maps `file` (created with the right size where it is empty).
    static Result<CounterBlock> map(const std::string& file);

    CounterBlock(CounterBlock&& other) noexcept;
    CounterBlock& operator=(CounterBlock&&) = delete;
    ~CounterBlock();

    // A fresh slot, all zero. Thread-safe. When all are taken, the last slot is shared by the rest.
    CounterSlot& claim(CounterRole role, std::string_view stream, std::string_view track,
                       std::uint64_t epoch);

    const CounterSlot& slot(std::size_t index) const { return slots_[index]; }
    static bool valid(const CounterSlot& slot) { return slot.claimed.load(std::memory_order_acquire) == 2; }

  private:
    explicit CounterBlock(CounterSlot* slots) : slots_(slots) {}
    CounterSlot* slots_ = nullptr;
};

}  // namespace hawser
