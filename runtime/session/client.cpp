#include "runtime/session/client.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "runtime/base/log.h"
#include "runtime/session/join.h"

namespace hawser::session {
namespace {

constexpr std::size_t kTurnBytes = 128 * 1024;   // a client's turn (design §4)
constexpr std::size_t kBatchBytes = 128 * 1024;  // about 100 kB a call is fastest
constexpr std::size_t kMaxParts = 256;
constexpr std::size_t kMaxFragments = 64;
// A newcomer to a live stream begins with a group no older than this, if one comes within that time.
constexpr Duration kFreshGroup = std::chrono::milliseconds(200);
constexpr Duration kFreshWait = std::chrono::seconds(1);
constexpr Duration kNoDeadline = std::chrono::hours(24);
constexpr std::size_t kFragmentHead = wire::kPrefixSize + wire::kFragmentHeaderSize;

Error unexpected(const char* what) {
    return {Errc::Protocol, std::string("a subscriber sent ") + what};
}

}  // namespace

// One gathered write: parts of the rings, and the headers of fragments.
class Client::Batch {
  public:
    void clear() {
        parts_count_ = fragments_ = bytes_ = 0;
        planned.clear();
    }
    bool full() const {
        return bytes_ >= kBatchBytes || parts_count_ + 4 > kMaxParts || fragments_ >= kMaxFragments;
    }
    bool empty() const { return parts_count_ == 0; }
    std::span<const iovec> parts() const { return {parts_.data(), parts_count_}; }

    // Adds the frame of `entry` that begins at `offset` of its body.
    void add(const ring::HistoryEntry& entry, std::uint16_t track, std::size_t cursor, std::uint64_t offset) {
        if (!entry.object) {
            planned.push_back({cursor, entry.head.size(), 0, true, false});
            push(entry.head);
            return;
        }
        const std::uint64_t body = entry.body_size();
        const std::uint64_t chunk = std::min<std::uint64_t>(body - offset, wire::kMaxFragment);
        const std::size_t copied = entry.head.size() - entry.head_size;
        const std::size_t from_head = offset < copied ? std::min<std::uint64_t>(copied - offset, chunk) : 0;
        const std::size_t from_tail = chunk - from_head;
        const std::size_t tail_at = offset > copied ? offset - copied : 0;
        std::size_t head_size = entry.head_size;
        if (offset == 0) {
            push(entry.head.first(head_size + from_head));
        } else {
            auto& head = fragment_heads_[fragments_++];
            head_size = kFragmentHead;
            wire::encode(
                {static_cast<std::uint32_t>(wire::kFragmentHeaderSize + chunk), wire::FrameType::Fragment,
                 static_cast<std::uint8_t>(offset + chunk < body ? wire::kMore : 0), track, entry.sequence},
                std::span<std::byte, wire::kPrefixSize>(head.data(), wire::kPrefixSize));
            wire::encode_fragment_offset(
                offset, std::span<std::byte, wire::kFragmentHeaderSize>(head.data() + wire::kPrefixSize,
                                                                        wire::kFragmentHeaderSize));
            push(head);
            push(entry.head.subspan(entry.head_size + std::min<std::uint64_t>(offset, copied), from_head));
        }
        push(entry.tail.subspan(tail_at, from_tail));
        planned.push_back(
            {cursor, static_cast<std::size_t>(head_size + chunk), chunk, offset + chunk == body, true});
    }

    std::vector<Planned> planned;

  private:
    void push(std::span<const std::byte> bytes) {
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

    std::array<iovec, kMaxParts> parts_;
    std::size_t parts_count_ = 0;
    std::array<std::array<std::byte, kFragmentHead>, kMaxFragments> fragment_heads_;
    std::size_t fragments_ = 0;
    std::size_t bytes_ = 0;
};

Client::Client(Owner& owner, std::uint64_t id, std::unique_ptr<Connection> connection, const Peer& peer)
    : owner_(owner), id_(id), connection_(std::move(connection)), peer_(peer) {
    connection_->set_user(*this);
    announce();
}

Client::~Client() {
    connection_->reactor().cancel(waiting_timer_);
}

void Client::announce() {
    wire::Announce message;
    message.set_epoch(owner_.epoch());
    for (const auto& track : owner_.tracks()) {
        wire::TrackInfo& info = *message.add_tracks();
        info.set_id(track->id());
        info.set_name(track->name());
        info.set_priority(track->priority());
        if (!subscribed_ || find(track->id())) continue;
        cursors_.push_back({.track = track.get()});
    }
    connection_->send(wire::FrameType::Announce, message);
}

void Client::forget(const PublisherTrack& track) {
    const auto at = std::find_if(cursors_.begin(), cursors_.end(),
                                 [&](const Cursor& cursor) { return cursor.track == &track; });
    if (at == cursors_.end()) return;
    // What it has not been sent goes with the track; it is told so.
    at->track->scope.emplace(at->track->ring());
    if (at->next < at->track->scope->head()) skip(*at, at->track->scope->head(), wire::GAP_OVERRUN);
    at->track->scope.reset();
    cursors_.erase(at);
}

Client::Cursor* Client::find(std::uint32_t track) {
    for (Cursor& cursor : cursors_)
        if (cursor.track->id() == track) return &cursor;
    return nullptr;
}

ClientStats Client::stats() const {
    ClientStats stats;
    stats.id = id_;
    stats.address = connection_->peer_address();
    stats.state = subscribed_ ? State::Streaming : State::Handshake;
    stats.objects = objects_;
    stats.bytes = bytes_;
    stats.lost = lost_;
    for (const Cursor& cursor : cursors_) stats.lag += cursor.track->ring().head() - cursor.next;
    return stats;
}

// --- What the subscriber says
// -------------------------------------------------------------------------------------------

Result<void> Client::on_hello(const wire::Hello&) {
    return unexpected("a second HELLO");
}
Result<void> Client::on_welcome(const wire::Welcome&) {
    return unexpected("a second WELCOME");
}
Result<std::optional<Landing>> Client::on_object(const wire::FramePrefix&, const wire::ObjectHeader&,
                                                 std::size_t) {
    return unexpected("an OBJECT");
}
Result<std::optional<Landing>> Client::on_fragment(const wire::FramePrefix&, std::uint64_t, std::size_t) {
    return unexpected("a FRAGMENT");
}
Result<void> Client::on_chunk(const wire::FramePrefix&) {
    return unexpected("an OBJECT");
}
void Client::on_closed(const Closing& closing) {
    owner_.on_client_closed(*this, closing);
}

Result<void> Client::on_frame(const wire::FramePrefix& prefix, std::span<const std::byte> body) {
    switch (prefix.type) {
        case wire::FrameType::Subscribe: {
            wire::Subscribe message;
            if (auto parsed = parse_body(prefix, body, message); !parsed) return parsed;
            return subscribe(message);
        }
        case wire::FrameType::Ack: {
            wire::Ack message;
            if (auto parsed = parse_body(prefix, body, message); !parsed) return parsed;
            acknowledge(message);
            return {};
        }
        case wire::FrameType::NewGroup: {
            wire::NewGroup message;
            if (auto parsed = parse_body(prefix, body, message); !parsed) return parsed;
            if (Cursor* cursor = find(message.track()))
                owner_.on_new_group_wanted(*cursor->track, message.all_headers(), message.count());
            return {};
        }
        default:
            return unexpected(wire::to_string(prefix.type));
    }
}

Result<void> Client::subscribe(const wire::Subscribe& message) {
    if (subscribed_) return unexpected("a second SUBSCRIBE");
    if (static_cast<std::size_t>(message.resume_size()) > wire::kMaxTracks)
        return unexpected("a SUBSCRIBE that resumes more tracks than there can be");
    if (waiting_) return unexpected("a second SUBSCRIBE");
    // A newcomer to a live stream would stay behind it by the age of the group that it begins with, for good.
    const auto& tracks = owner_.tracks();
    const bool newcomer = message.epoch() != owner_.epoch() &&
                          std::none_of(tracks.begin(), tracks.end(), [this](const auto& track) {
                              return owner_.position_of(peer_.session, *track) != nullptr;
                          });
    if (owner_.live() && newcomer && ask_for_fresh_groups()) {
        waiting_ = message;
        waiting_timer_ = connection_->reactor().after(kFreshWait, [this] {
            waiting_timer_ = 0;
            begin_waiting();
        });
        return {};
    }
    begin(message);
    return {};
}

// Whether a track's newest group is too old to begin with; its encoder has been asked for another then.
bool Client::ask_for_fresh_groups() {
    const TimePoint now = connection_->reactor().clock().now();
    bool asked = false;
    for (const auto& track : owner_.tracks()) {
        if (track->ended()) continue;
        const ring::HistoryRing::ReadScope scope(track->ring());
        const std::uint64_t group = scope.newest_group(scope.head());
        if (group == ring::HistoryRing::kNone || group + 1 == scope.head()) continue;
        if (now - scope[group].published <= kFreshGroup) continue;
        owner_.on_new_group_wanted(*track, true, 0);
        asked = true;
    }
    return asked;
}

void Client::begin_waiting() {
    connection_->reactor().cancel(std::exchange(waiting_timer_, 0));
    const wire::Subscribe message = *std::exchange(waiting_, std::nullopt);
    if (!connection_->closed()) begin(message);
}

void Client::begin(const wire::Subscribe& message) {
    const auto& tracks = owner_.tracks();
    for (const auto& track : tracks) track->scope.emplace(track->ring());
    const bool resumed = message.epoch() == owner_.epoch();
    const std::vector<Start> starts = join(tracks);

    wire::SubscribeOk answer;
    answer.set_epoch(owner_.epoch());
    answer.set_resumed(resumed);
    std::uint64_t least = wire::kNone;
    std::string snapshots;
    std::uint64_t lost_now = 0;
    for (std::size_t i = 0; i < tracks.size(); ++i) {
        PublisherTrack& track = *tracks[i];
        const auto& scope = *track.scope;
        Start start = starts[i];
        const wire::TrackPosition* had = nullptr;
        if (resumed)
            for (const auto& position : message.resume())
                if (position.track() == track.id()) had = &position;
        const Cursor* stood = owner_.position_of(peer_.session, track);
        // Where it has to be told of everything: from what it has, else from what was begun for it, else, of
        // a track that is new to it in an epoch that it knows, from the beginning.
        std::optional<std::uint64_t> from;
        std::uint64_t objects = 0;
        if (had) {
            from = had->next();
            objects = had->objects();
        } else if (stood) {
            from = stood->began;
            objects = stood->began_objects;
        } else if (resumed) {
            from = 0;
        }
        if (from) {
            start = resume(track, *from);
            // It was waiting for a group, and still is.
            if (stood && stood->needs_group && start.sequence >= stood->needs_group_from &&
                start.sequence == *from)
                start.needs_group = true;
        }
        Cursor cursor{.track = &track, .next = start.sequence, .needs_group = start.needs_group};
        cursor.objects = scope.objects_before(start.sequence);
        cursor.needs_group_from = start.sequence;
        cursor.acked = start.sequence;
        // An answer that nobody saw begins nothing: what was lost before it is told again.
        const bool unseen = stood && !had;
        cursor.began = unseen ? stood->began : start.sequence;
        cursor.began_objects = unseen ? stood->began_objects : cursor.objects;
        cursor.handed = stood ? std::min(stood->handed, start.sequence) : start.sequence;

        wire::TrackStart& said = *answer.add_tracks();
        said.set_track(track.id());
        said.set_start(start.sequence);
        said.set_head(scope.head());
        said.set_objects(cursor.objects);
        said.set_replay_objects(scope.objects_before(scope.head()) - cursor.objects);
        std::uint64_t time = wire::kNone;
        for (std::uint64_t at = start.sequence; at < scope.head() && time == wire::kNone; ++at)
            time = scope[at].running_time;
        said.set_running_time(time);
        least = std::min(least, time);
        const bool skipped = from && start.sequence > *from;
        if (skipped) {
            const std::uint64_t lost = cursor.objects > objects ? cursor.objects - objects : 0;
            said.set_lost_objects(lost);
            said.set_reason(wire::GAP_OVERRUN);
            lost_ += lost;
            lost_now += lost;
        }
        if (!had || skipped) snapshots += track.sticky().snapshot(start.sequence);
        if (start.needs_group) owner_.on_new_group_wanted(track, true, 0);
        cursors_.push_back(cursor);
    }
    answer.set_running_time(least);
    for (const auto& track : tracks) track->scope.reset();
    subscribed_ = true;
    connection_->send(wire::FrameType::SubscribeOk, answer);
    connection_->send_encoded(snapshots);
    if (lost_now) owner_.on_lost(lost_now);
    owner_.on_subscribed(*this);
    owner_.on_more_to_send();
}

void Client::acknowledge(const wire::Ack& message) {
    for (const auto& position : message.tracks()) {
        Cursor* cursor = find(position.track());
        if (!cursor) continue;
        cursor->handed = std::max(cursor->handed, std::min(position.next(), cursor->next));
        cursor->acked = std::max(cursor->acked, cursor->handed);
    }
    owner_.on_acknowledged(*this);
}

// --- Sending
// ------------------------------------------------------------------------------------------------------------

void Client::on_room() {
    owner_.on_more_to_send();
}

void Client::skip(Cursor& cursor, std::uint64_t to, wire::GapReason reason) {
    const auto& scope = *cursor.track->scope;
    const std::uint64_t objects = scope.objects_before(to);
    wire::Gap gap;
    gap.set_first(cursor.next);
    gap.set_next(to);
    gap.set_lost_objects(objects - cursor.objects);
    gap.set_reason(reason);
    lost_ += gap.lost_objects();
    owner_.on_lost(gap.lost_objects());
    connection_->send(wire::FrameType::Gap, gap, cursor.track->id(), cursor.next);
    connection_->send_encoded(cursor.track->sticky().snapshot(to));
    cursor.next = to;
    cursor.objects = objects;
    cursor.body_offset = 0;
    cursor.acked = std::max(cursor.acked, to);
}

// The sequence to go on with where the cursor's object can no longer arrive in time: the rest of its group
// goes with it.
std::optional<std::uint64_t> Client::drop_late(const Cursor& cursor, TimePoint now) const {
    const auto& scope = *cursor.track->scope;
    if (cursor.next >= scope.head() || cursor.body_offset > 0) return std::nullopt;
    if (!scope[cursor.next].object || now <= scope[cursor.next].deadline) return std::nullopt;
    std::uint64_t to = cursor.next + 1;
    while (to < scope.head() && scope[to].object && !scope[to].group_start) ++to;
    return to;
}

// Moves cursors over what is gone, too late or not decodable. False: the connection is no more, or has no
// room.
bool Client::catch_up(TimePoint now) {
    for (Cursor& cursor : cursors_) {
        const auto& scope = *cursor.track->scope;
        if (cursor.next < scope.tail()) {
            const Start start = skip_ahead(*cursor.track);
            skip(cursor, start.sequence, wire::GAP_SLOW_CLIENT);
            cursor.needs_group = start.needs_group;
            cursor.needs_group_from = cursor.next;
            if (start.needs_group) owner_.on_new_group_wanted(*cursor.track, true, 0);
        }
        if (cursor.needs_group && cursor.next < scope.head()) {
            // Events go through; objects wait for a group.
            std::uint64_t to = cursor.next;
            while (to < scope.head() && scope[to].object && !scope[to].group_start) ++to;
            if (to > cursor.next) skip(cursor, to, wire::GAP_OVERRUN);
            if (to < scope.head() && scope[to].group_start) cursor.needs_group = false;
        }
        while (const auto to = drop_late(cursor, now)) {
            skip(cursor, *to, wire::GAP_DEADLINE);
            cursor.needs_group = *to == scope.head() || !scope[*to].group_start;
            cursor.needs_group_from = *to;
        }
    }
    return connection_->ready_for_data();
}

// The ring has let go of something that was still to be sent; seen even while the socket has no room.
bool Client::overtaken() const {
    return std::any_of(cursors_.begin(), cursors_.end(),
                       [](const Cursor& cursor) { return cursor.next < cursor.track->ring().tail(); });
}

void Client::pump() {
    static thread_local Batch batch;
    if (waiting_ && !ask_for_fresh_groups()) begin_waiting();
    if (!subscribed_) return;
    if (owner_.disconnects_slow_clients() && overtaken())
        return connection_->fail(
            {Errc::TimedOut, "too slow, and the sender's slow-client-policy is disconnect"},
            wire::ERROR_BUSY);
    for (const auto& track : owner_.tracks()) track->scope.emplace(track->ring());
    std::size_t sent = 0;
    const std::uint64_t before = bytes_;
    bool more = true;
    while (more && sent < kTurnBytes && connection_->ready_for_data()) {
        more = send_batch(batch);
        sent = bytes_ - before;
    }
    for (const auto& track : owner_.tracks()) track->scope.reset();
    if (more && sent >= kTurnBytes && !connection_->closed()) owner_.on_more_to_send();
}

// False: nothing more to send now.
bool Client::send_batch(Batch& batch) {
    batch.clear();
    if (!rest_.empty()) return send_rest();
    if (!catch_up(connection_->reactor().clock().now())) return !connection_->closed();
    // Where each cursor would be after what is planned already.
    struct Ahead {
        std::uint64_t next;
        std::uint64_t offset;
    };
    static thread_local std::vector<Ahead> ahead;
    static thread_local std::vector<sched::Candidate> candidates;
    ahead.clear();
    candidates.clear();
    for (const Cursor& cursor : cursors_) ahead.push_back({cursor.next, cursor.body_offset});
    const auto candidate = [&](std::size_t i) -> std::optional<sched::Candidate> {
        const Cursor& cursor = cursors_[i];
        const auto& scope = *cursor.track->scope;
        if (ahead[i].next >= scope.head()) return std::nullopt;
        if (cursor.needs_group && scope[ahead[i].next].object) return std::nullopt;
        // Without a deadline, tracks keep the order in which their objects were published, behind those
        // that have one.
        const auto& entry = scope[ahead[i].next];
        return sched::Candidate{
            cursor.track->priority(), static_cast<std::uint16_t>(i),
            entry.deadline != TimePoint::max() ? entry.deadline : entry.published + kNoDeadline};
    };
    for (std::size_t i = 0; i < cursors_.size(); ++i)
        if (auto one = candidate(i)) candidates.push_back(*one);
    while (!candidates.empty() && !batch.full()) {
        const std::size_t turn = *scheduler_.pick(candidates);
        const std::size_t i = candidates[turn].track;
        batch.add((*cursors_[i].track->scope)[ahead[i].next], cursors_[i].track->id(), i, ahead[i].offset);
        const Planned& plan = batch.planned.back();
        ahead[i] =
            plan.last ? Ahead{ahead[i].next + 1, 0} : Ahead{ahead[i].next, ahead[i].offset + plan.chunk};
        if (auto again = candidate(i))
            candidates[turn] = *again;
        else
            candidates.erase(candidates.begin() + static_cast<std::ptrdiff_t>(turn));
    }
    if (batch.empty()) return false;

    const io::IoResult written = connection_->write_data(batch.parts());
    if (written.status != io::IoResult::Status::Done) return false;
    bytes_ += written.bytes;
    std::size_t left = written.bytes;
    for (const Planned& plan : batch.planned) {
        if (left == 0) break;
        if (left < plan.bytes) {
            keep_rest(batch.parts(), written.bytes, plan.bytes - left);
            left = plan.bytes;
        }
        left -= plan.bytes;
        Cursor& cursor = cursors_[plan.cursor];
        if (!plan.last) {
            cursor.body_offset += plan.chunk;
            continue;
        }
        if (plan.object) {
            ++objects_;
            ++cursor.objects;
        }
        ++cursor.next;
        cursor.body_offset = 0;
    }
    connection_->set_mid_frame(!rest_.empty());
    return true;
}

// A frame that has begun must be finished, whatever becomes of its entry: the ring may let go of it before
// the socket has room again, and its track may be removed. So what is left of it (at most a fragment) is
// copied.
void Client::keep_rest(std::span<const iovec> parts, std::size_t written, std::size_t size) {
    rest_.reserve(size);
    for (const iovec& one : parts) {
        if (written >= one.iov_len) {
            written -= one.iov_len;
            continue;
        }
        const std::size_t taken = std::min(one.iov_len - written, size - rest_.size());
        rest_.append(static_cast<const char*>(one.iov_base) + written, taken);
        written = 0;
        if (rest_.size() == size) break;
    }
    rest_sent_ = 0;
}

// False: the socket takes no more.
bool Client::send_rest() {
    const iovec part{rest_.data() + rest_sent_, rest_.size() - rest_sent_};
    const io::IoResult written = connection_->write_data({&part, 1});
    if (written.status != io::IoResult::Status::Done) return false;
    bytes_ += written.bytes;
    rest_sent_ += written.bytes;
    if (rest_sent_ < rest_.size()) return true;
    rest_ = {};  // no client keeps memory of its own
    connection_->set_mid_frame(false);
    return true;
}

}  // namespace hawser::session
