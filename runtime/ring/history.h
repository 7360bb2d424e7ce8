// The recent past of one track: its bytes are written once and shared by every client, which is a mere cursor
// into it.
//
// One writer (the track's streaming thread) appends at `head` and lets go of the oldest at `tail`; positions
// are absolute 64-bit sequences. Readers (reactors) look at entries inside a ReadScope. Bounded by bytes,
// time and entries. Entries live in chunks that come with the first entry and go back with the last, so that
// a ring costs what it holds, not what it may hold.
//
// Reclaim: the writer moves `tail` forward at once; the entries behind it are destroyed only when no
// ReadScope that began before can still see them. A scope announces the lowest position it may touch in a
// gate (the scheme of hazard pointers, Michael 2004, with one pointer a reactor), so reclaim waits for a
// reactor's turn, never for a client.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <utility>

#include "runtime/base/clock.h"
#include "runtime/base/fence.h"
#include "runtime/memory/held_bytes.h"
#include "runtime/memory/segment_pool.h"

namespace hawser::ring {

struct HistoryBounds {
    std::uint64_t max_bytes = 64ull << 20;
    Duration max_time = std::chrono::seconds(30);
    std::uint32_t max_entries = 16384;
};

// What is in the ring: immutable from append() until it is reclaimed. Two cache lines: the first is what
// sending it to one more client takes.
struct alignas(kCacheLine) HistoryEntry {
    std::span<const std::byte>
        head;  // `head_size` bytes of header, and behind them the copied part of the body
    std::span<const std::byte> tail;  // the rest of the body, held by reference; may be empty
    std::uint32_t head_size = 0;
    bool object = false;               // else an event
    bool group_start = false;          // a joiner may begin here
    bool droppable = false;            // nothing depends on it
    std::uint64_t sequence = 0;        // filled in by append(), as are objects_before and newest_group
    std::uint64_t objects_before = 0;  // objects with a lower sequence, since the ring began
    TimePoint deadline = TimePoint::max();

    std::uint64_t running_time = 0;  // ns; all ones where not known
    TimePoint published;
    std::uint64_t newest_group = 0;  // the newest group start here or before, or HistoryRing::kNone
    memory::SegmentRef segment;      // keeps `head`, or what is older: entries go in their order
    memory::HeldBytes held;          // keeps `tail`

    std::uint64_t body_size() const { return head.size() - head_size + tail.size(); }
    std::uint64_t bytes() const { return head.size() + tail.size(); }
};
static_assert(sizeof(HistoryEntry) <= 2 * kCacheLine);

class HistoryRing {
  public:
    static constexpr std::size_t kGates = 64;  // reactors that may read at once
    static constexpr std::uint64_t kNone = ~std::uint64_t{0};

    explicit HistoryRing(const HistoryBounds& bounds);
    ~HistoryRing();
    HistoryRing(const HistoryRing&) = delete;
    HistoryRing& operator=(const HistoryRing&) = delete;

    // --- The writer's thread

    // The tail that an entry of `bytes` more would need, by bytes and entries alone.
    std::uint64_t tail_for(std::uint64_t bytes) const;
    // The lowest position not older than max_time. O(expired entries).
    std::uint64_t tail_by_time(TimePoint now) const;
    // Lets go of everything below `tail`, never backwards, and reclaims what no reader sees.
    void advance_tail(std::uint64_t tail);
    // The entry that append(), which has to follow, will append: as if made new, to be filled where it is.
    HistoryEntry& next();
    // Makes room by the bounds and appends. What went out to make room is reclaimed at once where an
    // owner waits for it (`held`), else now and then.
    void append();
    void append(HistoryEntry&& entry) {
        next() = std::move(entry);
        append();
    }
    // Bytes of what is held from `position` on, or from the highest that was ever asked for. O(entries
    // passed).
    std::uint64_t bytes_from(std::uint64_t position);
    // Everything below is out of every reader's sight.
    std::uint64_t reclaimed() const { return reclaimed_; }

    // --- Any thread

    // Next sequence to be appended.
    std::uint64_t head() const { return head_.load(std::memory_order_acquire); }
    // Oldest that is held.
    std::uint64_t tail() const { return tail_.load(std::memory_order_acquire); }
    std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
    std::uint64_t objects() const { return objects_.load(std::memory_order_relaxed); }  // appended so far

    // A reader's turn: entries in [tail, head) stay as they are while it lives. One at a time for each gate;
    // low gates cost the writer less than high ones.
    class ReadScope {
      public:
        explicit ReadScope(HistoryRing& ring, std::size_t gate = 0);
        ~ReadScope();
        ReadScope(const ReadScope&) = delete;
        ReadScope& operator=(const ReadScope&) = delete;

        std::uint64_t tail() const { return tail_; }
        std::uint64_t head() const { return head_; }
        const HistoryEntry& operator[](std::uint64_t sequence) const { return ring_.slot(sequence); }
        // Objects with a lower sequence; for sequence in [tail, head].
        std::uint64_t objects_before(std::uint64_t sequence) const;
        // The newest group start below `before` whose running time is at most `running_time` (kNone: any), or
        // kNone. O(groups that are too new).
        std::uint64_t newest_group(std::uint64_t before, std::uint64_t running_time = kNone) const;
        // The oldest group start not below `from`, or kNone. O(log entries).
        std::uint64_t next_group(std::uint64_t from) const;

      private:
        HistoryRing& ring_;
        const std::size_t gate_;
        std::uint64_t tail_;
        std::uint64_t head_;
    };

  private:
    static constexpr unsigned kChunkBits = 6;
    static constexpr std::uint64_t kChunkEntries = std::uint64_t{1} << kChunkBits;  // 8 KiB
    static constexpr std::size_t kSpareChunks = 64;                                 // 512 KiB
    static constexpr std::uint64_t kReclaimEntries = 16;  // what may wait for being reclaimed after append()
    static constexpr std::uint64_t kReclaimBytes = 64 * 1024;
    struct Chunk {
        std::array<HistoryEntry, kChunkEntries> entries;
    };
    struct Free {
        void operator()(Chunk** directory) const { std::free(directory); }
    };
    struct alignas(kCacheLine) Gate {
        std::atomic<std::uint64_t> lowest{kNone};
    };

    Chunk*& chunk(std::uint64_t sequence) const {
        return directory_[(sequence >> kChunkBits) & directory_mask_];
    }
    HistoryEntry& slot(std::uint64_t sequence) const {
        return chunk(sequence)->entries[sequence & (kChunkEntries - 1)];
    }
    static void prefetch(const HistoryEntry& entry);
    void move_tail(std::uint64_t to);
    void reclaim();
    void add_chunk(std::uint64_t sequence);
    void retire_chunk(std::uint64_t sequence);
    void open_gate(std::size_t gate);

    // Nobody writes these.
    const HistoryBounds bounds_;
    const std::uint64_t slots_;           // how far the head may be ahead of what is reclaimed
    const std::uint64_t directory_mask_;  // of chunks
    const std::unique_ptr<Chunk*[], Free> directory_;
    // Gates that were ever used: the writer looks at no others. Readers'; grows a few times in a ring's life.
    std::atomic<std::size_t> gates_used_{0};

    // The writer's, and what it tells.
    alignas(kCacheLine) std::atomic<std::uint64_t> head_{0};
    std::atomic<std::uint64_t> bytes_{0};
    std::atomic<std::uint64_t> objects_{0};
    std::uint64_t reclaimed_ = 0;  // everything below is destroyed
    std::uint64_t newest_group_ = kNone;
    std::uint64_t mark_ = 0;  // bytes_from()'s position
    std::uint64_t marked_bytes_ = 0;
    std::uint64_t unreclaimed_bytes_ = 0;  // let go of, not yet destroyed
    bool owner_waits_ = false;             // some of that is held by reference
    std::size_t spare_count_ = 0;
    std::array<Chunk*, kSpareChunks> spare_{};
    alignas(kCacheLine) std::atomic<std::uint64_t> tail_{0};
    std::array<Gate, kGates> gates_;
};

}  // namespace hawser::ring
