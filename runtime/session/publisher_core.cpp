#include "runtime/session/publisher_core.h"

#include <algorithm>
#include <utility>

#include "runtime/base/log.h"

namespace hawser::session {
namespace {

constexpr std::size_t kReadBuffer = 2048;  // bytes: subscribers send little
// A track's encoder is asked for a keyframe at most this often; those who ask meanwhile share the answer.
constexpr Duration kGroupInterval = std::chrono::milliseconds(250);

std::string host_of(Client& client) {
    const std::string address = client.connection().peer_address();
    return address.substr(0, address.rfind(':'));
}

}  // namespace

std::unique_ptr<Publisher> Publisher::create(std::shared_ptr<io::Reactor> reactor, PublisherConfig config,
                                             PublisherListener& listener) {
    return std::make_unique<PublisherCore>(std::move(reactor), SystemRandom::instance(), std::move(config),
                                           listener);
}

PublisherCore::PublisherCore(std::shared_ptr<io::Reactor> reactor, Random& random, PublisherConfig config,
                             PublisherListener& listener)
    : reactor_(std::move(reactor)),
      config_(std::move(config)),
      listener_(listener),
      random_(random),
      link_(*reactor_, random_, config_.link, wire::ROLE_PUBLISHER, kReadBuffer, false, *this) {}

PublisherCore::~PublisherCore() {
    stop();
    reactor_->run([this] {
        *alive_ = false;
        reactor_->forget(*this);
    });
}

Result<TrackWriter*> PublisherCore::add_track(const std::string& name, std::uint8_t priority,
                                              Duration max_latency) {
    Result<TrackWriter*> result = Error{Errc::Internal, ""};
    reactor_->run([&] {
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
        const auto in_use = [this](std::uint16_t id) {
            return id == 0 || std::any_of(tracks_.begin(), tracks_.end(),
                                          [id](const auto& track) { return track->id() == id; });
        };
        while (in_use(next_track_)) ++next_track_;
        tracks_.push_back(std::make_unique<PublisherTrack>(static_cast<PublisherTrack::Owner&>(*this),
                                                           config_, reactor_->clock(), shared_, next_track_++,
                                                           name, priority, max_latency));
        tracks_.back()->begin_epoch(epoch());
        for (const auto& client : clients_) client->announce();
        update_acknowledged();
        result = static_cast<TrackWriter*>(tracks_.back().get());
    });
    return result;
}

void PublisherCore::remove_track(TrackWriter* writer) {
    writer->unlock();
    reactor_->run([&] {
        const auto at = std::find_if(tracks_.begin(), tracks_.end(),
                                     [writer](const auto& track) { return track.get() == writer; });
        if (at == tracks_.end()) return;
        // A client that was in the middle of one of its frames goes, and with it its place in clients_.
        std::vector<Client*> present;
        for (const auto& client : clients_) present.push_back(client.get());
        for (Client* client : present) client->forget(**at);
        const std::unique_ptr<PublisherTrack> gone = std::move(*at);
        tracks_.erase(at);
        for (const auto& client : clients_) client->announce();
    });
}

Result<void> PublisherCore::start() {
    Result<void> result;
    reactor_->run([&] {
        if (running_) return;
        epoch_.store(random_id(random_), std::memory_order_relaxed);
        for (const auto& track : tracks_) track->begin_epoch(epoch());
        shared_.subscribed = false;
        shared_.failed = false;
        result = link_.start();
        if (!result) return;
        running_ = true;
        shared_.stopped = false;
    });
    return result;
}

void PublisherCore::stop() {
    reactor_->run([this] {
        shared_.stopped = true;
        wake_writers();
        if (!running_) return;
        running_ = false;
        const bool ended =
            !tracks_.empty() &&
            std::all_of(tracks_.begin(), tracks_.end(), [](const auto& track) { return track->ended(); }) &&
            everything_acknowledged();
        for (const auto& client : clients_) {
            client->connection().leave(ended ? wire::GOAWAY_ENDED : wire::GOAWAY_STOPPED,
                                       ended ? "the stream has ended" : "the sender has stopped");
            listener_.on_client_removed(client->id(), "stopped");
        }
        // stop() may be called from nowhere inside a client's own call.
        clients_.clear();
        absent_.clear();
        num_clients_ = 0;
        reactor_->cancel(std::exchange(absent_timer_, 0));
        link_.stop();
        update_acknowledged();
    });
}

void PublisherCore::set_live(bool live) {
    shared_.live = live;
    reactor_->post([this, live, alive = alive_] {
        if (!*alive) return;
        live_ = live;
        update_acknowledged();
    });
}

void PublisherCore::reconnect() {
    reactor_->run([this] {
        std::vector<Client*> present;
        for (const auto& client : clients_) present.push_back(client.get());
        for (Client* client : present) client->connection().reset("reconnection asked for");
    });
}

PublisherStats PublisherCore::stats() const {
    PublisherStats stats;
    reactor_->run([&] {
        stats.epoch = epoch();
        stats.clients_total = next_client_ - 1;
        stats.reconnects = reconnects_;
        stats.skipped = skipped_;
        for (const auto& track : tracks_) stats.tracks.push_back(track->stats());
        for (const auto& client : clients_) stats.clients.push_back(client->stats());
    });
    return stats;
}

// --- Clients
// ------------------------------------------------------------------------------------------------------------

Result<void> PublisherCore::admit(const Peer& peer) {
    const bool returns = std::any_of(clients_.begin(), clients_.end(), [&](const auto& client) {
        return client->peer().session == peer.session;
    });
    for (const auto& client : clients_)
        if (client->peer().session == peer.session && client->peer().generation >= peer.generation)
            return Error{Errc::Busy, "this session has a newer connection already"};
    if (!returns && clients_.size() >= config_.max_clients)
        return Error{Errc::Busy, "the sender serves " + std::to_string(clients_.size()) +
                                     " receivers already (max-clients)"};
    return {};
}

void PublisherCore::meet(std::unique_ptr<Connection> connection, const Peer& peer) {
    // A new generation fences the old socket, which may not know yet that it is dead.
    std::vector<Client*> old;
    for (const auto& client : clients_)
        if (client->peer().session == peer.session) old.push_back(client.get());
    for (Client* client : old)
        client->connection().reset("replaced by a newer connection of the same session");
    if (absent_.contains(peer.session)) ++reconnects_;
    clients_.push_back(std::make_unique<Client>(static_cast<Client::Owner&>(*this), next_client_++,
                                                std::move(connection), peer));
    num_clients_ = static_cast<std::uint32_t>(clients_.size());
    listener_.on_client_added(clients_.back()->id(), clients_.back()->connection().peer_address());
}

const Client::Cursor* PublisherCore::position_of(std::uint64_t session, const PublisherTrack& track) const {
    const auto absent = absent_.find(session);
    if (absent == absent_.end()) return nullptr;
    const auto at = absent->second.cursors.find(track.id());
    return at == absent->second.cursors.end() ? nullptr : &at->second;
}

void PublisherCore::on_subscribed(Client& client) {
    // A newcomer from where one has gone is, more often than not, the same receiver started again.
    if (absent_.erase(client.peer().session) == 0)
        for (auto& [session, absent] : absent_)
            if (absent.host == host_of(client)) absent.replaced = true;
    link_.ready();
    update_acknowledged();
    if (!shared_.subscribed.exchange(true)) wake_writers();
}

void PublisherCore::on_client_closed(Client& client, const Closing& closing) {
    const auto at =
        std::find_if(clients_.begin(), clients_.end(), [&](const auto& one) { return one.get() == &client; });
    if (at == clients_.end()) return;
    // Inside the client's own call: it dies when that has returned.
    std::shared_ptr<Client> gone(std::move(*at));
    clients_.erase(at);
    num_clients_ = static_cast<std::uint32_t>(clients_.size());
    reactor_->post([gone] {});
    log().info("{}: client {} ({}) has gone: {}", config_.link.stream, gone->id(),
               gone->connection().peer_address(), closing.error.message);
    listener_.on_client_removed(gone->id(), closing.error.message);
    if (gone->subscribed() && closing.goaway != wire::GOAWAY_LEAVING && running_) {
        const bool superseded = std::any_of(clients_.begin(), clients_.end(), [&](const auto& one) {
            return one->peer().session == gone->peer().session;
        });
        if (!superseded && absent_.size() < config_.max_clients) {
            Absent& absent = absent_[gone->peer().session];
            for (const auto& cursor : gone->cursors()) {
                Client::Cursor& left = absent.cursors[cursor.track->id()] = cursor;
                left.track = nullptr;  // which may be removed meanwhile
            }
            absent.host = host_of(*gone);
            absent.until = reactor_->clock().now() + config_.max_block;
            if (!absent_timer_)
                absent_timer_ = reactor_->after(config_.max_block, [this] {
                    absent_timer_ = 0;
                    expire_absent();
                });
        }
    }
    update_acknowledged();
    if (link_.calling()) {
        const bool ended =
            closing.goaway == wire::GOAWAY_LEAVING &&
            std::all_of(tracks_.begin(), tracks_.end(), [](const auto& track) { return track->ended(); });
        if (ended && !tracks_.empty())
            link_.finished(closing.error.message);
        else if (running_)
            link_.lost(closing);
    } else if (std::none_of(clients_.begin(), clients_.end(),
                            [](const auto& one) { return one->subscribed(); })) {
        link_.vacated(closing.error.message);
    }
}

void PublisherCore::expire_absent() {
    const TimePoint now = reactor_->clock().now();
    std::erase_if(absent_, [now](const auto& one) { return one.second.until <= now; });
    TimePoint next = TimePoint::max();
    for (const auto& [session, absent] : absent_) next = std::min(next, absent.until);
    if (next != TimePoint::max())
        absent_timer_ = reactor_->after(next - now, [this] {
            absent_timer_ = 0;
            expire_absent();
        });
    update_acknowledged();
}

// --- Acknowledgements
// ---------------------------------------------------------------------------------------------------

void PublisherCore::on_acknowledged(Client&) {
    if (shared_.blocking || shared_.draining > 0) update_acknowledged();
}

void PublisherCore::acknowledgements_wanted() {
    reactor_->post([this, alive = alive_] {
        if (*alive) update_acknowledged();
    });
}

void PublisherCore::update_acknowledged() {
    const std::size_t present = static_cast<std::size_t>(std::count_if(
        clients_.begin(), clients_.end(), [](const auto& client) { return client->subscribed(); }));
    const std::size_t receivers =
        present > 0
            ? present
            : static_cast<std::size_t>(std::count_if(absent_.begin(), absent_.end(),
                                                     [](const auto& one) { return !one.second.replaced; }));
    shared_.present = present > 0;
    const bool blocking = config_.slow_client_policy == SlowClientPolicy::Block ||
                          (config_.slow_client_policy == SlowClientPolicy::Auto && !live_ && receivers == 1);
    const bool absent_block = config_.slow_client_policy == SlowClientPolicy::Block || present == 0;
    for (const auto& track : tracks_) {
        std::uint64_t here = ring::HistoryRing::kNone;
        std::uint64_t away = ring::HistoryRing::kNone;
        std::uint64_t handed = ring::HistoryRing::kNone;
        const auto count = [&](std::uint64_t& least, const Client::Cursor& cursor) {
            least = std::min(least, cursor.acked);
            handed = std::min(handed, cursor.handed);
        };
        for (const auto& client : clients_)
            for (const auto& cursor : client->cursors())
                if (cursor.track == track.get()) count(here, cursor);
        for (const auto& [session, absent] : absent_)
            if (const auto at = absent.cursors.find(track->id());
                !absent.replaced && at != absent.cursors.end())
                count(away, at->second);
        track->block_acked.store(absent_block ? std::min(here, away) : here, std::memory_order_release);
        track->drain_acked.store(handed, std::memory_order_release);
    }
    shared_.blocking = blocking;
    wake_writers();
}

bool PublisherCore::everything_acknowledged() const {
    return std::all_of(clients_.begin(), clients_.end(), [](const auto& client) {
        return std::all_of(
            client->cursors().begin(), client->cursors().end(),
            [](const Client::Cursor& cursor) { return cursor.handed >= cursor.track->ring().head(); });
    });
}

void PublisherCore::wake_writers() {
    for (const auto& track : tracks_) track->wake();
}

// --- The rest
// -----------------------------------------------------------------------------------------------------------

void PublisherCore::on_notified() {
    // Those who came first are not always served first.
    const std::size_t count = clients_.size();
    turn_.clear();
    for (std::size_t i = 0; i < count; ++i) turn_.push_back(clients_[(first_served_ + i) % count].get());
    if (count > 0) first_served_ = (first_served_ + 1) % count;
    for (Client* client : turn_)
        if (!client->connection().closed()) client->pump();
}

void PublisherCore::on_new_group_wanted(PublisherTrack& track, bool all_headers, unsigned count) {
    const TimePoint now = reactor_->clock().now();
    if (track.group_asked != TimePoint{} && now - track.group_asked < kGroupInterval) {
        // The answer to the last request may have come already: this one must not be forgotten, or whoever
        // asks waits for the encoder's next keyframe of its own accord, if there ever is one.
        const bool armed = track.group_pending.has_value();
        track.group_pending = track.ring().head();
        if (armed) return;
        reactor_->after(track.group_asked + kGroupInterval - now,
                        [this, id = track.id(), all_headers, count, alive = alive_] {
                            if (*alive && running_) ask_pending_group(id, all_headers, count);
                        });
        return;
    }
    track.group_asked = now;
    listener_.on_new_group_wanted(track.name(), all_headers, count);
}

void PublisherCore::ask_pending_group(std::uint16_t id, bool all_headers, unsigned count) {
    const auto at =
        std::find_if(tracks_.begin(), tracks_.end(), [id](const auto& track) { return track->id() == id; });
    if (at == tracks_.end() || !(*at)->group_pending) return;
    PublisherTrack& track = **at;
    const std::uint64_t since = *std::exchange(track.group_pending, std::nullopt);
    const ring::HistoryRing::ReadScope scope(track.ring());
    if (scope.next_group(since) == ring::HistoryRing::kNone) on_new_group_wanted(track, all_headers, count);
}

void PublisherCore::on_state(State now, State before, const std::string& reason) {
    listener_.on_state(now, before, reason);
}

void PublisherCore::on_failed(const Error& error) {
    shared_.failed = true;
    wake_writers();
    listener_.on_failed(error);
}

void PublisherCore::fail(const Error& error) {
    reactor_->post([this, error, alive = alive_] {
        if (*alive && running_) link_.give_up(error);
    });
}

void PublisherCore::warn(const Error& error) {
    reactor_->post([this, error, alive = alive_] {
        if (*alive && running_) listener_.on_warning(error);
    });
}

}  // namespace hawser::session
