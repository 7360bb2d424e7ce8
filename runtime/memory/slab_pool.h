// A typed object pool: slabs of slots with a free list in each. (Bonwick, "The slab allocator", USENIX 1994.)
//
// Threads: one owner; a pool belongs to the thread whose objects it holds. An object's address never changes.
// Debug builds check: freed objects are filled with 0xDD, and freeing twice, freeing what is not the pool's
// or writing to a freed object aborts with a message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace hawser::memory {

#ifdef NDEBUG
inline constexpr bool kPoolChecks = false;
#else
inline constexpr bool kPoolChecks = true;
#endif

template <typename T, bool kCheck = kPoolChecks>
class SlabPool {
  public:
    static constexpr unsigned char kPoison = 0xDD;

    struct Deleter {
        SlabPool* pool;
        void operator()(T* object) const { pool->destroy(object); }
    };
    using Ptr = std::unique_ptr<T, Deleter>;  // must not outlive the pool

    // At most `max_objects` live at a time; memory is taken `slab_objects` at a time.
    explicit SlabPool(std::size_t max_objects = SIZE_MAX, std::size_t slab_objects = 64)
        : max_(max_objects), slab_objects_(slab_objects ? slab_objects : 1) {}
    SlabPool(const SlabPool&) = delete;
    SlabPool& operator=(const SlabPool&) = delete;
    // Every object must have been destroyed.
    ~SlabPool() {
        if (kCheck && live_ != 0) die("pool destroyed before its objects");
        while (partial_) free_slab(partial_);
        while (full_) free_slab(full_);
    }

    // Null where max_objects live already. O(1), but for a new slab every slab_objects.
    template <typename... Args>
    T* create(Args&&... args) {
        if (live_ == max_) return nullptr;
        if (!partial_) new_slab();
        Slab* slab = partial_;
        Slot* slot = slab->free;
        if constexpr (kCheck) check_untouched(slot);
        // Taken before the constructor runs: that may create others here.
        slab->free = slot->next;
        slot->next = nullptr;
        slot->mark = kLive;
        if (slab->live++ == 0) --empty_slabs_;
        if (!slab->free) move(slab, partial_, full_);
        ++live_;
        return ::new (static_cast<void*>(slot->bytes)) T(std::forward<Args>(args)...);
    }
    // As create(), owned.
    template <typename... Args>
    Ptr make(Args&&... args) {
        return Ptr(create(std::forward<Args>(args)...), Deleter{this});
    }

    // Destroys an object of this pool; null is ignored. O(1). Slabs that become empty are given back but for
    // one.
    void destroy(T* object) {
        if (!object) return;
        Slot* slot =
            reinterpret_cast<Slot*>(reinterpret_cast<unsigned char*>(object) - offsetof(Slot, bytes));
        if constexpr (kCheck) {
            if (slot->mark == kFree) die("object freed twice");
            if (slot->mark != kLive || slot->slab->pool != this) die("freed object is not of this pool");
        }
        object->~T();
        Slab* slab = slot->slab;
        slot->mark = kFree;
        if constexpr (kCheck) std::memset(slot->bytes, kPoison, sizeof slot->bytes);
        if (!slab->free) move(slab, full_, partial_);
        slot->next = slab->free;
        slab->free = slot;
        --live_;
        if (--slab->live == 0 && ++empty_slabs_ > 1) {
            --empty_slabs_;
            free_slab(slab);
        }
    }

    std::size_t live() const { return live_; }
    std::size_t slabs() const { return slabs_; }

  private:
    static constexpr std::uint32_t kLive = 0x4c495645;
    static constexpr std::uint32_t kFree = 0x46524545;

    struct Slab;
    struct Slot {
        Slab* slab;
        Slot* next;  // in the slab's free list
        std::uint32_t mark;
        alignas(T) unsigned char bytes[sizeof(T)];
    };
    struct Slab {
        SlabPool* pool;
        Slab* previous;
        Slab* next;
        Slot* free;
        std::size_t live;
        std::unique_ptr<Slot[]> slots;
    };

    [[noreturn]] static void die(const char* what) {
        std::fprintf(stderr, "hawser: slab pool of %zu-byte objects: %s\n", sizeof(T), what);
        std::abort();
    }
    static void check_untouched(const Slot* slot) {
        for (const unsigned char byte : slot->bytes)
            if (byte != kPoison) die("a freed object was written to");
    }

    void new_slab() {
        Slab* slab =
            new Slab{this, nullptr, nullptr, nullptr, 0, std::unique_ptr<Slot[]>(new Slot[slab_objects_])};
        for (std::size_t i = slab_objects_; i-- > 0;) {
            Slot& slot = slab->slots[i];
            slot.slab = slab;
            slot.mark = kFree;
            slot.next = std::exchange(slab->free, &slot);
            if constexpr (kCheck) std::memset(slot.bytes, kPoison, sizeof slot.bytes);
        }
        link(slab, partial_);
        ++slabs_;
        ++empty_slabs_;
    }
    // Empty slabs are always on partial_; in the destructor any may be freed.
    void free_slab(Slab* slab) {
        unlink(slab, slab->free ? partial_ : full_);
        --slabs_;
        delete slab;
    }
    static void link(Slab* slab, Slab*& list) {
        slab->previous = nullptr;
        slab->next = list;
        if (list) list->previous = slab;
        list = slab;
    }
    static void unlink(Slab* slab, Slab*& list) {
        (slab->previous ? slab->previous->next : list) = slab->next;
        if (slab->next) slab->next->previous = slab->previous;
    }
    static void move(Slab* slab, Slab*& from, Slab*& to) {
        unlink(slab, from);
        link(slab, to);
    }

    const std::size_t max_;
    const std::size_t slab_objects_;
    Slab* partial_ = nullptr;  // slabs with a free slot
    Slab* full_ = nullptr;
    std::size_t live_ = 0;
    std::size_t slabs_ = 0;
    std::size_t empty_slabs_ = 0;
};

}  // namespace hawser::memory
