#include "runtime/session/subscriber_core.h"

#include <algorithm>
#include <set>
#include <utility>

#include "runtime/base/log.h"
#include "runtime/base/text.h"

namespace hawser::session {
namespace {

constexpr std::size_t kReadBuffer = 128 * 1024;  // bytes

Error unexpected(const std::string& what) {
    return {Errc::Protocol, "the publisher sent " + what};
}

}  // namespace

std::unique_ptr<Subscriber> Subscriber::create(std::shared_ptr<io::Reactor> reactor, SubscriberConfig config,
                                               SubscriberListener& listener) {
    return std::make_unique<SubscriberCore>(std::move(reactor), SystemRandom::instance(), std::move(config),
                                            listener);
}

SubscriberCore::SubscriberCore(std::shared_ptr<io::Reactor> reactor, Random& random, SubscriberConfig config,
                               SubscriberListener& listener)
    : reactor_(std::move(reactor)),
      config_(std::move(config)),
      listener_(listener),
      session_(random_id(random)),
      link_(*reactor_, random, config_.link, wire::ROLE_SUBSCRIBER, kReadBuffer, true, *this),
      stand_in_(*reactor_, *this, config_.busy_poll) {}

SubscriberCore::~SubscriberCore() {
    stop();
    reactor_->run([this] {
        *alive_ = false;
        reactor_->forget(*this);
        stand_in_.forget();
    });
}

Result<void> SubscriberCore::start() {
    Result<void> result;
    reactor_->run([&] {
        if (running_) return;
        running_ = true;
        lost_at_.reset();
        result = link_.start();
        if (!result) running_ = false;
    });
    return result;
}

void SubscriberCore::stop() {
    reactor_->run([this] {
        for (const auto& track : tracks_) track->unlock();
        if (!running_) return;
        running_ = false;
        if (connection_) connection_->leave(wire::GOAWAY_LEAVING, "the receiver has stopped");
        drop_connection();
        busy_poll_.reset();
        link_.stop();
    });
}

void SubscriberCore::reconnect() {
    reactor_->run([this] {
        if (connection_) connection_->reset("reconnection asked for");
    });
}

SubscriberStats SubscriberCore::stats() const {
    SubscriberStats stats;
    reactor_->run([&] {
        stats.epoch = epoch_;
        stats.epochs = epochs_;
        stats.reconnects = reconnects_;
        stats.rtt = connection_ ? static_cast<std::uint64_t>(connection_->rtt().count()) : 0;
        stats.queued_bytes =
            bytes_in_.load(std::memory_order_relaxed) - bytes_out_.load(std::memory_order_relaxed);
        for (const auto& track : tracks_) {
            stats.objects += track->total_objects;
            stats.bytes += track->total_bytes;
            stats.lost += track->total_lost;
            stats.replayed += track->total_replayed;
            stats.doubled += track->total_doubled;
            stats.delivered += track->total_delivered();
            stats.tracks.push_back(
                {track->name(), track->total_objects, track->total_bytes, track->total_lost, track->next});
        }
    });
    return stats;
}

// --- Coming and going
// ---------------------------------------------------------------------------------------------------

void SubscriberCore::introduce(Peer& self) {
    self.session = session_;
    self.generation = ++generation_;
}

Result<void> SubscriberCore::admit(const Peer& peer) {
    // The same publisher on a new connection: the old one is dead, even if it does not know yet.
    if (connection_ && peer.epoch != peer_epoch_)
        return Error{Errc::Busy, "this receiver has a sender already"};
    // The same one may still come back to hear that all has arrived.
    if (link_.state() == State::Ended && peer.epoch != peer_epoch_)
        return Error{Errc::Busy, "this receiver has had its stream to the end"};
    return {};
}

void SubscriberCore::meet(std::unique_ptr<Connection> connection, const Peer& peer) {
    if (connection_) connection_->reset("replaced by a newer connection of the same sender");
    connection_ = std::move(connection);
    connection_->set_user(*this);
    peer_epoch_ = peer.epoch;
    announced_ = subscribed_ = false;
}

void SubscriberCore::drop_connection() {
    reactor_->cancel(std::exchange(ack_timer_, 0));
    stand_in_.withdraw();
    // Perhaps inside the connection's own call: it dies when that has returned.
    if (connection_) reactor_->post([gone = std::shared_ptr<Connection>(std::move(connection_))] {});
    on_parsed();
    for (const auto& track : tracks_) track->abandon_object();
    paused_ = false;
    announced_ = subscribed_ = false;
    recovery_.reset();
}

void SubscriberCore::on_state(State now, State before, const std::string& reason) {
    // A track that the publisher has dropped, or did not bring along into its new life, ends with the others.
    if (now == State::Ended)
        for (const auto& track : tracks_)
            if (!track->ended) track->push_end();
    listener_.on_state(now, before, reason);
}

void SubscriberCore::on_closed(const Closing& closing) {
    const bool was_subscribed = subscribed_;
    drop_connection();
    if (!running_) return;
    if (was_subscribed && !lost_at_) lost_at_ = reactor_->clock().now();
    // Not before SUBSCRIBE_OK: until then the tracks' ends are those of the epoch before.
    if (closing.goaway == wire::GOAWAY_ENDED || (was_subscribed && all_ended()))
        return link_.finished(closing.error.message);
    if (link_.calling())
        link_.lost(closing);
    else
        link_.vacated(closing.error.message);
}

void SubscriberCore::on_failed(const Error& error) {
    if (connection_) connection_->leave(wire::GOAWAY_LEAVING, "the receiver has failed");
    drop_connection();
    listener_.on_failed(error);
}

bool SubscriberCore::all_ended() const {
    bool any = false;
    for (const auto& track : tracks_) {
        if (!track->id) continue;  // not in this epoch
        if (!track->ended) return false;
        any = true;
    }
    return any;
}

// --- Control frames
// -----------------------------------------------------------------------------------------------------

Result<void> SubscriberCore::on_hello(const wire::Hello&) {
    return unexpected("a second HELLO");
}
Result<void> SubscriberCore::on_welcome(const wire::Welcome&) {
    return unexpected("a second WELCOME");
}

Result<void> SubscriberCore::on_frame(const wire::FramePrefix& prefix, std::span<const std::byte> body) {
    switch (prefix.type) {
        case wire::FrameType::Announce: {
            wire::Announce message;
            if (auto parsed = parse_body(prefix, body, message); !parsed) return parsed;
            return on_announce(message);
        }
        case wire::FrameType::SubscribeOk: {
            wire::SubscribeOk message;
            if (auto parsed = parse_body(prefix, body, message); !parsed) return parsed;
            return on_subscribed(message);
        }
        case wire::FrameType::Event:
            return on_event(prefix, body);
        case wire::FrameType::Gap: {
            wire::Gap message;
            if (auto parsed = parse_body(prefix, body, message); !parsed) return parsed;
            return on_gap(prefix, message);
        }
        default:
            return unexpected(wire::to_string(prefix.type));
    }
}

Result<void> SubscriberCore::on_announce(const wire::Announce& message) {
    if (message.epoch() == 0) return unexpected("an ANNOUNCE without an epoch");
    heed(message);
    if (static_cast<std::size_t>(message.tracks_size()) > wire::kMaxTracks)
        return unexpected("more than " + std::to_string(wire::kMaxTracks) + " tracks");
    std::set<std::uint32_t> ids;
    std::set<std::string_view> names;
    for (const auto& info : message.tracks()) {
        if (info.id() == 0 || info.id() > 0xffff || info.name().empty() ||
            info.name().size() > wire::kMaxTrackName)
            return unexpected("a track with a bad id or name");
        if (!ids.insert(info.id()).second || !names.insert(info.name()).second)
            return unexpected("an ANNOUNCE that names a track twice");
        for (const auto& track : tracks_)
            if (announced_ && track->id == info.id() && track->name() != info.name())
                return unexpected("an ANNOUNCE that gives track " + std::to_string(info.id()) +
                                  " another name");
    }
    const bool same_epoch = message.epoch() == epoch_;
    if (!same_epoch && subscribed_) return unexpected("another epoch on the same connection");
    std::vector<SubscriberTrack*> fresh;
    for (const auto& track : tracks_) {
        const auto info = std::find_if(message.tracks().begin(), message.tracks().end(),
                                       [&](const auto& one) { return one.name() == track->name(); });
        if (info != message.tracks().end() && info->id() == track->id) continue;
        // Gone; or the name has gone to another track, of which nothing is here yet.
        track->leave_epoch();
        track->id = 0;
    }
    for (const auto& info : message.tracks()) {
        const auto at = std::find_if(tracks_.begin(), tracks_.end(),
                                     [&](const auto& track) { return track->name() == info.name(); });
        SubscriberTrack* track = nullptr;
        if (at != tracks_.end()) {
            track = at->get();
        } else {
            if (tracks_.size() >= wire::kMaxTracks) return unexpected("ever more tracks");
            tracks_.push_back(std::make_unique<SubscriberTrack>(static_cast<SubscriberTrack::Owner&>(*this),
                                                                info.name(), config_.max_queue_items));
            track = tracks_.back().get();
            fresh.push_back(track);
        }
        const bool late = subscribed_ && track->id != info.id();
        track->id = static_cast<std::uint16_t>(info.id());
        if (late) begin_epoch(*track, 0, 0);
    }
    tell_later();
    for (SubscriberTrack* track : fresh) listener_.on_track(*track);
    if (!complete_told_ && !tracks_.empty()) {
        complete_told_ = true;
        listener_.on_tracks_complete();
    }
    offer_reading();
    announced_epoch_ = message.epoch();
    if (std::exchange(announced_, true)) return {};

    wire::Subscribe subscribe;
    subscribe.set_epoch(epoch_);
    if (same_epoch)
        for (const auto& track : tracks_) {
            if (!track->id || !track->in_epoch(epoch_item_.number)) continue;
            wire::TrackPosition& position = *subscribe.add_resume();
            position.set_track(track->id);
            position.set_name(track->name());
            position.set_next(track->next);
            position.set_objects(track->objects);
        }
    connection_->send(wire::FrameType::Subscribe, subscribe);
    return {};
}

void SubscriberCore::begin_epoch(SubscriberTrack& track, std::uint64_t start, std::uint64_t objects) {
    track.begin_epoch(
        CounterBlock::process().claim(CounterRole::Subscriber, config_.link.stream, track.name(), epoch_),
        epoch_item_, start, objects);
}

Result<void> SubscriberCore::on_subscribed(const wire::SubscribeOk& message) {
    if (!announced_ || subscribed_) return unexpected("an unexpected SUBSCRIBE_OK");
    if (message.epoch() != announced_epoch_)
        return unexpected("a SUBSCRIBE_OK for another epoch than it announced");
    std::set<std::uint32_t> ids;
    for (const auto& start : message.tracks())
        if (start.start() > start.head() || !ids.insert(start.track()).second)
            return unexpected("a SUBSCRIBE_OK that contradicts itself");
    subscribed_ = true;
    const bool first = epochs_ == 0;
    const bool new_epoch = message.epoch() != epoch_;
    if (new_epoch) {
        epoch_ = message.epoch();
        epoch_item_ = {epoch_, epochs_++, message.running_time()};
    }
    if (!first) ++reconnects_;
    Recovery recovery{.new_epoch = new_epoch, .epoch = epoch_};
    for (const auto& start : message.tracks()) {
        SubscriberTrack* track = find(start.track());
        if (!track) return unexpected("a SUBSCRIBE_OK for a track that was not announced");
        if (!track->in_epoch(epoch_item_.number)) {
            // What it never had of this epoch's, but was counted for, is a gap at the beginning.
            if (start.lost_objects() > start.objects() || start.objects() > start.start())
                return unexpected("a SUBSCRIBE_OK that contradicts itself");
            const std::uint64_t lost = start.lost_objects();
            begin_epoch(*track, start.start() - lost, start.objects() - lost);
            if (lost > 0) report_lost(*track, start, recovery);
            continue;
        }
        if (start.start() > track->next && start.lost_objects() > start.start() - track->next)
            return unexpected("a SUBSCRIBE_OK that contradicts itself");
        track->acknowledge_again();
        track->counters().add(Counter::Reconnects);
        track->replay_until = start.head();
        recovery.replayed += start.replay_objects();
        if (start.start() > track->next) report_lost(*track, start, recovery);
    }
    if (!first) recovery_ = recovery;
    arm_acknowledge();
    offer_reading();
    link_.ready();
    return {};
}

void SubscriberCore::report_lost(SubscriberTrack& track, const wire::TrackStart& start, Recovery& recovery) {
    wire::Gap gap;
    gap.set_first(track.next);
    gap.set_next(start.start());
    gap.set_lost_objects(start.lost_objects());
    gap.set_reason(start.reason());
    recovery.lost += gap.lost_objects();
    track.push_gap(gap);
    listener_.on_gap(track.name(), gap);
}

SubscriberTrack* SubscriberCore::find(std::uint32_t id) {
    if (found_ && id && found_->id == id) return found_;
    for (const auto& track : tracks_)
        if (id && track->id == id) return found_ = track.get();
    return nullptr;
}

// The track, where SUBSCRIBE_OK or a later ANNOUNCE said where it starts.
SubscriberTrack* SubscriberCore::started(std::uint16_t id) {
    SubscriberTrack* track = find(id);
    return track && subscribed_ && track->in_epoch(epoch_item_.number) ? track : nullptr;
}

Result<void> SubscriberCore::on_event(const wire::FramePrefix& prefix, std::span<const std::byte> body) {
    SubscriberTrack* track = started(prefix.track);
    if (!track) return unexpected("an EVENT on a track that is not subscribed");
    const bool snapshot = prefix.flags & wire::kSnapshot;
    if (!snapshot && prefix.sequence != track->next) {
        if (prefix.sequence < track->next) return {};  // replayed although it had arrived
        return unexpected("an EVENT out of sequence");
    }
    if (!snapshot && track->assembling()) return unexpected("an EVENT before the last object was complete");
    EventItem item;
    if (auto parsed = parse_body(prefix, body, item.event); !parsed) return parsed;
    item.snapshot = snapshot;
    if (!snapshot) data_arrived();
    const std::uint64_t cost = wire::kPrefixSize + body.size();
    count_in(cost);
    grown_ = track;
    track->push_event(std::move(item), prefix.sequence, cost);
    return {};
}

Result<void> SubscriberCore::on_gap(const wire::FramePrefix& prefix, const wire::Gap& gap) {
    SubscriberTrack* track = started(prefix.track);
    if (!track) return unexpected("a GAP on a track that is not subscribed");
    if (gap.first() != track->next || gap.next() <= gap.first() ||
        gap.lost_objects() > gap.next() - gap.first())
        return unexpected("a GAP out of sequence");
    data_arrived();
    track->push_gap(gap);
    listener_.on_gap(track->name(), gap);
    return {};
}

// --- Objects
// ------------------------------------------------------------------------------------------------------------

Result<std::optional<Landing>> SubscriberCore::on_object(const wire::FramePrefix& prefix,
                                                         const wire::ObjectHeader& header,
                                                         std::size_t chunk) {
    SubscriberTrack* track = started(prefix.track);
    if (!track) return unexpected("an OBJECT on a track that is not subscribed");
    const std::uint64_t body = header.body_length();
    if (body > config_.link.max_object_size) {
        const Error error{Errc::Invalid, "the sender sent an object of " + format_bytes(body) + " on \"" +
                                             track->name() + "\", more than max-object-size (" +
                                             format_bytes(config_.link.max_object_size) + "); raise it here"};
        reactor_->post([this, error, alive = alive_] {
            if (*alive && running_) link_.give_up(error);
        });
        return error;
    }
    if (chunk > body || (chunk < body) != ((prefix.flags & wire::kMore) != 0))
        return unexpected("an OBJECT whose lengths contradict each other");
    if (header.extension_length > wire::kMaxExtension)
        return unexpected("an OBJECT with more than 1 MiB of extension");
    if (track->assembling()) return unexpected("an OBJECT before the last one was complete");
    if (prefix.sequence < track->next) {
        ++track->total_doubled;
        track->counters().add(Counter::Doubled);
        return std::optional<Landing>{};
    }
    if (prefix.sequence > track->next) return unexpected("an OBJECT out of sequence");
    HeldBytes object = listener_.land(*track, header);
    if (!object || object.bytes().size() != header.payload_length)
        return Error{Errc::NoResource, "no memory for an object of " + format_bytes(header.payload_length)};
    track->begin_object(header, std::move(object));
    data_arrived();
    return std::optional(track->next_chunk(chunk));
}

Result<std::optional<Landing>> SubscriberCore::on_fragment(const wire::FramePrefix& prefix,
                                                           std::uint64_t offset, std::size_t chunk) {
    SubscriberTrack* track = started(prefix.track);
    if (!track) return unexpected("a FRAGMENT on a track that is not subscribed");
    if (prefix.sequence < track->next) return std::optional<Landing>{};
    if (!track->assembling() || prefix.sequence != track->next || offset != track->landed() ||
        chunk > track->missing() || (chunk < track->missing()) != ((prefix.flags & wire::kMore) != 0))
        return unexpected("a FRAGMENT that does not continue its object");
    return std::optional(track->next_chunk(chunk));
}

Result<void> SubscriberCore::on_chunk(const wire::FramePrefix& prefix) {
    SubscriberTrack* track = find(prefix.track);
    if (track && track->assembling() && track->missing() == 0) {
        count_in(track->assembly_bytes());
        grown_ = track;
        if (unnotified_ && unnotified_ != track) unnotified_->notify();
        unnotified_ = track;
        track->finish_object();
    }
    return {};
}

void SubscriberCore::on_parsed() {
    if (unnotified_) std::exchange(unnotified_, nullptr)->notify();
    if (grown_ && worth_telling(*grown_)) acknowledge();
}

void SubscriberCore::data_arrived() {
    arm_acknowledge();
    if (!recovery_) return;
    Recovery recovery = *std::exchange(recovery_, std::nullopt);
    if (lost_at_) recovery.downtime = reactor_->clock().now() - *lost_at_;
    lost_at_.reset();
    listener_.on_recovered(recovery);
}

void SubscriberCore::new_group_wanted(SubscriberTrack& track, bool all_headers, unsigned count) {
    reactor_->post([this, &track, all_headers, count, alive = alive_] {
        if (!*alive || !connection_ || !subscribed_ || !track.id) return;
        wire::NewGroup message;
        message.set_track(track.id);
        message.set_all_headers(all_headers);
        message.set_count(count);
        connection_->send(wire::FrameType::NewGroup, message);
    });
}

}  // namespace hawser::session
