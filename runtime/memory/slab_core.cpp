#include "runtime/memory/slab_core.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "runtime/memory/poison.h"

namespace hawser::memory::detail {
namespace {

constexpr std::size_t kMaxMagazineBytes = 64 * 1024;
constexpr unsigned char kPoison = 0xDD;
constexpr std::uint32_t kLive = 0x4c495645;
constexpr std::uint32_t kFree = 0x46524545;
constexpr std::uint64_t kBehind = 0x9e3779b97f4a7c15;  // stands behind each object, with checks

std::size_t round_up(std::size_t size, std::size_t to) {
    return (size + to - 1) / to * to;
}

bool wants_checks(PoolChecks checks) {
    if (checks != PoolChecks::Auto) return checks == PoolChecks::On;
    static const bool wanted = [] {
        if (const char* said = std::getenv("HAWSER_POOL_CHECKS")) return *said != '\0' && *said != '0';
#if defined(__SANITIZE_THREAD__)
        return false;
#elif defined(__SANITIZE_ADDRESS__) || !defined(NDEBUG)
        return true;
#else
        return false;
#endif
    }();
    return wanted;
}

// The pools that live, by index. Its lock is taken before a pool's, when a thread ends.
struct Registry {
    std::mutex mutex;
    std::vector<SlabCore*> pools;
    std::uint64_t last_serial = 0;

    static Registry& instance() {
        static auto* registry = new Registry;  // for ever: threads may end after main()
        return *registry;
    }
};

}  // namespace

constinit thread_local ThreadTable thread_table;

// Gives a thread's caches back when it ends.
struct ThreadExit {
    ~ThreadExit() {
        ThreadTable& table = thread_table;
        Registry& registry = Registry::instance();
        {
            const std::lock_guard lock(registry.mutex);
            for (std::size_t i = 0; i < table.size; ++i) {
                SlabCore* pool = i < registry.pools.size() ? registry.pools[i] : nullptr;
                if (table.entries[i].cache && pool && pool->serial_ == table.entries[i].serial)
                    pool->retire(table.entries[i].cache);
            }
        }
        delete[] table.entries;
        table = {.ended = true};
    }
    void arm() {}
};

// What stands before each object, with checks.
struct SlabCore::Guard {
    FreeSlot link;
    SlabCore* pool;
    std::uint32_t state;
    int freed_by;  // thread
};

struct SlabCore::Slab {
    Slab* previous;
    Slab* next;
    FreeSlot* free;
    std::size_t carved;  // slots that were ever used; the others' memory is untouched
    std::size_t used;    // slots that are not here
};

SlabCore::SlabCore(const SlabPoolConfig& config, std::size_t object_size, std::size_t alignment)
    : config_(config),
      object_size_(object_size),
      alignment_(std::max(alignment, alignof(FreeSlot))),
      checks_(wants_checks(config.checks)),
      guard_size_(checks_ ? round_up(sizeof(Guard), alignment_) : 0),
      slot_size_(checks_ ? round_up(guard_size_ + object_size + sizeof kBehind, alignment_)
                         : round_up(std::max(object_size, sizeof(FreeSlot)), alignment_)),
      slab_head_(round_up(sizeof(Slab), alignment_)),
      slab_bytes_(std::bit_ceil(std::max<std::size_t>(
          slab_head_ + std::max<std::size_t>(config.slab_objects, 1) * slot_size_, 4096))),
      magazine_(std::clamp<std::size_t>(std::min(config.magazine, kMaxMagazineBytes / slot_size_), 1,
                                        std::max<std::size_t>(config.max_objects / 8, 1))),
      max_magazines_(config.max_idle_bytes / (magazine_ * slot_size_)) {
    Registry& registry = Registry::instance();
    const std::lock_guard lock(registry.mutex);
    const auto free = std::find(registry.pools.begin(), registry.pools.end(), nullptr);
    index_ = static_cast<std::size_t>(free - registry.pools.begin());
    if (free == registry.pools.end()) registry.pools.push_back(nullptr);
    registry.pools[index_] = this;
    serial_ = ++registry.last_serial;
}

SlabCore::~SlabCore() {
    {
        Registry& registry = Registry::instance();
        const std::lock_guard lock(registry.mutex);
        registry.pools[index_] = nullptr;
    }
    for (FreeSlot* slot = quarantine_first_; slot; slot = slot->next) check_untouched(slot);
    if (const std::size_t live = stats().live; live != 0) {
        char what[64];
        std::snprintf(what, sizeof what, "destroyed before its objects (%zu live)", live);
        die(nullptr, what);
    }
    while (caches_) delete std::exchange(caches_, caches_->next);
    free_slabs(partial_);
    free_slabs(full_);
}

SlabPoolStats SlabCore::stats() const {
    const std::lock_guard lock(mutex_);
    SlabPoolStats stats;
    for (const ThreadCache* cache = caches_; cache; cache = cache->next)
        stats.cached += cache->loaded_count.load(std::memory_order_relaxed) +
                        cache->spare_count.load(std::memory_order_relaxed);
    stats.depot = magazines_count_ * magazine_ + quarantined_;
    const std::size_t idle = stats.cached + stats.depot;
    stats.live = out_ > idle ? out_ - idle : 0;
    stats.slabs = slabs_;
    stats.slab_bytes = slab_bytes_;
    stats.depot_trips = depot_trips_;
    return stats;
}

// --- A thread's cache

ThreadCache* SlabCore::new_cache() {
    ThreadTable& table = thread_table;
    if (checks_ || table.ended) return nullptr;
    static thread_local ThreadExit at_exit;
    at_exit.arm();
    if (index_ >= table.size) {
        const std::size_t size = std::bit_ceil(index_ + 1);
        auto* entries = new ThreadTable::Entry[size];
        std::copy_n(table.entries, table.size, entries);
        delete[] std::exchange(table.entries, entries);
        table.size = size;
    }
    auto* cache = new ThreadCache;
    {
        const std::lock_guard lock(mutex_);
        cache->next = caches_;
        if (caches_) caches_->previous = cache;
        caches_ = cache;
    }
    table.entries[index_] = {serial_, cache};
    return cache;
}

void* SlabCore::take_from_depot(ThreadCache& cache) {
    if (!cache.spare) {
        Slab* fresh = nullptr;
        for (;;) {
            std::unique_lock lock(mutex_);
            ++depot_trips_;
            std::size_t got = magazine_;
            FreeSlot* chain = magazines_;
            if (chain) {
                magazines_ = chain->next_magazine;
                --magazines_count_;
            } else {
                if (!partial_ && fresh) add_slab(std::exchange(fresh, nullptr));
                chain = carve(magazine_, got);
            }
            if (chain || out_ >= config_.max_objects) {
                lock.unlock();
                free_slabs(fresh);
                if (!chain) return nullptr;
                cache.spare = chain;
                cache.spare_count.store(got, std::memory_order_relaxed);
                break;
            }
            lock.unlock();
            fresh = new_slab();
            if (!fresh) return nullptr;
        }
    }
    FreeSlot* slot = cache.spare;
    cache.loaded = slot->next;
    cache.loaded_count.store(cache.spare_count.load(std::memory_order_relaxed) - 1,
                             std::memory_order_relaxed);
    cache.spare = nullptr;
    cache.spare_count.store(0, std::memory_order_relaxed);
    return slot;
}

void SlabCore::make_room(ThreadCache& cache) {
    FreeSlot* full = std::exchange(cache.spare, std::exchange(cache.loaded, nullptr));
    const std::size_t count = cache.spare_count.load(std::memory_order_relaxed);
    cache.spare_count.store(magazine_, std::memory_order_relaxed);
    cache.loaded_count.store(0, std::memory_order_relaxed);
    if (!full) return;
    Slab* garbage = nullptr;
    {
        const std::lock_guard lock(mutex_);
        ++depot_trips_;
        if (count == magazine_ && magazines_count_ < max_magazines_) {
            full->next_magazine = std::exchange(magazines_, full);
            ++magazines_count_;
        } else {
            give_chain_to_slabs(full, garbage);
        }
    }
    free_slabs(garbage);
}

void SlabCore::retire(ThreadCache* cache) {
    Slab* garbage = nullptr;
    {
        const std::lock_guard lock(mutex_);
        give_chain_to_slabs(cache->loaded, garbage);
        give_chain_to_slabs(cache->spare, garbage);
        (cache->previous ? cache->previous->next : caches_) = cache->next;
        if (cache->next) cache->next->previous = cache->previous;
    }
    free_slabs(garbage);
    delete cache;
}

// --- With checks, and in a thread that has given its caches back

void* SlabCore::take_without_cache() {
    Slab* fresh = nullptr;
    FreeSlot* slot = nullptr;
    for (bool last = false; !slot && !last;) {
        std::unique_lock lock(mutex_);
        if (!partial_ && fresh) add_slab(std::exchange(fresh, nullptr));
        std::size_t got = 0;
        slot = carve(1, got);
        last = out_ >= config_.max_objects;
        if (!slot && last && quarantined_ > 0) slot = leave_quarantine();
        if (slot && checks_) {
            check_untouched(slot);
            reinterpret_cast<Guard*>(slot)->state = kLive;
        }
        lock.unlock();
        if (!slot && !last) last = (fresh = new_slab()) == nullptr;
    }
    free_slabs(fresh);
    return slot ? reinterpret_cast<unsigned char*>(slot) + guard_size_ : nullptr;
}

void SlabCore::give_without_cache(void* object) {
    Slab* garbage = nullptr;
    {
        const std::lock_guard lock(mutex_);
        if (!checks_) {
            give_to_slab(static_cast<FreeSlot*>(object), garbage);
        } else {
            std::memset(object, kPoison, object_size_);
            ASAN_POISON_MEMORY_REGION(object, object_size_);
            FreeSlot* slot = &guard_of(object).link;
            slot->next = nullptr;
            (quarantine_last_ ? quarantine_last_->next : quarantine_first_) = slot;
            quarantine_last_ = slot;
            if (++quarantined_ > config_.quarantine) give_to_slab(leave_quarantine(), garbage);
        }
    }
    free_slabs(garbage);
}

FreeSlot* SlabCore::leave_quarantine() {
    FreeSlot* slot = std::exchange(quarantine_first_, quarantine_first_->next);
    if (!quarantine_first_) quarantine_last_ = nullptr;
    --quarantined_;
    return slot;
}

SlabCore::Guard& SlabCore::guard_of(void* object) const {
    return *reinterpret_cast<Guard*>(static_cast<unsigned char*>(object) - guard_size_);
}

void SlabCore::check_live(void* object) {
    const std::lock_guard lock(mutex_);
    Guard& guard = guard_of(object);
    if (guard.state == kFree && guard.pool == this) die(object, "freed twice", guard.freed_by);
    if (guard.state != kLive || guard.pool != this) die(object, "freed, but not of this pool");
    std::uint64_t behind;
    std::memcpy(&behind, static_cast<unsigned char*>(object) + object_size_, sizeof behind);
    if (behind != kBehind) die(object, "written behind its end");
    guard.state = kFree;
    static thread_local const int thread = gettid();
    guard.freed_by = thread;
}

void SlabCore::check_untouched(const FreeSlot* slot) const {
    const auto* bytes = reinterpret_cast<const unsigned char*>(slot) + guard_size_;
    ASAN_UNPOISON_MEMORY_REGION(bytes, object_size_);
    if (!std::all_of(bytes, bytes + object_size_, [](unsigned char byte) { return byte == kPoison; }))
        die(bytes, "written to after it was freed", reinterpret_cast<const Guard*>(slot)->freed_by);
}

void SlabCore::die(const void* object, const char* what, int thread) const {
    char by[48] = "";
    if (thread != 0) std::snprintf(by, sizeof by, " (freed by thread %d)", thread);
    if (object) {
        std::fprintf(stderr, "hawser: pool of %s (%zu bytes each): the object at %p was %s%s\n", config_.name,
                     object_size_, object, what, by);
    } else {
        std::fprintf(stderr, "hawser: pool of %s (%zu bytes each) was %s\n", config_.name, object_size_,
                     what);
    }
    std::abort();
}

// --- Slabs

FreeSlot* SlabCore::carve(std::size_t wanted, std::size_t& got) {
    wanted = std::min(wanted, config_.max_objects - std::min(config_.max_objects, out_));
    FreeSlot* first = nullptr;
    FreeSlot** last = &first;
    for (got = 0; got < wanted && partial_; ++got) {
        Slab* slab = partial_;
        FreeSlot* slot = slab->free;
        if (slot) {
            slab->free = slot->next;
        } else {
            unsigned char* at =
                reinterpret_cast<unsigned char*>(slab) + slab_head_ + slab->carved++ * slot_size_;
            slot = ::new (static_cast<void*>(at)) FreeSlot{};
            if (checks_) {
                ::new (static_cast<void*>(at)) Guard{{}, this, kFree, 0};
                std::memset(at + guard_size_, kPoison, object_size_);
                std::memcpy(at + guard_size_ + object_size_, &kBehind, sizeof kBehind);
            }
        }
        if (slab->used++ == 0) --empty_slabs_;
        if (!slab->free && slab->carved == slots_per_slab()) {
            unlink(slab, partial_);
            link(slab, full_);
        }
        *last = slot;
        last = &slot->next;
    }
    *last = nullptr;
    out_ += got;
    return first;
}

void SlabCore::give_to_slab(FreeSlot* slot, Slab*& garbage) {
    Slab* slab = slab_of(slot);
    if (!slab->free && slab->carved == slots_per_slab()) {
        unlink(slab, full_);
        link(slab, partial_);
    }
    slot->next = std::exchange(slab->free, slot);
    --out_;
    if (--slab->used == 0 && ++empty_slabs_ > 1) {
        --empty_slabs_;
        --slabs_;
        unlink(slab, partial_);
        slab->next = std::exchange(garbage, slab);
    }
}

void SlabCore::give_chain_to_slabs(FreeSlot* first, Slab*& garbage) {
    while (first) give_to_slab(std::exchange(first, first->next), garbage);
}

void SlabCore::add_slab(Slab* slab) {
    link(slab, partial_);
    ++slabs_;
    ++empty_slabs_;
}

SlabCore::Slab* SlabCore::new_slab() const {
    void* memory = ::operator new(slab_bytes_, std::align_val_t(slab_bytes_), std::nothrow);
    return memory ? ::new (memory) Slab{} : nullptr;
}

void SlabCore::free_slabs(Slab* chain) const {
    while (chain) {
        Slab* slab = std::exchange(chain, chain->next);
        if (checks_) ASAN_UNPOISON_MEMORY_REGION(slab, slab_bytes_);
        ::operator delete(slab, std::align_val_t(slab_bytes_));
    }
}

void SlabCore::link(Slab* slab, Slab*& list) {
    slab->previous = nullptr;
    slab->next = list;
    if (list) list->previous = slab;
    list = slab;
}

void SlabCore::unlink(Slab* slab, Slab*& list) {
    (slab->previous ? slab->previous->next : list) = slab->next;
    if (slab->next) slab->next->previous = slab->previous;
}

}  // namespace hawser::memory::detail
