// Bytes that many clients share: reference-counted segments from a bounded pool, filled front to back.
//
// A publisher's small objects are copied once, one after the other, into the current segment of a
// SegmentWriter, so that consecutive ones form one contiguous range (one iovec). A segment goes back to the
// pool when the last reference to it is dropped, on whatever thread that is; who drops what was allocated in
// order needs one reference a segment, not one an object. (Slabs: Bonwick, "The slab allocator", USENIX 1994;
// the shared, append-only block is how kernels keep network data: mbuf clusters, skb fragments.)
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace hawser::memory {

struct SegmentPoolConfig {
    std::size_t segment_size =
        256 * 1024;  // bytes taken from the system for each, of which 64 are the pool's own
    std::size_t max_bytes = 64ull << 20;      // bound of everything, in use and idle
    std::size_t max_idle_bytes = 2ull << 20;  // what is kept for reuse; the rest goes back to the system
};

namespace detail {

class PoolCore;

// The head of each block; its bytes follow.
struct alignas(64) Segment {
    std::atomic<std::uint32_t> references;
    PoolCore* core;
    Segment* next_idle;
    std::size_t size;  // whole block, this head included

    std::byte* bytes() { return reinterpret_cast<std::byte*>(this + 1); }
    std::size_t capacity() const { return size - sizeof(Segment); }
};

void recycle(Segment* segment);

}  // namespace detail

// Shared ownership of a segment; a segment lives as long as a reference does, even when its pool is gone.
// Copies of one reference may be used and dropped on different threads.
class SegmentRef {
  public:
    SegmentRef() = default;
    SegmentRef(const SegmentRef& other) : segment_(other.segment_) {
        if (segment_) segment_->references.fetch_add(1, std::memory_order_relaxed);
    }
    SegmentRef(SegmentRef&& other) noexcept : segment_(std::exchange(other.segment_, nullptr)) {}
    SegmentRef& operator=(SegmentRef other) noexcept {
        std::swap(segment_, other.segment_);
        return *this;
    }
    ~SegmentRef() { reset(); }

    void reset() {
        detail::Segment* segment = std::exchange(segment_, nullptr);
        if (segment && segment->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
            detail::recycle(segment);
    }
    explicit operator bool() const { return segment_ != nullptr; }
    // All bytes of the segment.
    std::span<std::byte> bytes() const { return {segment_->bytes(), segment_->capacity()}; }

  private:
    friend class SegmentPool;
    explicit SegmentRef(detail::Segment* segment) : segment_(segment) {}  // adopts
    detail::Segment* segment_ = nullptr;
};

struct SegmentPoolStats {
    std::size_t used_bytes = 0;  // referenced by someone
    std::size_t idle_bytes = 0;
    std::uint64_t taken = 0;    // blocks handed out so far
    std::uint64_t reused = 0;   // of these, from the idle ones
    std::uint64_t refused = 0;  // requests that met the bound
};

// Thread-safe; its lock is taken once a segment, not once an object, and never while memory is mapped or
// unmapped.
class SegmentPool {
  public:
    explicit SegmentPool(const SegmentPoolConfig& config = {});
    SegmentPool(const SegmentPool&) = delete;
    SegmentPool& operator=(const SegmentPool&) = delete;
    ~SegmentPool();  // references may outlive it

    // A segment with segment_capacity() bytes, or empty where max_bytes or the system does not allow it.
    SegmentRef take();
    // A block of its own with `size` bytes, never kept for reuse. Empty as above.
    SegmentRef take_oversized(std::size_t size);

    std::size_t segment_capacity() const { return segment_size_ - sizeof(detail::Segment); }
    SegmentPoolStats stats() const;

  private:
    const std::size_t segment_size_;
    detail::PoolCore* const core_;  // shared with the segments under way
};

// Bump allocation from a pool's segments, for what is dropped in the order in which it was allocated. One
// thread; the pool must outlive it, and it whatever is in the segment that it fills.
class SegmentWriter {
  public:
    struct Allocation {
        std::span<std::byte> bytes;  // uninitialised, writable until it is shared with other threads
        // To be dropped with the bytes, and with nothing that was allocated before still in use: their own
        // block, or the segment before theirs, or nothing. Theirs stays the writer's until it is full.
        SegmentRef segment;
        explicit operator bool() const { return bytes.data() != nullptr; }
    };

    explicit SegmentWriter(SegmentPool& pool) : pool_(pool) {}

    // `size` contiguous bytes directly behind those of the allocation before, unless a new segment had to be
    // begun. No alignment. What does not fit into the rest of the segment and is larger than a quarter of one
    // gets a block of its own, so that less than a quarter of a segment is wasted. Empty where the pool is
    // exhausted. O(1).
    Allocation allocate(std::size_t size);

    // As much as `size` bytes will be allocated and written soon: has the caches get them meanwhile.
    void expect(std::size_t size) const;

    // Lets go of the current segment.
    void reset();

  private:
    SegmentPool& pool_;
    SegmentRef current_;
    std::span<std::byte> rest_;
};

}  // namespace hawser::memory
