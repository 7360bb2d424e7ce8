#include "runtime/session/publisher_shard.h"

#include <algorithm>
#include <array>
#include <utility>

#include "runtime/base/fence.h"
#include "runtime/base/log.h"

namespace hawser::session {
namespace {

// Published and not looked at yet, bytes: more than is worth waiting for. With the object that makes it
// enough it fills two of TCP's largest packets (65,483 bytes on the loopback, 65,160 on Ethernet). No more
// than this part of what a ring may hold, either: while a reactor rests, nobody shall lose anything, nor a
// writer wait for room.
constexpr std::uint64_t kEnough = 126 * 1024;
constexpr unsigned kEnoughPart = 4;

std::uint64_t ends_a_rest(const PublisherConfig& config) {
    constexpr std::uint64_t kLeastObject = wire::kPrefixSize + wire::kObjectHeaderSize;
    return std::min(
        {kEnough, config.max_bytes / kEnoughPart, config.max_objects * kLeastObject / kEnoughPart});
}

// Up to so many clients, a streaming thread sends by itself while the reactor sleeps.
constexpr std::uint32_t kFew = 4;
// Of whom acknowledgements are wanted earlier than by the interval, bytes.
constexpr std::uint64_t kAcknowledgeBytes = 1 << 20;
// … unless it is more than this, bytes, which others should not have to wait for.
constexpr std::uint64_t kByItself = 256 * 1024;
// How often clients are looked after who do not ask for it: whether they live, and take what they get.
constexpr Duration kCheckEvery = std::chrono::milliseconds(250);
// One turn: so many clients at most, and so many different things to be sent to them.
constexpr std::size_t kMaxWrites = 256;
constexpr std::size_t kMaxPlans = 16;

std::string host_of(Client& client) {
    const std::string address = client.connection().peer_address();
    return address.substr(0, address.rfind(':'));
}

}  // namespace

PublisherShard::PublisherShard(Core& core, std::shared_ptr<io::Reactor> reactor, std::size_t index)
    : core_(core),
      config_(core.config()),
      reactor_(std::move(reactor)),
      index_(index),
      enough_(ends_a_rest(config_)),
      small_ring_(enough_ < kEnough),
      coalescing_(config_.max_coalesce) {}

PublisherShard::~PublisherShard() {
    stop_resting();
    reactor_->forget(*this);
}

// --- Coming and going
// -------------------------------------------------------------------------------------------------------------

void PublisherShard::start() {
    running_ = true;
    announcement_.clear();
    heads_ = ring::HistoryRing::kNone;
    check_timer_ = reactor_->after(kCheckEvery, [this] { check_all(); });
}

void PublisherShard::stop(wire::GoawayReason reason, const std::string& text) {
    if (!running_) return;
    end_nap();
    running_ = false;
    reactor_->cancel(std::exchange(check_timer_, 0));
    reactor_->cancel(std::exchange(absent_timer_, 0));
    stop_resting();
    for (Client& client : clients_) {
        client.connection().leave(reason, text);
        core_.client_removed(client.id(), "stopped");
    }
    // stop() may be called from nowhere inside a client's own call.
    clients_.clear();
    absent_.clear();
    losses_.forget_all();
    present_ = 0;
    subscribed_ = 0;
    awaited_ = 0;
    update_acknowledged();
}

void PublisherShard::add_track(PublisherTrack& track) {
    views_.push_back(std::make_unique<TrackView>(track, index_));
    announce();
    want_acknowledgements();
}

void PublisherShard::remove_track(PublisherTrack& track) {
    const auto at =
        std::find_if(views_.begin(), views_.end(), [&](const auto& view) { return &view->track == &track; });
    if (at == views_.end()) return;
    end_nap();
    {
        const OpenViews open(views_);
        for (Client& client : clients_) client.forget(track);
    }
    losses_.forget_track(track.id());
    views_.erase(at);
    announce();
}

void PublisherShard::announce() {
    announcement_.clear();
    told_ = asked();
    for (Client& client : clients_) {
        client.announce();
        if (client.subscribed()) on_more_to_send(client);
    }
}

// Acknowledgements matter while the publisher blocks, which it does for few, and at the end of the stream,
// which is acknowledged at once. A source that waits for room in a small ring should not wait for an
// interval.
PublisherShard::Asked PublisherShard::asked() const {
    const std::uint32_t clients = core_.num_clients();
    if (clients > 64) return {clients <= 512 ? 250u : 1000u, 0, 0};
    if (clients > kFew) return {clients <= 8 ? 10u : 50u, 0, 0};
    const SlowClientPolicy policy = config_.slow_client_policy;
    const bool may_wait =
        policy == SlowClientPolicy::Block || (policy == SlowClientPolicy::Auto && clients <= 1 && !live());
    if (!may_wait) return {10, kAcknowledgeBytes, 0};
    return {10, std::clamp<std::uint64_t>(config_.max_bytes / kEnoughPart, 1, kAcknowledgeBytes),
            std::max(1U, config_.max_objects / kEnoughPart)};
}

const std::string& PublisherShard::announcement() const {
    if (announcement_.empty()) {
        wire::Announce message;
        message.set_epoch(epoch());
        const Asked want = asked();
        message.set_ack_interval(want.interval);
        message.set_ack_bytes(want.bytes);
        message.set_ack_entries(want.entries);
        for (const auto& view : views_) {
            wire::TrackInfo& info = *message.add_tracks();
            info.set_id(view->track.id());
            info.set_name(view->track.name());
            info.set_priority(view->track.priority());
        }
        append_frame(announcement_, wire::FrameType::Announce, message);
    }
    return announcement_;
}

Error PublisherShard::turn_away() const {
    core_.client_turned_away();
    return {Errc::Busy,
            "the sender serves " + std::to_string(core_.num_clients()) + " receivers already (max-clients)"};
}

Result<void> PublisherShard::admit(const Peer& peer) const {
    const Client* const known = clients_.find(peer.session);
    if (known && known->generation() >= peer.generation)
        return Error{Errc::Busy, "this session has a newer connection already"};
    if (!known && core_.num_clients() >= config_.max_clients) return turn_away();
    return {};
}

void PublisherShard::meet(std::unique_ptr<Connection> connection, const Peer& peer) {
    if (!running_) {
        // It may be inside its own call: it dies when that has returned.
        connection->leave(wire::GOAWAY_STOPPED, "the sender has stopped");
        reactor_->post([held = std::shared_ptr<Connection>(std::move(connection))] {});
        return;
    }
    // A new generation fences the old socket, which may not know yet that it is dead.
    if (Client* const old = clients_.find(peer.session))
        old->connection().reset("replaced by a newer connection of the same session");
    present_.fetch_add(1);
    if (absent_.contains(peer.session)) ++reconnects_;
    const Asked before = asked();
    const std::uint64_t id = core_.client_added(connection->peer_address());
    if (id == 0) {  // another shard has taken the last place since this one was admitted
        present_.fetch_sub(1);
        connection->refuse(turn_away(), wire::ERROR_BUSY);
        reactor_->post([held = std::shared_ptr<Connection>(std::move(connection))] {});
        return;
    }
    if (asked() != before) announcement_.clear();
    clients_.add(
        std::make_unique<Client>(static_cast<Client::Owner&>(*this), id, std::move(connection), peer));
}

const Cursor* PublisherShard::position_of(std::uint64_t session, const PublisherTrack& track) const {
    const auto absent = absent_.find(session);
    if (absent == absent_.end()) return nullptr;
    const auto at = absent->second.cursors.find(track.id());
    return at == absent->second.cursors.end() ? nullptr : &at->second;
}

void PublisherShard::on_waiting(Client& client) {
    move_to(waiting_, client);
    somebody_takes();
}

void PublisherShard::on_subscribed(Client& client) {
    // A newcomer from where one has gone is, more often than not, the same receiver started again.
    if (!absent_.empty() && absent_.erase(client.session()) == 0) {
        const std::string host = host_of(client);
        for (auto& [session, absent] : absent_)
            if (absent.host == host) absent.replaced = true;
    }
    // Until acknowledgements are counted again.
    for (const Cursor& cursor : client.cursors())
        cursor.view->track.progress(index_).lower(cursor.acked, cursor.handed);
    subscribed_.fetch_add(1);
    want_acknowledgements();
    count_absent();
    // Before the first writer is let go: it must know by then whether it has to wait.
    core_.receivers_changed();
    core_.client_subscribed();
}

void PublisherShard::on_client_closed(Client& client, const Closing& closing) {
    if (clients_.find(client.session()) != &client) return;
    // Inside the client's own call: it dies when that has returned.
    std::shared_ptr<Client> gone(clients_.take(client));
    present_.fetch_sub(1);
    gone->ClientHook::unlink();
    reactor_->post([gone] {});
    log().info("{}: client {} ({}) has gone: {}", config_.link.stream, gone->id(),
               gone->connection().peer_address(), closing.error.message);
    core_.client_removed(gone->id(), closing.error.message);
    if (gone->subscribed()) {
        subscribed_.fetch_sub(1);
        if (closing.goaway != wire::GOAWAY_LEAVING && running_ && absent_.size() < config_.max_clients)
            leave_absent(*gone);
        want_acknowledgements();
    }
    core_.receivers_changed();
    core_.client_closed(closing);
}

void PublisherShard::leave_absent(Client& client) {
    Absent& absent = absent_[client.session()];
    for (const Cursor& cursor : client.cursors()) {
        Cursor& left = absent.cursors[cursor.track().id()] = cursor;
        left.view = nullptr;  // which may be removed meanwhile
    }
    absent.host = host_of(client);
    absent.until = saturating_add(reactor_->clock().now(), config_.max_block);
    count_absent();
    if (!absent_timer_)
        absent_timer_ = reactor_->after(config_.max_block, [this] {
            absent_timer_ = 0;
            expire_absent();
        });
}

void PublisherShard::count_absent() {
    awaited_ = static_cast<std::uint32_t>(
        std::count_if(absent_.begin(), absent_.end(), [](const auto& one) { return !one.second.replaced; }));
}

void PublisherShard::expire_absent() {
    const TimePoint now = reactor_->clock().now();
    if (std::erase_if(absent_, [now](const auto& one) { return one.second.until <= now; }) > 0)
        forgotten_at_ = now;
    TimePoint next = TimePoint::max();
    for (const auto& [session, absent] : absent_) next = std::min(next, absent.until);
    if (next != TimePoint::max())
        absent_timer_ = reactor_->after(next - now, [this] {
            absent_timer_ = 0;
            expire_absent();
        });
    count_absent();
    core_.receivers_changed();
}

void PublisherShard::reset_all(const std::string& why) {
    clients_.for_each([&why](Client& client) { client.connection().reset(why); });
}

void PublisherShard::check_all() {
    check_timer_ = reactor_->after(kCheckEvery, [this] { check_all(); });
    const TimePoint now = reactor_->clock().now();
    // Who came when there were few, or many, goes on acknowledging as often as was right then.
    if (!clients_.empty() && asked() != told_) announce();
    const OpenViews open(views_);
    clients_.for_each([now](Client& client) { client.check(now); });
}

// --- Acknowledgements
// -------------------------------------------------------------------------------------------------------------

// Whether anybody waits for them.
bool PublisherShard::acknowledgements_count() const {
    return core_.shared().blocking || core_.shared().draining > 0;
}

void PublisherShard::on_acknowledged(Client& client) {
    for (const Cursor& cursor : client.cursors())
        losses_.confirm(client.session(), cursor.track().id(), cursor.handed);
    if (acknowledgements_count() || clients_.size() <= kFew) want_acknowledgements();
}

void PublisherShard::want_acknowledgements() {
    if (!acknowledgements_dirty_.exchange(true)) reactor_->notify(*this);
}

void PublisherShard::update_acknowledged() {
    const bool absent_block = core_.shared().absent_block;
    for (const auto& view : views_) {
        constexpr std::uint64_t kNone = ring::HistoryRing::kNone;
        std::uint64_t here = kNone, away = kNone, handed = kNone;
        for (const Client& client : clients_)
            for (const Cursor& cursor : client.cursors())
                if (cursor.view == view.get()) {
                    here = std::min(here, cursor.acked);
                    handed = std::min(handed, cursor.handed);
                }
        for (const auto& [session, absent] : absent_) {
            const auto at = absent.cursors.find(view->track.id());
            if (absent.replaced || at == absent.cursors.end()) continue;
            away = std::min(away, at->second.acked);
            handed = std::min(handed, at->second.handed);
        }
        view->track.progress(index_).set(absent_block ? std::min(here, away) : here, handed);
    }
    update_wanted();
    update_sent();
    for (const auto& view : views_) view->track.wake();
}

// While all who were ever here are here, or have left for good, it is known what may still be wanted. With
// many, it is not worth finding out: what they share is in the caches when it is sent.
void PublisherShard::update_wanted() {
    // Before that the tracks' rings are made anew, on the first reactor.
    if (!running_) return;
    const bool all_here = absent_.empty() && (forgotten_at_ == TimePoint{} ||
                                              reactor_->clock().now() - forgotten_at_ > config_.max_time);
    const bool known = all_here && clients_.size() <= kFew && subscribed() > 0;
    if (known) {
        const OpenViews open(views_);
        join(views_, starts_);
    }
    for (std::size_t i = 0; i < views_.size(); ++i) {
        std::uint64_t wanted = all_here && clients_.empty() ? ring::HistoryRing::kNone : 0;
        if (known) {
            wanted = starts_[i].sequence;
            for (const Client& client : clients_)
                for (const Cursor& cursor : client.cursors())
                    if (cursor.view == views_[i].get()) wanted = std::min(wanted, cursor.acked);
        }
        views_[i]->track.progress(index_).set_wanted(wanted);
    }
}

// Only the source of a single track is held up by what has not been sent: with several, it might have to
// bring something on another one first.
void PublisherShard::update_sent() {
    std::uint64_t sent = ring::HistoryRing::kNone;
    if (views_.size() == 1 && clients_.size() <= kFew)
        for (const Client& client : clients_)
            for (const Cursor& cursor : client.cursors()) sent = std::min(sent, cursor.next);
    for (const auto& view : views_) {
        view->track.progress(index_).set_sent(sent);
        view->track.wake_if_sent();
    }
}

bool PublisherShard::everything_acknowledged() const {
    return std::all_of(clients_.begin(), clients_.end(), [](const Client& client) {
        const auto cursors = client.cursors();
        return std::all_of(cursors.begin(), cursors.end(), [](const Cursor& cursor) {
            return cursor.handed >= cursor.view->track.ring().head();
        });
    });
}

// --- Turns
// ------------------------------------------------------------------------------------------------------------------------

void PublisherShard::published(std::uint64_t bytes) {
    // Dekker with meet(), stop_resting() and somebody_takes(): the ring's head first, then a look at who is
    // there; they the other way round.
    full_fence();
    if (present_.load(std::memory_order_relaxed) == 0 || all_full_.load(std::memory_order_relaxed)) return;
    const std::uint64_t pending = bytes - served_bytes_.load(std::memory_order_relaxed);
    const bool enough = pending >= enough_;
    if (!enough && resting_.load(std::memory_order_relaxed)) return;
    // Whoever would have to wake a reactor from its rest sends for the same price. A reactor at work is not
    // asked for more at once: so it comes to rest, and one thread is enough for both. But a small ring may be
    // full before that.
    const bool few = present_.load(std::memory_order_relaxed) <= kFew;
    const bool by_itself =
        pending <= kByItself && ((enough && few) || stand_in_.load(std::memory_order_relaxed));
    if (by_itself && reactor_->try_enter()) {
        take_turn(enough);
        reactor_->leave();
    } else if (enough && (!by_itself || small_ring_)) {
        reactor_->notify(*this);
    } else {
        reactor_->notify_lazily(*this);
    }
}

void PublisherShard::move_to(ClientList& list, Client& client) {
    client.ClientHook::unlink();
    list.push_back(client);
}

void PublisherShard::on_more_to_send(Client& client) {
    move_to(ready_, client);
    somebody_takes();
}

// There may be something for somebody.
void PublisherShard::somebody_takes() {
    all_full_.store(false, std::memory_order_relaxed);
    full_fence();
    reactor_->notify(*this);
}

void PublisherShard::on_notified() {
    take_turn(false);
}

void PublisherShard::take_turn(bool comes_again) {
    if (acknowledgements_dirty_.exchange(false)) update_acknowledged();
    if (!running_) return;
    const std::uint64_t bytes = core_.shared().published_bytes.load(std::memory_order_relaxed);
    // The end of the stream waits for nothing: drain() would run out of patience.
    const bool draining = core_.shared().draining.load(std::memory_order_relaxed) > 0;
    const bool enough = draining || bytes - served_bytes_ >= enough_;
    if (resting_ && enough) stop_resting();
    const TimePoint now = reactor_->clock().now();
    // An acknowledgement has ended a nap early; what there is to send is the writer's, who is on its way.
    if (now < naps_until_ && !enough && ready_.empty() && pass_.empty()) {
        reactor_->notify_lazily(*this);
        return reactor_->nap(naps_until_ - now);
    }
    if (pass_.empty()) {
        if (!resting_) notice_new(bytes);
        pass_.splice(pass_.end(), ready_);
    }
    serve(now, comes_again);
    // Until one of them has room again, nobody need tell us of anything new.
    all_full_.store(pass_.empty() && ready_.empty() && idle_.empty() && waiting_.empty(),
                    std::memory_order_relaxed);
}

// What waits for a nap's end goes out now.
void PublisherShard::end_nap() {
    naps_until_ = {};
    take_turn(false);
}

// Of all tracks together.
std::uint64_t PublisherShard::heads() const {
    std::uint64_t sum = 0;
    for (const auto& view : views_) sum += view->track.ring().head();
    return sum;
}

// Who has got all that there was may have something to get now.
void PublisherShard::notice_new(std::uint64_t bytes) {
    const std::uint64_t now = heads();
    if (now == heads_) return;
    heads_ = now;
    served_bytes_.store(bytes, std::memory_order_relaxed);
    ready_.splice(ready_.end(), idle_);
    if (waiting_.empty()) return;
    std::vector<Client*> waiting;
    for (Client& client : waiting_) waiting.push_back(&client);
    for (Client* client : waiting) client->look_for_fresh_groups();
}

void PublisherShard::serve(TimePoint now, bool comes_again) {
    // A thread's turns are one after the other, whosever they are.
    static thread_local std::array<Plan, kMaxPlans> plans;
    static thread_local std::array<io::Write, kMaxWrites> writes;
    struct Turn {
        Client* client;
        const Plan* plan;
    };
    static thread_local std::array<Turn, kMaxWrites> turns;
    static thread_local std::array<std::vector<iovec>, kMaxWrites>
        escorted;  // where not the plan's parts only
    if (pass_.empty()) return;
    {
        const OpenViews open(views_);
        std::size_t count = 0, planned = 0;
        while (!pass_.empty() && count < kMaxWrites) {
            Client& client = pass_.front();
            client.ClientHook::unlink();
            if (!client.prepare(now)) continue;  // on_room() brings it back
            Plan* plan = planned > 0 ? &plans[planned - 1] : nullptr;
            if (!plan || !client.shares(*plan)) {
                if (planned == kMaxPlans) {
                    pass_.push_front(client);
                    break;
                }
                plan = &plans[planned++];
                client.plan(*plan);
            }
            if (plan->empty()) {
                idle_.push_back(client);
                continue;
            }
            std::span<const iovec> parts = plan->parts();
            if (const auto escort = client.connection().escort(now); !escort.empty()) {
                auto& all = escorted[count];
                all.assign(1, {const_cast<std::byte*>(escort.data()), escort.size()});
                all.insert(all.end(), parts.begin(), parts.end());
                parts = all;
            }
            writes[count] = {&client.connection().stream(), parts, {}};
            turns[count++] = {&client, plan};
        }
        if (count > 0) reactor_->write_all(std::span(writes.data(), count));
        for (std::size_t i = 0; i < count; ++i) {
            Client& client = *turns[i].client;
            client.sent(*turns[i].plan, writes[i].result, now);
            if (client.connection().blocked()) continue;
            (client.caught_up() && !client.connection().backlogged() ? idle_ : ready_).push_back(client);
        }
    }
    update_sent();
    if (!pass_.empty() || !ready_.empty()) return reactor_->notify(*this);
    rest_if_worth_it(now, comes_again);
    // What came during the pass has been announced already, and not been looked at.
    if (!resting_ && heads() != heads_) reactor_->notify_lazily(*this);
}

void PublisherShard::rest_if_worth_it(TimePoint now, bool comes_again) {
    std::uint64_t objects = 0;
    for (const auto& view : views_) objects += view->track.ring().objects();
    const Duration rest = std::min(coalescing_.rest(now, reactor_->busy_ns(), objects, comes_again),
                                   config_.max_time / kEnoughPart);
    stand_in_.store(rest == Duration::zero() && present_.load(std::memory_order_relaxed) <= kFew,
                    std::memory_order_relaxed);
    if (rest < std::chrono::milliseconds(1)) {
        naps_until_ = now + rest;
        if (rest > Duration::zero()) reactor_->nap(rest);
        return;
    }
    if (resting_) return;
    resting_.store(true);
    rest_timer_ = reactor_->after(rest, [this] {
        rest_timer_ = 0;
        resting_.store(false);
        on_notified();
    });
}

void PublisherShard::stop_resting() {
    reactor_->cancel(std::exchange(rest_timer_, 0));
    resting_.store(false);
}

// --- What clients tell
// ------------------------------------------------------------------------------------------------------------

void PublisherShard::on_new_group_wanted(PublisherTrack& track, bool all_headers, unsigned count) {
    core_.new_group_wanted(track, all_headers, count);
}

void PublisherShard::on_resumed(const Client& client, const PublisherTrack& track, std::uint64_t next) {
    losses_.come_back(client.session(), track.id(), next);
}

void PublisherShard::on_lost(const Client& client, const PublisherTrack& track, std::uint64_t first,
                             std::uint64_t objects, wire::GapReason reason) {
    losses_.tell(client.session(), track.id(), first, objects, reason);
}

void PublisherShard::add_to(PublisherStats& stats) const {
    stats.reconnects += reconnects_;
    const Losses::ByReason& lost = losses_.by_reason();
    for (std::size_t reason = 0; reason < lost.size(); ++reason) {
        stats.skipped += lost[reason];
        stats.skipped_by_reason[reason] += lost[reason];
    }
    for (const Client& client : clients_) stats.clients.push_back(client.stats());
}

}  // namespace hawser::session
