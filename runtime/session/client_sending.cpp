// A client's turn: what is left out, and what came of the write.
#include <algorithm>

#include "runtime/base/log.h"
#include "runtime/session/client.h"
#include "runtime/session/join.h"
#include "runtime/state/machine.h"

namespace hawser::session {
namespace {

// A socket that has taken nothing for so long is left alone until it does.
constexpr Duration kStuck = std::chrono::seconds(2);
// A new client's first bytes go in small writes.
constexpr std::uint64_t kTrial = 128 * 1024;
constexpr std::size_t kTrialWrite = 16 * 1024;
// A client is behind when what it gets next has waited for this part of what the ring may hold.
constexpr unsigned kBehindPart = 4;
constexpr const char* kTooSlow = "too slow, and the sender's slow-client-policy is disconnect";

}  // namespace

void Client::fire(ClientEvent event) {
    if (const auto to = kClientTable.next(state_, event)) {
        log().debug("client {}: {} -> {} ({})", id_, to_string(state_), to_string(*to), to_string(event));
        state_ = *to;
    } else if (!kClientTable.ignores(state_, event)) {
        state::report_illegal("client", to_string(state_), to_string(event));
    }
}

void Client::evict(const char* why) {
    fire(ClientEvent::Evict);
    connection_->fail({Errc::TimedOut, why}, wire::ERROR_BUSY);
}

// --- What the socket does
// ----------------------------------------------------------------------------------------------------------

void Client::on_room() {
    blocked_at_ = {};
    fire(ClientEvent::Moved);
    owner_.on_more_to_send(*this);
}

void Client::check(TimePoint now) {
    connection_->check_liveness(now);
    if (connection_->closed()) return;
    if (!subscribed_) {
        if (!waiting_ && now - since_ >= owner_.config().link.liveness.handshake_timeout)
            evict("has not said SUBSCRIBE in time");
        return;
    }
    if (is_to_go()) return evict(kTooSlow);
    if (blocked_at_ == TimePoint{}) return;
    if (overtaken())
        fire(ClientEvent::Overtaken);
    else if (state_ == ClientState::Live)
        judge(now);
    if (now - blocked_at_ >= kStuck) fire(ClientEvent::Stuck);
    if (now - blocked_at_ >= owner_.config().max_park && state_ == ClientState::Parked)
        evict("has taken nothing for as long as the sender's max-park allows");
}

// The ring has let go of something that was still to be sent; seen even while the socket has no room.
bool Client::overtaken() const {
    return std::any_of(cursors_.begin(), cursors_.end(),
                       [](const Cursor& cursor) { return cursor.next < cursor.view->track.ring().tail(); });
}

bool Client::is_to_go() const {
    return owner_.config().slow_client_policy == SlowClientPolicy::Disconnect && overtaken();
}

bool Client::caught_up() const {
    return std::all_of(cursors_.begin(), cursors_.end(),
                       [](const Cursor& cursor) { return cursor.next >= cursor.scope().head(); });
}

// --- What is left out
// --------------------------------------------------------------------------------------------------------------

void Client::skip(Cursor& cursor, std::uint64_t to, wire::GapReason reason) {
    const std::uint64_t objects = cursor.scope().objects_before(to);
    wire::Gap gap;
    gap.set_first(cursor.next);
    gap.set_next(to);
    gap.set_lost_objects(objects - cursor.objects);
    gap.set_reason(reason);
    lost_ += gap.lost_objects();
    owner_.on_lost(*this, cursor.track(), cursor.next, gap.lost_objects(), reason);
    connection_->send(wire::FrameType::Gap, gap, cursor.track().id(), cursor.next);
    // Where only objects are gone it knows all that holds; a narrow line has better uses.
    if (to - cursor.next > gap.lost_objects())
        connection_->send_encoded(cursor.track().sticky().snapshot(to));
    cursor.next = to;
    cursor.objects = objects;
    cursor.body_offset = 0;
    cursor.acked = std::max(cursor.acked, to);
}

// The sequence to go on with where the cursor's object can no longer arrive in time: the rest of its group
// goes with it. Deltas also make room for a keyframe that would come too late behind them; the newest
// keyframe is left out only when its time is over, so that no group is lost to an estimate.
std::optional<std::uint64_t> Client::drop_late(const Cursor& cursor, TimePoint now) const {
    const auto& scope = cursor.scope();
    if (cursor.next >= scope.head() || cursor.body_offset > 0) return std::nullopt;
    const ring::HistoryEntry& entry = scope[cursor.next];
    if (!entry.object || entry.deadline == TimePoint::max()) return std::nullopt;
    bool late = now > entry.deadline;
    if (!late && congestion_) {
        const std::uint64_t group = scope.next_group(cursor.next + 1);
        const bool newer = group != ring::HistoryRing::kNone;
        late = (newer || !entry.group_start) && congestion_->arrival(entry.bytes(), now) > entry.deadline;
        if (!late && newer && !entry.group_start)
            late = congestion_->arrival(entry.bytes() + scope[group].bytes(), now) > scope[group].deadline &&
                   now <= scope[group].deadline;
    }
    if (!late) return std::nullopt;
    std::uint64_t to = cursor.next + 1;
    while (to < scope.head() && scope[to].object && !scope[to].group_start) ++to;
    return to;
}

bool Client::does_without_droppable() const {
    return state_ == ClientState::Lagging && owner_.config().drops();
}

// A client that lags does without what nothing else depends on. Not what it is resuming: it came back for
// that.
std::optional<std::uint64_t> Client::drop_droppable(const Cursor& cursor) const {
    const auto& scope = cursor.scope();
    std::uint64_t to = cursor.next;
    if (cursor.body_offset > 0) return std::nullopt;
    while (to < scope.head() && scope[to].droppable && scope[to].published >= since_) ++to;
    return to > cursor.next ? std::optional(to) : std::nullopt;
}

void Client::catch_up(Cursor& cursor) {
    const auto& scope = cursor.scope();
    if (cursor.next < scope.tail()) {
        fire(ClientEvent::Overtaken);
        const Start start = skip_ahead(*cursor.view);
        skip(cursor, start.sequence, wire::GAP_SLOW_CLIENT);
        cursor.needs_group = start.needs_group;
        cursor.needs_group_why = wire::GAP_SLOW_CLIENT;
        cursor.needs_group_from = cursor.next;
        if (start.needs_group) owner_.on_new_group_wanted(cursor.view->track, true, 0);
    }
    if (cursor.needs_group && cursor.next < scope.head()) {
        // Events go through; objects wait for a group.
        std::uint64_t to = cursor.next;
        while (to < scope.head() && scope[to].object && !scope[to].group_start) ++to;
        if (to > cursor.next) skip(cursor, to, static_cast<wire::GapReason>(cursor.needs_group_why));
        if (to < scope.head() && scope[to].group_start) cursor.needs_group = false;
    }
}

void Client::leave_out(Cursor& cursor, TimePoint now) {
    const auto& scope = cursor.scope();
    if (does_without_droppable())
        if (const auto to = drop_droppable(cursor)) skip(cursor, *to, wire::GAP_SLOW_CLIENT);
    while (const auto to = drop_late(cursor, now)) {
        skip(cursor, *to, wire::GAP_DEADLINE);
        cursor.needs_group = *to == scope.head() || !scope[*to].group_start;
        cursor.needs_group_why = wire::GAP_DEADLINE;
        cursor.needs_group_from = *to;
    }
}

// Whether it is behind: what it gets next is so old or so far back, or is about to go to make room.
void Client::judge(TimePoint now) {
    const PublisherConfig& config = owner_.config();
    bool behind = false;
    for (const Cursor& cursor : cursors_) {
        const auto& scope = cursor.scope();
        if (cursor.next >= scope.head()) continue;
        behind = behind || scope.head() - cursor.next > std::max(config.max_objects / kBehindPart, 1U) ||
                 now - scope[cursor.next].published > config.max_time / kBehindPart ||
                 (cursor.next - scope.tail() < (scope.head() - scope.tail()) / kBehindPart &&
                  cursor.view->track.ring().bytes() > config.max_bytes - config.max_bytes / kBehindPart);
    }
    if (state_ == ClientState::Skipping) fire(ClientEvent::Resumed);
    fire(behind ? ClientEvent::Behind : ClientEvent::CaughtUp);
}

bool Client::prepare(TimePoint now) {
    if (!subscribed_ || !connection_->ready_for_data()) return false;
    if (is_to_go()) {
        evict(kTooSlow);
        return false;
    }
    if (congestion_) congestion_->measure(connection_->stream(), now, was_blocked_);
    for (Cursor& cursor : cursors_) catch_up(cursor);
    judge(now);
    for (Cursor& cursor : cursors_) leave_out(cursor, now);
    return connection_->ready_for_data();
}

// --- What is sent
// ------------------------------------------------------------------------------------------------------------------

Plan::Limits Client::limits() const {
    // What the link can carry is not known yet: not everything at once.
    Plan::Limits limits;
    if (!congestion_ && bytes_ < kTrial) limits.frame = limits.bytes = kTrialWrite;
    if (congestion_) {
        limits.frame = congestion_->most_a_frame();
        limits.bytes = std::min(congestion_->most_unsent(), Plan::kMaxBytes);
    }
    limits.congested = congestion_ != nullptr;
    limits.lagging = does_without_droppable();
    return limits;
}

void Client::sent(const Plan& plan, const io::IoResult& result, TimePoint now) {
    connection_->wrote(result, now);
    const io::IoResult written{result.status, connection_->escorted(result.bytes), result.error};
    const bool all = written.bytes == plan.bytes();
    was_blocked_ = !all;
    if (!all && !congestion_) congestion_ = std::make_unique<Congestion>();
    if (!all && (written.bytes > 0 || blocked_at_ == TimePoint{})) blocked_at_ = now;
    if (all) blocked_at_ = {};
    bytes_ += written.bytes;
    std::size_t left = written.bytes;
    for (const Plan::Frame& frame : plan.frames()) {
        if (left == 0) break;
        if (left < frame.bytes) {
            connection_->finish_frame(plan.parts(), written.bytes, frame.bytes - left);
            bytes_ += frame.bytes - left;
            left = frame.bytes;
        }
        left -= frame.bytes;
        Cursor& cursor = cursors_[frame.cursor];
        if (!frame.last) {
            cursor.body_offset += frame.chunk;
            continue;
        }
        if (frame.object) {
            ++objects_;
            ++cursor.objects;
        }
        ++cursor.next;
        cursor.body_offset = 0;
    }
}

}  // namespace hawser::session
