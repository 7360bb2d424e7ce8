#include "runtime/ring/history.h"

#include <algorithm>
#include <bit>
#include <new>
#include <thread>
#include <utility>

namespace hawser::ring {
namespace {

// Twice as many slots as entries: a reader in the middle of its turn does not hold the writer up.
std::uint64_t slots_for(std::uint64_t entries, std::uint64_t chunk) {
    return std::max(std::bit_ceil(entries * 2), 4 * chunk);
}

}  // namespace

// The directory is zeroed memory from the system, which is not touched until it is used.
HistoryRing::HistoryRing(const HistoryBounds& bounds)
    : bounds_{bounds.max_bytes, bounds.max_time, std::max(bounds.max_entries, 2u)},
      slots_(slots_for(bounds_.max_entries, kChunkEntries)),
      directory_mask_((slots_ >> kChunkBits) - 1),
      directory_(static_cast<Chunk**>(std::calloc(directory_mask_ + 1, sizeof(void*)))) {
    if (!directory_) throw std::bad_alloc();
}

HistoryRing::~HistoryRing() {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    // The chunk of the entry below what is reclaimed is still there.
    std::uint64_t at = reclaimed_ > 0 ? reclaimed_ - 1 : 0;
    for (at &= ~(kChunkEntries - 1); at < head; at += kChunkEntries) delete chunk(at);
    while (spare_count_ > 0) delete spare_[--spare_count_];
}

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
    move_tail(to);
    if (reclaimed_ < tail_.load(std::memory_order_relaxed)) reclaim();
}

void HistoryRing::move_tail(std::uint64_t to) {
    std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    to = std::min(to, head_.load(std::memory_order_relaxed));
    if (to <= tail) return;
    bytes_from(to);
    std::uint64_t gone = 0;
    for (; tail < to; ++tail) {
        const HistoryEntry& entry = slot(tail);
        gone += entry.bytes();
        owner_waits_ |= static_cast<bool>(entry.held);
    }
    unreclaimed_bytes_ += gone;
    bytes_.store(bytes_.load(std::memory_order_relaxed) - gone, std::memory_order_relaxed);
    tail_.store(to, std::memory_order_release);
}

std::uint64_t HistoryRing::bytes_from(std::uint64_t position) {
    for (; mark_ < position; ++mark_) marked_bytes_ -= slot(mark_).bytes();
    return marked_bytes_;
}

// Dekker with ReadScope: we store the tail, then load the gates; it stores its gate, then loads the tail. The
// same holds for a gate that is used for the first time, and the number of gates used.
void HistoryRing::reclaim() {
    full_fence();
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    std::uint64_t limit = tail;
    const std::size_t used = gates_used_.load(std::memory_order_seq_cst);
    for (std::size_t i = 0; i < used; ++i)
        limit = std::min(limit, gates_[i].lowest.load(std::memory_order_seq_cst));
    while (reclaimed_ < limit) {
        HistoryEntry& entry = slot(reclaimed_);
        if (limit != tail) unreclaimed_bytes_ -= entry.bytes();
        // The numbers stay: objects_before() reads them, of one entry below the tail. So a chunk goes only
        // with the first entry of the next one. The spans are not cleared: readers' cores have that line.
        entry.segment.reset();
        entry.held.reset();
        if (reclaimed_ % kChunkEntries == 0 && reclaimed_ > 0) retire_chunk(reclaimed_ - 1);
        ++reclaimed_;
    }
    if (reclaimed_ == tail) {
        owner_waits_ = false;
        unreclaimed_bytes_ = 0;
    }
}

void HistoryRing::retire_chunk(std::uint64_t sequence) {
    Chunk* gone = std::exchange(chunk(sequence), nullptr);
    if (spare_count_ < kSpareChunks) {
        spare_[spare_count_++] = gone;
    } else {
        delete gone;
    }
}

void HistoryRing::add_chunk(std::uint64_t sequence) {
    chunk(sequence) = spare_count_ > 0 ? spare_[--spare_count_] : new Chunk;
}

HistoryEntry& HistoryRing::next() {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    if (head % kChunkEntries == 0) {
        // Only a reader that was preempted in mid-turn for a whole ring's length can make this wait.
        while (head + kChunkEntries - reclaimed_ >= slots_) {
            const std::uint64_t before = reclaimed_;
            reclaim();
            if (reclaimed_ == before) std::this_thread::yield();
        }
        add_chunk(head);
    }
    HistoryEntry& entry = slot(head);
    entry.head = entry.tail = {};
    entry.head_size = 0;
    entry.object = entry.group_start = entry.droppable = false;
    entry.deadline = TimePoint::max();
    entry.running_time = 0;
    entry.published = {};
    return entry;
}

void HistoryRing::append() {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    HistoryEntry& entry = slot(head);
    const std::uint64_t size = entry.bytes();
    move_tail(tail_for(size));
    if (owner_waits_ || unreclaimed_bytes_ >= kReclaimBytes ||
        tail_.load(std::memory_order_relaxed) - reclaimed_ >= kReclaimEntries)
        reclaim();
    if (entry.group_start) newest_group_ = head;
    entry.newest_group = newest_group_;
    entry.sequence = head;
    entry.objects_before = objects_.load(std::memory_order_relaxed);
    if (entry.object) objects_.store(entry.objects_before + 1, std::memory_order_relaxed);
    bytes_.store(bytes_.load(std::memory_order_relaxed) + size, std::memory_order_relaxed);
    marked_bytes_ += size;
    head_.store(head + 1, std::memory_order_release);
    if ((head + 1) % kChunkEntries != 0) prefetch(slot(head + 1));
}

// Its lines are where it was read last: in a reader's cache.
void HistoryRing::prefetch(const HistoryEntry& entry) {
    prefetch_for_writing(&entry);
    prefetch_for_writing(reinterpret_cast<const std::byte*>(&entry) + kCacheLine);
}

void HistoryRing::open_gate(std::size_t gate) {
    std::size_t used = gates_used_.load(std::memory_order_seq_cst);
    while (used <= gate && !gates_used_.compare_exchange_weak(used, gate + 1, std::memory_order_seq_cst)) {
    }
}

HistoryRing::ReadScope::ReadScope(HistoryRing& ring, std::size_t gate) : ring_(ring), gate_(gate) {
    if (ring.gates_used_.load(std::memory_order_relaxed) <= gate) ring.open_gate(gate);
    auto& lowest = ring.gates_[gate].lowest;
    tail_ = ring.tail_.load(std::memory_order_acquire);
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
        at = ring_.slot(at - 1).newest_group;
        if (at == kNone || at < tail_) break;
        const std::uint64_t time = ring_.slot(at).running_time;
        if (running_time == kNone || time == kNone || time <= running_time) return at;
    }
    return kNone;
}

// Each entry knows the newest group start up to itself: the first of which that is not below `from` is it.
std::uint64_t HistoryRing::ReadScope::next_group(std::uint64_t from) const {
    from = std::max(from, tail_);
    std::uint64_t low = from;
    std::uint64_t high = head_;
    while (low < high) {
        const std::uint64_t middle = low + (high - low) / 2;
        const std::uint64_t group = ring_.slot(middle).newest_group;
        if (group != kNone && group >= from) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low < head_ ? low : kNone;
}

}  // namespace hawser::ring
