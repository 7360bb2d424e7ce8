// The untyped inside of SlabPool (slab_pool.h, which says what it is for and what holds).
//
// Three layers (Bonwick and Adams, "Magazines and Vmem", USENIX 2001): a cache for each thread, which only
// that thread touches; a depot of full magazines, under a lock; slabs from the system below it, under the
// same lock. A magazine is a chain of free slots, linked through the slots themselves: it changes hands as
// one pointer, and it costs no memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "runtime/base/fence.h"

namespace hawser::memory {

// Whether a pool watches its users: see slab_pool.h. Auto: as the environment's HAWSER_POOL_CHECKS says (1 or
// 0); without it, on in debug builds and under AddressSanitizer, but not under ThreadSanitizer, from which
// the checks' lock would hide races.
enum class PoolChecks : std::uint8_t { Auto, Off, On };

struct SlabPoolConfig {
    const char* name = "objects";          // in messages; must outlive the pool
    std::size_t max_objects = SIZE_MAX;    // live ones and those in the caches of threads
    std::size_t slab_objects = 64;         // taken from the system at a time, at least
    std::size_t magazine = 32;             // objects that go between a thread's cache and the depot at a time
    std::size_t max_idle_bytes = 1 << 20;  // in the depot
    std::size_t quarantine = 256;          // with checks: objects that are freed before one of them is reused
    PoolChecks checks = PoolChecks::Auto;
};

struct SlabPoolStats {
    std::size_t live = 0;    // objects, where all threads rest
    std::size_t cached = 0;  // free ones in the caches of threads
    std::size_t depot = 0;   // free ones in the depot, or in quarantine
    std::size_t slabs = 0;
    std::size_t slab_bytes = 0;  // size of each
    std::uint64_t depot_trips = 0;
};

namespace detail {

class SlabCore;

struct FreeSlot {
    FreeSlot* next;
    FreeSlot* next_magazine;  // of a magazine's first slot, in the depot
};

// Written by its thread only; others read the counts. Two magazines, so that a thread which frees and
// allocates in turn at a magazine's edge does not go to the depot each time.
struct alignas(kCacheLine) ThreadCache {
    FreeSlot* loaded = nullptr;
    std::atomic<std::size_t> loaded_count{0};
    FreeSlot* spare = nullptr;
    std::atomic<std::size_t> spare_count{0};
    // The pool's list, under its lock.
    ThreadCache* previous = nullptr;
    ThreadCache* next = nullptr;
};

// What a thread knows of pools, by their index. An entry is that of a dead pool where the serial differs.
struct ThreadTable {
    struct Entry {
        std::uint64_t serial = 0;
        ThreadCache* cache = nullptr;
    };
    Entry* entries = nullptr;
    std::size_t size = 0;
    bool ended = false;  // the thread is about to end and has given its caches back
};
extern constinit thread_local ThreadTable thread_table;

class SlabCore {
  public:
    SlabCore(const SlabPoolConfig& config, std::size_t object_size, std::size_t alignment);
    SlabCore(const SlabCore&) = delete;
    SlabCore& operator=(const SlabCore&) = delete;
    ~SlabCore();

    // Room for one object, or null. Any thread.
    void* take() {
        ThreadCache* cache = this->cache();
        if (!cache) [[unlikely]]
            return take_without_cache();
        FreeSlot* slot = cache->loaded;
        if (!slot) [[unlikely]]
            return take_from_depot(*cache);
        cache->loaded = slot->next;
        count(cache->loaded_count, -1);
        return slot;
    }
    // Any thread; not necessarily the one that took it.
    void give(void* object) {
        ThreadCache* cache = this->cache();
        if (!cache) [[unlikely]]
            return give_without_cache(object);
        if (cache->loaded_count.load(std::memory_order_relaxed) == magazine_) [[unlikely]]
            make_room(*cache);
        auto* slot = static_cast<FreeSlot*>(object);
        slot->next = cache->loaded;
        cache->loaded = slot;
        count(cache->loaded_count, 1);
    }
    // With checks, before the object is destroyed: aborts where it does not live.
    void check_live(void* object);

    bool checks() const { return checks_; }
    SlabPoolStats stats() const;

  private:
    friend struct ThreadExit;
    struct Slab;
    struct Guard;

    static void count(std::atomic<std::size_t>& counter, int by) {
        counter.store(counter.load(std::memory_order_relaxed) + static_cast<std::size_t>(by),
                      std::memory_order_relaxed);
    }
    ThreadCache* cache() {
        const ThreadTable& table = thread_table;
        if (index_ < table.size && table.entries[index_].serial == serial_) [[likely]]
            return table.entries[index_].cache;
        return new_cache();
    }
    // Null where this pool has none for this thread.
    ThreadCache* new_cache();
    void* take_from_depot(ThreadCache& cache);
    void make_room(ThreadCache& cache);
    void retire(ThreadCache* cache);  // its thread ends
    void* take_without_cache();
    void give_without_cache(void* object);

    // With the lock held.
    FreeSlot* carve(std::size_t wanted, std::size_t& got);
    void give_to_slab(FreeSlot* slot, Slab*& garbage);
    void give_chain_to_slabs(FreeSlot* first, Slab*& garbage);
    FreeSlot* leave_quarantine();
    void add_slab(Slab* slab);
    void link(Slab* slab, Slab*& list);
    void unlink(Slab* slab, Slab*& list);

    Slab* slab_of(const void* slot) const {
        return reinterpret_cast<Slab*>(reinterpret_cast<std::uintptr_t>(slot) & ~(slab_bytes_ - 1));
    }
    Slab* new_slab() const;  // null where the system has none
    void free_slabs(Slab* chain) const;
    std::size_t slots_per_slab() const { return (slab_bytes_ - slab_head_) / slot_size_; }
    Guard& guard_of(void* object) const;
    void check_untouched(const FreeSlot* slot) const;
    [[noreturn]] void die(const void* object, const char* what, int thread = 0) const;

    const SlabPoolConfig config_;
    const std::size_t object_size_;
    const std::size_t alignment_;
    const bool checks_;
    const std::size_t guard_size_;  // before each object, with checks; the slot begins there
    const std::size_t slot_size_;
    const std::size_t slab_head_;  // before the first slot
    const std::size_t slab_bytes_;
    const std::size_t magazine_;
    const std::size_t max_magazines_;
    std::uint64_t serial_ = 0;
    std::size_t index_ = 0;

    alignas(kCacheLine) mutable std::mutex mutex_;  // guards what follows
    ThreadCache* caches_ = nullptr;
    FreeSlot* magazines_ = nullptr;  // full ones
    std::size_t magazines_count_ = 0;
    Slab* partial_ = nullptr;  // slabs with a free slot
    Slab* full_ = nullptr;
    std::size_t slabs_ = 0;
    std::size_t empty_slabs_ = 0;
    std::size_t out_ = 0;  // slots that are not in slabs
    std::uint64_t depot_trips_ = 0;
    FreeSlot* quarantine_first_ = nullptr;  // oldest
    FreeSlot* quarantine_last_ = nullptr;
    std::size_t quarantined_ = 0;
};

}  // namespace detail
}  // namespace hawser::memory
