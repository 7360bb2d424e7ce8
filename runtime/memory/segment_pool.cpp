#include "runtime/memory/segment_pool.h"

#include <algorithm>
#include <mutex>
#include <new>

#include "runtime/base/fence.h"
#include "runtime/memory/poison.h"

namespace hawser::memory::detail {

// What segments need of their pool after it is gone. Owned by the pool and every segment in use together.
class PoolCore {
  public:
    explicit PoolCore(const SegmentPoolConfig& config) : config_(config) {}

    Segment* take(std::size_t size);
    void recycle(Segment* segment);
    void close();
    SegmentPoolStats stats() {
        const std::lock_guard lock(mutex_);
        return stats_;
    }

  private:
    void drop_owner() {
        if (owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }
    static void free_chain(Segment* first);

    const SegmentPoolConfig config_;
    std::atomic<std::size_t> owners_{1};
    std::mutex mutex_;  // guards what follows
    Segment* idle_ = nullptr;
    bool closed_ = false;
    SegmentPoolStats stats_;
};

Segment* PoolCore::take(std::size_t size) {
    Segment* segment = nullptr;
    Segment* surplus = nullptr;
    {
        const std::lock_guard lock(mutex_);
        if (size > config_.max_bytes || stats_.used_bytes > config_.max_bytes - size) {
            ++stats_.refused;
            return nullptr;
        }
        if (idle_ && size == config_.segment_size) {
            segment = std::exchange(idle_, idle_->next_idle);
            stats_.idle_bytes -= size;
            ++stats_.reused;
        }
        stats_.used_bytes += size;
        ++stats_.taken;
        // Idle segments make room for what is needed now.
        while (idle_ && stats_.used_bytes + stats_.idle_bytes > config_.max_bytes) {
            Segment* out = std::exchange(idle_, idle_->next_idle);
            stats_.idle_bytes -= out->size;
            out->next_idle = std::exchange(surplus, out);
        }
    }
    free_chain(surplus);
    if (segment) {
        ASAN_UNPOISON_MEMORY_REGION(segment->bytes(), segment->capacity());
    } else {
        void* memory = ::operator new(size, std::align_val_t(alignof(Segment)), std::nothrow);
        if (!memory) {
            const std::lock_guard lock(mutex_);
            stats_.used_bytes -= size;
            ++stats_.refused;
            return nullptr;
        }
        segment = new (memory) Segment{.references = 0, .core = this, .next_idle = nullptr, .size = size};
    }
    segment->references.store(1, std::memory_order_relaxed);
    owners_.fetch_add(1, std::memory_order_relaxed);
    return segment;
}

void PoolCore::recycle(Segment* segment) {
    const std::size_t size = segment->size;
    {
        const std::lock_guard lock(mutex_);
        stats_.used_bytes -= size;
        if (!closed_ && size == config_.segment_size && stats_.idle_bytes + size <= config_.max_idle_bytes) {
            // A late reader of these bytes is a bug that AddressSanitizer should see.
            ASAN_POISON_MEMORY_REGION(segment->bytes(), segment->capacity());
            segment->next_idle = std::exchange(idle_, segment);
            stats_.idle_bytes += size;
            segment = nullptr;
        } else {
            segment->next_idle = nullptr;
        }
    }
    free_chain(segment);
    drop_owner();
}

void PoolCore::close() {
    Segment* chain = nullptr;
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        chain = std::exchange(idle_, nullptr);
        stats_.idle_bytes = 0;
    }
    free_chain(chain);
    drop_owner();
}

void PoolCore::free_chain(Segment* first) {
    while (first) {
        Segment* segment = std::exchange(first, first->next_idle);
        ASAN_UNPOISON_MEMORY_REGION(segment->bytes(), segment->capacity());
        segment->~Segment();
        ::operator delete(segment, std::align_val_t(alignof(Segment)));
    }
}

void recycle(Segment* segment) {
    segment->core->recycle(segment);
}

}  // namespace hawser::memory::detail

namespace hawser::memory {

namespace {

SegmentPoolConfig sane(SegmentPoolConfig config) {
    config.segment_size = std::max(config.segment_size, 2 * sizeof(detail::Segment));
    return config;
}

}  // namespace

SegmentPool::SegmentPool(const SegmentPoolConfig& config)
    : segment_size_(sane(config).segment_size), core_(new detail::PoolCore(sane(config))) {}

SegmentPool::~SegmentPool() {
    core_->close();
}

SegmentRef SegmentPool::take() {
    return SegmentRef(core_->take(segment_size_));
}

SegmentRef SegmentPool::take_oversized(std::size_t size) {
    if (size > SIZE_MAX - sizeof(detail::Segment)) return {};
    return SegmentRef(core_->take(size + sizeof(detail::Segment)));
}

SegmentPoolStats SegmentPool::stats() const {
    return core_->stats();
}

SegmentWriter::Allocation SegmentWriter::allocate(std::size_t size) {
    SegmentRef full;
    if (!current_ || size > rest_.size()) {
        if (size > pool_.segment_capacity() / 4 && (current_ || size > pool_.segment_capacity())) {
            Allocation own;
            own.segment = pool_.take_oversized(size);
            if (own.segment) own.bytes = own.segment.bytes();
            return own;
        }
        SegmentRef fresh = pool_.take();
        if (!fresh) return {};
        full = std::exchange(current_, std::move(fresh));
        rest_ = current_.bytes();
    }
    const auto bytes = rest_.first(size);
    rest_ = rest_.subspan(size);
    return {bytes, std::move(full)};
}

void SegmentWriter::expect(std::size_t size) const {
    constexpr std::size_t kMost = 2048;  // more than that fills the caches' queues
    const std::byte* const end = rest_.data() + std::min({size, rest_.size(), kMost});
    for (const std::byte* line = rest_.data(); line < end; line += kCacheLine) prefetch_for_writing(line);
}

void SegmentWriter::reset() {
    current_.reset();
    rest_ = {};
}

}  // namespace hawser::memory
