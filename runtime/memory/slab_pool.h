// A pool of objects of one type, for any number of threads: in the steady state, making and destroying one
// takes no lock, no atomic read-modify-write, and no cache line that another thread writes.
//
// Each thread keeps up to two magazines of free objects; whole magazines go to a depot that all share, and
// come from there. An object may be destroyed on another thread than the one that made it. A thread's cache
// goes back when the thread ends; what is idle is bounded by 2 × magazine for each thread and max_idle_bytes
// in the depot; slabs that become empty go back to the system, but for one. (slab_core.h has the inside.)
//
// With checks (SlabPoolConfig::checks, or HAWSER_POOL_CHECKS=1 in the environment), for finding bugs: freed
// objects are filled with 0xDD, hidden from everyone under AddressSanitizer, and reused only after some
// others; freeing twice, freeing what is not the pool's, writing behind an object or to a freed one aborts
// with a message. All goes through one lock then.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include "runtime/memory/slab_core.h"

namespace hawser::memory {

template <typename T>
class SlabPool {
  public:
    static constexpr unsigned char kPoison = 0xDD;

    struct Deleter {
        SlabPool* pool;
        void operator()(T* object) const { pool->destroy(object); }
    };
    using Ptr = std::unique_ptr<T, Deleter>;  // must not outlive the pool

    explicit SlabPool(const SlabPoolConfig& config = {}) : core_(config, sizeof(T), alignof(T)) {}
    // Every object must have been destroyed (aborts otherwise), and no other thread may be in a call.
    ~SlabPool() = default;

    // Null where max_objects are taken (with those that lie idle in caches of other threads), or the system
    // has no memory. Any thread. T's constructor must not throw.
    template <typename... Args>
    T* create(Args&&... args) {
        void* room = core_.take();
        return room ? ::new (room) T(std::forward<Args>(args)...) : nullptr;
    }
    // As create(), owned.
    template <typename... Args>
    Ptr make(Args&&... args) {
        return Ptr(create(std::forward<Args>(args)...), Deleter{this});
    }
    // Destroys an object of this pool; null is ignored. Any thread.
    void destroy(T* object) {
        if (!object) return;
        if (core_.checks()) [[unlikely]]
            core_.check_live(object);
        object->~T();
        core_.give(object);
    }

    SlabPoolStats stats() const { return core_.stats(); }

  private:
    detail::SlabCore core_;
};

}  // namespace hawser::memory
