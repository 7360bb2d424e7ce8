#include "runtime/session/plan.h"

#include <algorithm>
#include <cstring>

namespace hawser::session {
namespace {

// Tracks without a deadline keep the order in which their objects were published, behind those that have one.
constexpr Duration kNoDeadline = std::chrono::hours(24);

}  // namespace

void Plan::make(std::span<const Cursor> cursors, sched::PriorityScheduler& scheduler, const Limits& limits) {
    parts_count_ = heads_count_ = bytes_ = 0;
    frames_.clear();
    marks_.clear();
    for (const Cursor& cursor : cursors)
        marks_.push_back({cursor.next, cursor.body_offset, cursor.needs_group});
    ahead_ = marks_;
    limits_ = limits;
    before_ = scheduler;

    const auto candidate = [&](std::size_t i, sched::Candidate& into) {
        const auto& scope = cursors[i].scope();
        const Mark& at = ahead_[i];
        if (at.next >= scope.head()) return false;
        const ring::HistoryEntry& entry = scope[at.next];
        if (at.needs_group && entry.object) return false;
        const bool judged =
            (limits_.congested && entry.deadline != TimePoint::max()) || (limits_.lagging && entry.droppable);
        if (judged && at.next != cursors[i].next) return false;
        into = {cursors[i].track().priority(), static_cast<std::uint16_t>(i),
                entry.deadline != TimePoint::max() ? entry.deadline : entry.published + kNoDeadline};
        return true;
    };
    candidates_.clear();
    for (std::size_t i = 0; i < cursors.size(); ++i)
        if (sched::Candidate one; candidate(i, one)) candidates_.push_back(one);
    while (!candidates_.empty() && !full()) {
        const std::size_t turn = candidates_.size() == 1 ? 0 : *scheduler.pick(candidates_);
        const std::size_t i = candidates_[turn].track;
        add(cursors[i].scope()[ahead_[i].next], cursors[i].track().id(), static_cast<std::uint16_t>(i),
            ahead_[i]);
        if (!candidate(i, candidates_[turn]))
            candidates_.erase(candidates_.begin() + static_cast<std::ptrdiff_t>(turn));
    }
    after_ = scheduler;
    valid_ = true;
}

bool Plan::suits(std::span<const Cursor> cursors, sched::PriorityScheduler& scheduler,
                 const Limits& limits) const {
    if (!valid_ || cursors.size() != marks_.size() || limits != limits_ || scheduler != before_) return false;
    for (std::size_t i = 0; i < cursors.size(); ++i)
        if (marks_[i] != Mark{cursors[i].next, cursors[i].body_offset, cursors[i].needs_group}) return false;
    scheduler = after_;
    return true;
}

// Adds the frame of `entry` that begins at `at`, which moves behind it.
void Plan::add(const ring::HistoryEntry& entry, std::uint16_t track, std::uint16_t cursor, Mark& at) {
    if (!entry.object) {
        frames_.push_back({static_cast<std::uint32_t>(entry.head.size()), 0, cursor, true, false});
        push(entry.head);
        at = {at.next + 1, 0, at.needs_group};
        return;
    }
    const std::uint32_t offset = at.offset;
    const std::size_t body = entry.body_size();
    const std::size_t chunk = limits_.frame == wire::kUsualFragment ? wire::usual_fragment(body - offset)
                                                                    : std::min(body - offset, limits_.frame);
    const std::size_t copied = entry.head.size() - entry.head_size;
    const std::size_t from_head = offset < copied ? std::min(copied - offset, chunk) : 0;
    std::size_t head_size = entry.head_size;
    if (offset == 0 && chunk == wire::usual_fragment(body)) {
        push(entry.head.first(head_size + from_head));
    } else {
        const auto head = own_head(entry, track, offset, chunk);
        head_size = head.size();
        push(head);
        push(entry.head.subspan(entry.head_size + std::min<std::size_t>(offset, copied), from_head));
    }
    push(entry.tail.subspan(offset > copied ? offset - copied : 0, chunk - from_head));
    const bool last = offset + chunk == body;
    frames_.push_back({static_cast<std::uint32_t>(head_size + chunk), static_cast<std::uint32_t>(chunk),
                       cursor, last, true});
    at = last ? Mark{at.next + 1, 0, at.needs_group}
              : Mark{at.next, static_cast<std::uint32_t>(offset + chunk), at.needs_group};
}

// The head of a frame other than the one that stands in the ring for all: a FRAGMENT's, or that of an OBJECT
// whose first part is shorter.
std::span<std::byte> Plan::own_head(const ring::HistoryEntry& entry, std::uint16_t track,
                                    std::uint32_t offset, std::size_t chunk) {
    const bool more = offset + chunk < entry.body_size();
    std::byte* head = heads_[heads_count_++].data();
    const std::span<std::byte, wire::kPrefixSize> prefix(head, wire::kPrefixSize);
    if (offset > 0) {
        wire::encode(
            {static_cast<std::uint32_t>(wire::kFragmentHeaderSize + chunk), wire::FrameType::Fragment,
             static_cast<std::uint8_t>(more ? wire::kMore : 0), track, entry.sequence},
            prefix);
        wire::encode_fragment_offset(offset, std::span<std::byte, wire::kFragmentHeaderSize>(
                                                 head + wire::kPrefixSize, wire::kFragmentHeaderSize));
        return {head, wire::kPrefixSize + wire::kFragmentHeaderSize};
    }
    std::memcpy(head, entry.head.data(), entry.head_size);
    wire::encode(
        {static_cast<std::uint32_t>(wire::kObjectHeaderSize + chunk), wire::FrameType::Object,
         static_cast<std::uint8_t>((more ? wire::kMore : 0) | (entry.group_start ? wire::kGroupStart : 0)),
         track, entry.sequence},
        prefix);
    return {head, entry.head_size};
}

void Plan::push(std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    bytes_ += bytes.size();
    if (parts_count_ > 0) {
        iovec& last = parts_[parts_count_ - 1];
        if (static_cast<std::byte*>(last.iov_base) + last.iov_len == bytes.data()) {
            last.iov_len += bytes.size();
            return;
        }
    }
    parts_[parts_count_++] = {const_cast<std::byte*>(bytes.data()), bytes.size()};
}

}  // namespace hawser::session
