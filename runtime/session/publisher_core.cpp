#include "runtime/session/publisher_core.h"

#include <algorithm>
#include <utility>

#include "runtime/base/log.h"

namespace hawser::session {
namespace {

constexpr std::size_t kReadBuffer = 2048;  // bytes: subscribers send little
// A track's encoder is asked for a keyframe at most this often; those who ask meanwhile share the answer.
constexpr Duration kGroupInterval = std::chrono::milliseconds(250);

}  // namespace

std::unique_ptr<Publisher> Publisher::create(std::vector<std::shared_ptr<io::Reactor>> reactors,
                                             PublisherConfig config, PublisherListener& listener) {
    return std::make_unique<PublisherCore>(std::move(reactors), SystemRandom::instance(), std::move(config),
                                           listener);
}

PublisherCore::PublisherCore(std::vector<std::shared_ptr<io::Reactor>> reactors, Random& random,
                             PublisherConfig config, PublisherListener& listener)
    : reactors_(std::move(reactors)),
      reactor_(*reactors_.front()),
      config_(std::move(config)),
      listener_(listener),
      random_(random),
      link_(reactor_, random_, config_.link, wire::ROLE_PUBLISHER, kReadBuffer, false, *this) {
    for (std::size_t i = 0; i < reactors_.size(); ++i)
        shards_.push_back(
            std::make_unique<PublisherShard>(static_cast<PublisherShard::Core&>(*this), reactors_[i], i));
}

PublisherCore::~PublisherCore() {
    stop();
    reactor_.run([this] { *alive_ = false; });
    for (auto& shard : shards_) shard->reactor().run([&] { shard.reset(); });
}

void PublisherCore::later(std::function<void()> task) {
    reactor_.post([alive = alive_, task = std::move(task)] {
        if (*alive) task();
    });
}

void PublisherCore::on_each(const std::function<void(PublisherShard&)>& task) const {
    for (const auto& shard : shards_) shard->reactor().run([&] { task(*shard); });
}

void PublisherCore::on_first(std::function<void()> task) {
    if (reactor_.in_reactor_thread())
        task();
    else
        later(std::move(task));
}

// --- Tracks
// -------------------------------------------------------------------------------------------------------------------------

Result<TrackWriter*> PublisherCore::add_track(const std::string& name, std::uint8_t priority,
                                              Duration max_latency) {
    PublisherTrack* added = nullptr;
    Result<TrackWriter*> result = Error{Errc::Internal, ""};
    reactor_.run([&] {
        for (const auto& track : tracks_)
            if (track->name() == name) {
                result = Error{Errc::Invalid, "there is a track \"" + name + "\" already"};
                return;
            }
        if (tracks_.size() >= wire::kMaxTracks) {
            result = Error{Errc::NoResource, "more than " + std::to_string(wire::kMaxTracks) + " tracks"};
            return;
        }
        if (name.empty() || name.size() > wire::kMaxTrackName) {
            result = Error{Errc::Invalid, "a track's name has 1 to " + std::to_string(wire::kMaxTrackName) +
                                              " bytes, not " + std::to_string(name.size())};
            return;
        }
        while (next_track_ == 0 || find(next_track_)) ++next_track_;
        tracks_.push_back(std::make_unique<PublisherTrack>(static_cast<PublisherTrack::Owner&>(*this),
                                                           config_, reactor_.clock(), shared_, next_track_++,
                                                           name, priority, max_latency, shards_.size()));
        added = tracks_.back().get();
        added->begin_epoch(epoch());
        result = static_cast<TrackWriter*>(added);
    });
    if (added) on_each([added](PublisherShard& shard) { shard.add_track(*added); });
    return result;
}

void PublisherCore::remove_track(TrackWriter* writer) {
    writer->unlock();
    std::unique_ptr<PublisherTrack> gone;
    reactor_.run([&] {
        const auto at = std::find_if(tracks_.begin(), tracks_.end(),
                                     [writer](const auto& track) { return track.get() == writer; });
        if (at == tracks_.end()) return;
        gone = std::move(*at);
        tracks_.erase(at);
    });
    if (gone) on_each([&](PublisherShard& shard) { shard.remove_track(*gone); });
}

PublisherTrack* PublisherCore::find(std::uint16_t id) const {
    const auto at =
        std::find_if(tracks_.begin(), tracks_.end(), [id](const auto& track) { return track->id() == id; });
    return at == tracks_.end() ? nullptr : at->get();
}

void PublisherCore::published(std::uint64_t bytes) {
    for (const auto& shard : shards_) shard->published(bytes);
}

void PublisherCore::wake_writers() {
    for (const auto& track : tracks_) track->wake();
}

// --- The whole
// ----------------------------------------------------------------------------------------------------------------------

Result<void> PublisherCore::start() {
    Result<void> result;
    bool begun = false;
    reactor_.run([&] {
        if (running_) return;
        begun = true;
        epoch_.store(random_id(random_), std::memory_order_relaxed);
        for (const auto& track : tracks_) track->begin_epoch(epoch());
        shared_.subscribed = false;
        shared_.failed = false;
    });
    if (!begun) return result;
    on_each([](PublisherShard& shard) { shard.start(); });
    reactor_.run([&] {
        result = link_.start();
        if (!result) return;
        running_ = true;
        shared_.stopped = false;
    });
    if (!result) on_each([](PublisherShard& shard) { shard.stop(wire::GOAWAY_STOPPED, ""); });
    return result;
}

void PublisherCore::stop() {
    bool was_running = false;
    bool ended = false;
    reactor_.run([&] {
        shared_.stopped = true;
        wake_writers();
        was_running = std::exchange(running_, false);
        ended = !tracks_.empty() &&
                std::all_of(tracks_.begin(), tracks_.end(), [](const auto& track) { return track->ended(); });
    });
    if (!was_running) return;
    on_each([&](PublisherShard& shard) { ended = ended && shard.everything_acknowledged(); });
    on_each([&](PublisherShard& shard) {
        if (ended)
            shard.stop(wire::GOAWAY_ENDED, "the stream has ended");
        else
            shard.stop(wire::GOAWAY_STOPPED, "the sender has stopped");
    });
    reactor_.run([this] { link_.stop(); });
    receivers_changed();
}

void PublisherCore::set_live(bool live) {
    shared_.live = live;
    can_wait_ = !live;
    receivers_changed();
    acknowledgements_wanted();
}

void PublisherCore::reconnect() {
    on_each([](PublisherShard& shard) { shard.reset_all("reconnection asked for"); });
}

PublisherStats PublisherCore::stats() const {
    PublisherStats stats;
    reactor_.run([&] {
        for (const auto& track : tracks_) stats.tracks.push_back(track->stats());
        stats.turned_away = turned_away_ + link_.crowded_out();
    });
    stats.epoch = epoch();
    stats.clients_total = clients_total_;
    on_each([&](const PublisherShard& shard) { shard.add_to(stats); });
    return stats;
}

// --- Peers
// --------------------------------------------------------------------------------------------------------------------------

PublisherShard& PublisherCore::shard_of(std::uint64_t session) const {
    return *shards_[session % shards_.size()];
}

Result<void> PublisherCore::admit(const Peer& peer) {
    PublisherShard& shard = shard_of(peer.session);
    if (&shard.reactor() != &reactor_) return {};  // it is asked when the connection is there
    return shard.admit(peer);
}

void PublisherCore::meet(std::unique_ptr<Connection> connection, const Peer& peer) {
    PublisherShard& shard = shard_of(peer.session);
    if (&shard.reactor() == &reactor_) return shard.meet(std::move(connection), peer);
    // Not while the connection reads.
    later([this, &shard, held = std::make_shared<std::unique_ptr<Connection>>(std::move(connection)), peer] {
        move_to(shard, std::move(*held), peer);
    });
}

void PublisherCore::move_to(PublisherShard& shard, std::unique_ptr<Connection> connection, const Peer& peer) {
    Fd socket = connection->detach();
    if (!socket) return;
    // The core outlives what was posted to its shards: its destructor waits behind it.
    auto held = std::make_shared<std::pair<std::unique_ptr<Connection>, Fd>>(std::move(connection),
                                                                             std::move(socket));
    shard.reactor().post([&shard, held, peer] {
        Connection* const moved = held->first.get();
        if (auto attached = moved->attach(shard.reactor(), std::move(held->second)); !attached) {
            log().warn("lost {} on its way to another reactor: {}", peer.agent, attached.error().message);
        } else if (auto admitted = shard.admit(peer); !admitted) {
            moved->refuse(admitted.error(), wire::ERROR_BUSY);
        } else {
            shard.meet(std::move(held->first), peer);
        }
    });
}

std::uint64_t PublisherCore::client_added(const std::string& address) {
    std::uint32_t present = num_clients_;
    do {
        if (present >= config_.max_clients) return 0;
    } while (!num_clients_.compare_exchange_weak(present, present + 1));
    const std::uint64_t id = clients_total_.fetch_add(1) + 1;
    listener_.on_client_added(id, address);
    return id;
}

void PublisherCore::client_removed(std::uint64_t id, const std::string& reason) {
    num_clients_.fetch_sub(1);
    listener_.on_client_removed(id, reason);
}

std::uint32_t PublisherCore::subscribed() const {
    std::uint32_t count = 0;
    for (const auto& shard : shards_) count += shard->subscribed();
    return count;
}

void PublisherCore::client_subscribed() {
    on_first([this] {
        link_.ready();
        if (!shared_.subscribed.exchange(true)) wake_writers();
    });
}

void PublisherCore::client_closed(const Closing& closing) {
    on_first([this, closing] {
        if (!link_.calling()) {
            if (subscribed() == 0) link_.vacated(closing.error.message);
            return;
        }
        const bool ended =
            closing.goaway == wire::GOAWAY_LEAVING && !tracks_.empty() &&
            std::all_of(tracks_.begin(), tracks_.end(), [](const auto& track) { return track->ended(); });
        if (ended)
            link_.finished(closing.error.message);
        else if (running_)
            link_.lost(closing);
    });
}

void PublisherCore::receivers_changed() {
    bool recount = false;
    {
        const std::lock_guard lock(policy_mutex_);
        const std::uint32_t present = subscribed();
        std::uint32_t awaited = 0;
        for (const auto& shard : shards_) awaited += shard->awaited();
        const std::uint32_t receivers = present > 0 ? present : awaited;
        const SlowClientPolicy policy = config_.slow_client_policy;
        const bool blocking = policy == SlowClientPolicy::Block ||
                              (policy == SlowClientPolicy::Auto && can_wait_ && receivers == 1);
        const bool absent_block = policy == SlowClientPolicy::Block || present == 0;
        shared_.present = present > 0;
        recount = shared_.blocking.exchange(blocking) != blocking;
        recount = (shared_.absent_block.exchange(absent_block) != absent_block) || recount || blocking;
    }
    if (recount || shared_.draining > 0) acknowledgements_wanted();
}

void PublisherCore::acknowledgements_wanted() {
    for (const auto& shard : shards_) shard->want_acknowledgements();
}

// --- New groups
// ---------------------------------------------------------------------------------------------------------------------

void PublisherCore::new_group_wanted(PublisherTrack& track, bool all_headers, unsigned count) {
    on_first([this, id = track.id(), all_headers, count] { ask_for_group(id, all_headers, count); });
}

void PublisherCore::ask_for_group(std::uint16_t id, bool all_headers, unsigned count) {
    PublisherTrack* const track = find(id);
    if (!track || !running_) return;
    const TimePoint now = reactor_.clock().now();
    if (track->group_asked != TimePoint{} && now - track->group_asked < kGroupInterval) {
        // The answer to the last request may have come already: this one must not be forgotten, or whoever
        // asks waits for the encoder's next keyframe of its own accord, if there ever is one.
        const bool armed = track->group_pending.has_value();
        track->group_pending = track->ring().head();
        if (armed) return;
        reactor_.after(track->group_asked + kGroupInterval - now,
                       [this, id, all_headers, count, alive = alive_] {
                           if (*alive && running_) ask_pending_group(id, all_headers, count);
                       });
        return;
    }
    track->group_asked = now;
    listener_.on_new_group_wanted(track->name(), all_headers, count);
}

void PublisherCore::ask_pending_group(std::uint16_t id, bool all_headers, unsigned count) {
    PublisherTrack* const track = find(id);
    if (!track || !track->group_pending) return;
    const std::uint64_t since = *std::exchange(track->group_pending, std::nullopt);
    const ring::HistoryRing::ReadScope scope(track->ring());
    if (scope.next_group(since) == ring::HistoryRing::kNone) ask_for_group(id, all_headers, count);
}

// --- The rest
// -----------------------------------------------------------------------------------------------------------------------

void PublisherCore::on_state(State now, State before, const std::string& reason) {
    listener_.on_state(now, before, reason);
}

void PublisherCore::on_failed(const Error& error) {
    shared_.failed = true;
    wake_writers();
    listener_.on_failed(error);
}

void PublisherCore::fail(const Error& error) {
    later([this, error] {
        if (running_) link_.give_up(error);
    });
}

void PublisherCore::warn(const Error& error) {
    later([this, error] {
        if (running_) listener_.on_warning(error);
    });
}

}  // namespace hawser::session
