#include "runtime/session/client.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "runtime/base/log.h"
#include "runtime/session/join.h"

namespace hawser::session {
namespace {

// A newcomer to a live stream begins with a group no older than this, if one comes within that time.
constexpr Duration kFreshGroup = std::chrono::milliseconds(200);
constexpr Duration kFreshWait = std::chrono::seconds(1);

Error unexpected(const char* what) {
    return {Errc::Protocol, std::string("a subscriber sent ") + what};
}

}  // namespace

Client::Client(Owner& owner, std::uint64_t id, std::unique_ptr<Connection> connection, const Peer& peer)
    : owner_(owner),
      id_(id),
      connection_(std::move(connection)),
      session_(peer.session),
      generation_(peer.generation),
      since_(connection_->reactor().clock().now()) {
    connection_->set_user(*this);
    connection_->let_user_watch();
    announce();
}

Client::~Client() {
    if (waiting_) connection_->reactor().cancel(waiting_->timer);
}

void Client::announce() {
    if (subscribed_)
        for (const auto& view : owner_.views())
            if (!find(view->track.id())) cursors_.push_back({.view = view.get()});
    connection_->send_encoded(owner_.announcement());
}

void Client::forget(const PublisherTrack& track) {
    const auto at = std::find_if(cursors_.begin(), cursors_.end(),
                                 [&](const Cursor& cursor) { return &cursor.track() == &track; });
    if (at == cursors_.end()) return;
    // What it has not been sent goes with the track; it is told so.
    if (at->next < at->scope().head()) skip(*at, at->scope().head(), wire::GAP_OVERRUN);
    cursors_.erase(at);
}

Cursor* Client::find(std::uint32_t track) {
    for (Cursor& cursor : cursors_)
        if (cursor.track().id() == track) return &cursor;
    return nullptr;
}

ClientStats Client::stats() const {
    ClientStats stats;
    stats.id = id_;
    stats.address = connection_->peer_address();
    stats.state = subscribed_ ? to_string(state_) : to_string(State::Handshake);
    stats.objects = objects_;
    stats.bytes = bytes_;
    stats.lost = lost_;
    for (const Cursor& cursor : cursors_) stats.lag += cursor.view->track.ring().head() - cursor.next;
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
            static thread_local wire::Ack message;  // keeps the memory it has
            if (auto parsed = parse_body(prefix, body, message); !parsed) return parsed;
            acknowledge(message);
            return {};
        }
        case wire::FrameType::NewGroup: {
            wire::NewGroup message;
            if (auto parsed = parse_body(prefix, body, message); !parsed) return parsed;
            if (Cursor* cursor = find(message.track()))
                owner_.on_new_group_wanted(cursor->view->track, message.all_headers(), message.count());
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
    const auto& views = owner_.views();
    const bool newcomer = message.epoch() != owner_.epoch() &&
                          std::none_of(views.begin(), views.end(), [this](const auto& view) {
                              return owner_.position_of(session_, view->track) != nullptr;
                          });
    if (owner_.live() && newcomer && ask_for_fresh_groups()) {
        waiting_ = std::make_unique<Waiting>();
        waiting_->message = message;
        waiting_->timer = connection_->reactor().after(kFreshWait, [this] {
            waiting_->timer = 0;
            begin_waiting();
        });
        owner_.on_waiting(*this);
        return {};
    }
    begin(message);
    return {};
}

// Whether a track's newest group is too old to begin with; its encoder has been asked for another then.
bool Client::ask_for_fresh_groups() {
    const TimePoint now = connection_->reactor().clock().now();
    const OpenViews open(owner_.views());
    bool asked = false;
    for (const auto& view : owner_.views()) {
        if (view->track.ended()) continue;
        const auto& scope = *view->scope;
        const std::uint64_t group = scope.newest_group(scope.head());
        if (group == ring::HistoryRing::kNone || group + 1 == scope.head()) continue;
        if (now - scope[group].published <= kFreshGroup) continue;
        owner_.on_new_group_wanted(view->track, true, 0);
        asked = true;
    }
    return asked;
}

void Client::look_for_fresh_groups() {
    if (waiting_ && !ask_for_fresh_groups()) begin_waiting();
}

void Client::begin_waiting() {
    const std::unique_ptr<Waiting> waited = std::move(waiting_);
    connection_->reactor().cancel(waited->timer);
    if (!connection_->closed()) begin(waited->message);
}

void Client::begin(const wire::Subscribe& message) {
    const auto& views = owner_.views();
    const OpenViews open(views);
    const bool resumed = message.epoch() == owner_.epoch();
    std::vector<Start> starts;
    join(views, starts);

    wire::SubscribeOk answer;
    answer.set_epoch(owner_.epoch());
    answer.set_resumed(resumed);
    std::uint64_t least = wire::kNone;
    std::string snapshots;
    cursors_.reserve(views.size());
    for (std::size_t i = 0; i < views.size(); ++i) {
        PublisherTrack& track = views[i]->track;
        const auto& scope = *views[i]->scope;
        Start start = starts[i];
        const wire::TrackPosition* had = nullptr;
        if (resumed)
            for (const auto& position : message.resume())
                if (position.track() == track.id()) had = &position;
        const Cursor* stood = owner_.position_of(session_, track);
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
            owner_.on_resumed(*this, track, *from);
            start = resume(*views[i], *from);
            // It was waiting for a group, and still is.
            if (stood && stood->needs_group && start.sequence >= stood->needs_group_from &&
                start.sequence == *from)
                start.needs_group = true;
        }
        Cursor cursor{.view = views[i].get(), .next = start.sequence, .needs_group = start.needs_group};
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
            owner_.on_lost(*this, track, *from, lost, wire::GAP_OVERRUN);
        }
        if (!had || skipped) snapshots += track.sticky().snapshot(start.sequence);
        if (start.needs_group) owner_.on_new_group_wanted(track, true, 0);
        cursors_.push_back(cursor);
    }
    answer.set_running_time(least);
    subscribed_ = true;
    since_ = connection_->reactor().clock().now();
    connection_->send(wire::FrameType::SubscribeOk, answer);
    connection_->send_encoded(snapshots);
    owner_.on_subscribed(*this);
    owner_.on_more_to_send(*this);
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

}  // namespace hawser::session
