#include "runtime/ring/history.h"

#include <algorithm>
#include <bit>
#include <thread>
#include <utility>

namespace hawser::ring {

// Twice as many slots as entries: a reader in the middle of its turn does not hold the writer up.
HistoryRing::HistoryRing(const HistoryBounds& bounds)
    : bounds_{bounds.max_bytes, bounds.max_time, std::max(bounds.max_entries, 2u)},
      mask_(std::bit_ceil(std::uint64_t{bounds_.max_entries} * 2) - 1),
      slots_(std::make_unique<HistoryEntry[]>(mask_ + 1)) {}

HistoryRing::~HistoryRing() = default;

std::uint64_t HistoryRing::tail_for(std::uint64_t bytes) const {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    std::uint64_t held = bytes_.load(std::memory_order_relaxed);
    while (tail < head && (held + bytes > bounds_.max_bytes || head - tail >= bounds_.max_entries))
        held -= slot(tail++).bytes();
    return tail;
}

std::uint64_t HistoryRing::tail_by_time(TimePoint now) const {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    while (tail < head && now - slot(tail).published > bounds_.max_time) ++tail;
    return tail;
}

void HistoryRing::advance_tail(std::uint64_t to) {
    std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    std::uint64_t held = bytes_.load(std::memory_order_relaxed);
    to = std::min(to, head_.load(std::memory_order_relaxed));
    if (to > tail) {
        while (tail < to) held -= slot(tail++).bytes();
        bytes_.store(held, std::memory_order_relaxed);
        tail_.store(to, std::memory_order_seq_cst);
    }
    if (reclaimed_ < tail) reclaim();
}

// Dekker with ReadScope: we store the tail, then load the gates; it stores its gate, then loads the tail.
void HistoryRing::reclaim() {
    std::uint64_t limit = tail_.load(std::memory_order_relaxed);
    for (const Gate& gate : gates_) limit = std::min(limit, gate.lowest.load(std::memory_order_seq_cst));
    for (; reclaimed_ < limit; ++reclaimed_) {
        // The numbers stay: objects_before() reads them.
        HistoryEntry& entry = slot(reclaimed_);
        entry.head = entry.tail = {};
        entry.segment.reset();
        entry.held.reset();
    }
}

void HistoryRing::append(HistoryEntry entry) {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    const std::uint64_t size = entry.bytes();
    advance_tail(tail_for(size));
    // Only a reader that was preempted in mid-turn for a whole ring's length can make this wait.
    while (head - reclaimed_ >= mask_) {
        std::this_thread::yield();
        reclaim();
    }
    entry.sequence = head;
    entry.objects_before = objects_.load(std::memory_order_relaxed);
    if (entry.object) objects_.store(entry.objects_before + 1, std::memory_order_relaxed);
    slot(head) = std::move(entry);
    bytes_.store(bytes_.load(std::memory_order_relaxed) + size, std::memory_order_relaxed);
    head_.store(head + 1, std::memory_order_release);
}

HistoryRing::ReadScope::ReadScope(HistoryRing& ring, std::size_t gate) : ring_(ring), gate_(gate) {
    auto& lowest = ring.gates_[gate].lowest;
    tail_ = ring.tail_.load(std::memory_order_seq_cst);
    for (;;) {
        lowest.store(tail_, std::memory_order_seq_cst);
        const std::uint64_t now = ring.tail_.load(std::memory_order_seq_cst);
        if (now == tail_) break;
        tail_ = now;
    }
    head_ = ring.head_.load(std::memory_order_acquire);
}

HistoryRing::ReadScope::~ReadScope() {
    ring_.gates_[gate_].lowest.store(kNone, std::memory_order_release);
}

std::uint64_t HistoryRing::ReadScope::objects_before(std::uint64_t sequence) const {
    if (sequence == 0) return 0;
    const HistoryEntry& last = ring_.slot(sequence - 1);  // not overwritten yet, even where it is reclaimed
    return last.objects_before + (last.object ? 1 : 0);
}

std::uint64_t HistoryRing::ReadScope::newest_group(std::uint64_t before, std::uint64_t running_time) const {
    for (std::uint64_t at = std::min(before, head_); at > tail_;) {
        const HistoryEntry& entry = ring_.slot(--at);
        if (entry.group_start &&
            (running_time == kNone || entry.running_time == kNone || entry.running_time <= running_time))
            return at;
    }
    return kNone;
}

std::uint64_t HistoryRing::ReadScope::next_group(std::uint64_t from) const {
    for (std::uint64_t at = std::max(from, tail_); at < head_; ++at)
        if (ring_.slot(at).group_start) return at;
    return kNone;
}

}  // namespace hawser::ring
