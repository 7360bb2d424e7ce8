// What goes to a client next, as one gathered write: parts of the rings, and the heads of fragments.
//
// Clients that stand at the same place share one plan, so that a thousand clients who have all that was
// published cost one planning, not a thousand.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <sys/uio.h>

#include "proto/wire/header.h"
#include "runtime/sched/priority_scheduler.h"
#include "runtime/session/cursor.h"

namespace hawser::session {

class Plan {
  public:
    // About 100 kB a call is fastest; with the object that goes beyond it this fills two of TCP's largest
    // packets.
    static constexpr std::size_t kMaxBytes = 126 * 1024;

    // One frame of it.
    struct Frame {
        std::uint32_t bytes;   // of the frame
        std::uint32_t chunk;   // of the body
        std::uint16_t cursor;  // index among the client's
        bool last;             // ends its entry
        bool object;           // of an object
    };

    // How much, for a client whose link is the bottleneck.
    struct Limits {
        std::size_t frame = wire::kUsualFragment;  // bytes of body in a frame
        std::size_t bytes = kMaxBytes;             // in all, about
        bool congested = false;  // what has a deadline is planned no further than the object that its cursor
                                 // is at, so that each is judged when its turn has come
        bool lagging = false;    // the same for what is droppable
        bool operator==(const Limits&) const = default;
    };

    // For a client that stands at `cursors`, whose views are open: frames in the order of priority.
    // `scheduler` is the client's, moved on by what was planned.
    void make(std::span<const Cursor> cursors, sched::PriorityScheduler& scheduler, const Limits& limits);
    // Whether make() would come to the same for this client; `scheduler` is moved on then.
    bool suits(std::span<const Cursor> cursors, sched::PriorityScheduler& scheduler,
               const Limits& limits) const;
    // What it refers to may be gone.
    void invalidate() { valid_ = false; }

    bool empty() const { return parts_count_ == 0; }
    std::span<const iovec> parts() const { return {parts_.data(), parts_count_}; }
    std::span<const Frame> frames() const { return frames_; }
    std::size_t bytes() const { return bytes_; }

  private:
    static constexpr std::size_t kMaxParts = 256;
    static constexpr std::size_t kMaxHeads = 64;
    static constexpr std::size_t kLongestHead = wire::kPrefixSize + wire::kObjectHeaderSize;

    // Where a client stood, or would be after what is planned.
    struct Mark {
        std::uint64_t next;
        std::uint32_t offset;
        bool needs_group;
        bool operator==(const Mark&) const = default;
    };

    bool full() const {
        return bytes_ >= limits_.bytes || parts_count_ + 4 > kMaxParts || heads_count_ >= kMaxHeads;
    }
    void add(const ring::HistoryEntry& entry, std::uint16_t track, std::uint16_t cursor, Mark& at);
    std::span<std::byte> own_head(const ring::HistoryEntry& entry, std::uint16_t track, std::uint32_t offset,
                                  std::size_t chunk);
    void push(std::span<const std::byte> bytes);

    std::array<iovec, kMaxParts> parts_;
    std::size_t parts_count_ = 0;
    std::array<std::array<std::byte, kLongestHead>, kMaxHeads> heads_;
    std::size_t heads_count_ = 0;
    std::size_t bytes_ = 0;
    std::vector<Frame> frames_;

    bool valid_ = false;
    std::vector<Mark> marks_;  // of the client it was made for
    std::vector<Mark> ahead_;
    std::vector<sched::Candidate> candidates_;
    Limits limits_;
    sched::PriorityScheduler before_, after_;
};

}  // namespace hawser::session
