// The publisher behind publisher.h: its tracks, its way to its peers, and the shards that serve them.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/base/random.h"
#include "runtime/session/link.h"
#include "runtime/session/publisher.h"
#include "runtime/session/publisher_shard.h"
#include "runtime/session/publisher_track.h"

namespace hawser::session {

class PublisherCore final : public Publisher,
                            private Link::User,
                            private PublisherShard::Core,
                            private PublisherTrack::Owner {
  public:
    // At least one reactor; the first has the link.
    PublisherCore(std::vector<std::shared_ptr<io::Reactor>> reactors, Random& random, PublisherConfig config,
                  PublisherListener& listener);
    ~PublisherCore() override;

    Result<TrackWriter*> add_track(const std::string& name, std::uint8_t priority,
                                   Duration max_latency) override;
    void remove_track(TrackWriter* track) override;
    Result<void> start() override;
    void stop() override;
    void set_live(bool live) override;
    void reconnect() override;
    State state() const override { return link_.state(); }
    std::uint32_t num_clients() const override { return num_clients_.load(std::memory_order_relaxed); }
    std::uint16_t port() const override { return link_.port(); }
    std::uint64_t epoch() const override { return epoch_.load(std::memory_order_relaxed); }
    PublisherStats stats() const override;

  private:
    // Link::User
    void introduce(Peer& self) override { self.epoch = epoch(); }
    Result<void> admit(const Peer& peer) override;
    std::size_t most_peers() const override { return config_.max_clients; }
    void meet(std::unique_ptr<Connection> connection, const Peer& peer) override;
    void on_state(State now, State before, const std::string& reason) override;
    void on_warning(const Error& error) override { listener_.on_warning(error); }
    void on_failed(const Error& error) override;
    // PublisherShard::Core
    const PublisherConfig& config() const override { return config_; }
    PublisherShared& shared() override { return shared_; }
    std::uint64_t client_added(const std::string& address) override;
    void client_removed(std::uint64_t id, const std::string& reason) override;
    void client_turned_away() override { turned_away_.fetch_add(1, std::memory_order_relaxed); }
    void client_subscribed() override;
    void client_closed(const Closing& closing) override;
    void receivers_changed() override;
    void new_group_wanted(PublisherTrack& track, bool all_headers, unsigned count) override;
    // PublisherTrack::Owner (streaming threads)
    void published(std::uint64_t bytes) override;
    void acknowledgements_wanted() override;
    void fail(const Error& error) override;
    void warn(const Error& error) override;

    PublisherShard& shard_of(std::uint64_t session) const;
    void move_to(PublisherShard& shard, std::unique_ptr<Connection> connection, const Peer& peer);
    std::uint32_t subscribed() const;
    PublisherTrack* find(std::uint16_t id) const;
    void ask_for_group(std::uint16_t id, bool all_headers, unsigned count);
    void ask_pending_group(std::uint16_t id, bool all_headers, unsigned count);
    void wake_writers();
    // Runs `task` on the first reactor's thread soon, if this is still there then.
    void later(std::function<void()> task);
    // The same; at once where this is that thread.
    void on_first(std::function<void()> task);
    // Runs `task` for each shard on its reactor's thread, one after the other, and waits for it.
    void on_each(const std::function<void(PublisherShard&)>& task) const;

    const std::vector<std::shared_ptr<io::Reactor>> reactors_;
    io::Reactor& reactor_;  // the first
    const PublisherConfig config_;
    PublisherListener& listener_;
    Random& random_;
    PublisherShared shared_;
    std::atomic<std::uint64_t> epoch_{0};
    std::atomic<std::uint32_t> num_clients_{0};
    std::atomic<std::uint64_t> clients_total_{0};
    std::atomic<std::uint64_t> turned_away_{0};
    std::vector<std::unique_ptr<PublisherShard>> shards_;  // by reactor
    std::atomic<bool> can_wait_{false};                    // upstream is known not to be live
    std::mutex policy_mutex_;  // the flags of shared_ that follow from the shards' counts

    // The first reactor's
    Link link_;
    std::vector<std::unique_ptr<PublisherTrack>> tracks_;
    std::uint16_t next_track_ = 1;
    bool running_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace hawser::session
