// The publisher behind publisher.h: its tracks, its clients, and the sessions that outlive their connections.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <vector>

#include "runtime/base/random.h"
#include "runtime/session/client.h"
#include "runtime/session/link.h"
#include "runtime/session/publisher.h"
#include "runtime/session/publisher_track.h"

namespace hawser::session {

class PublisherCore final : public Publisher,
                            private Link::User,
                            private Client::Owner,
                            private PublisherTrack::Owner,
                            private io::Notifiable {
  public:
    PublisherCore(std::shared_ptr<io::Reactor> reactor, Random& random, PublisherConfig config,
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
    // A subscriber whose connection is gone, but who may come back for what it has not acknowledged.
    struct Absent {
        std::map<std::uint16_t, Client::Cursor> cursors;  // by track; without the pointer to it
        std::string host;                                 // where it was
        bool replaced = false;  // another receiver has come from there since: not waited for, but still known
        TimePoint until;
    };

    // Link::User
    void introduce(Peer& self) override { self.epoch = epoch(); }
    Result<void> admit(const Peer& peer) override;
    void meet(std::unique_ptr<Connection> connection, const Peer& peer) override;
    void on_state(State now, State before, const std::string& reason) override;
    void on_warning(const Error& error) override { listener_.on_warning(error); }
    void on_failed(const Error& error) override;
    // Client::Owner
    const std::vector<std::unique_ptr<PublisherTrack>>& tracks() const override { return tracks_; }
    bool live() const override { return shared_.live.load(std::memory_order_relaxed); }
    bool disconnects_slow_clients() const override {
        return config_.slow_client_policy == SlowClientPolicy::Disconnect;
    }
    const Client::Cursor* position_of(std::uint64_t session, const PublisherTrack& track) const override;
    void on_subscribed(Client& client) override;
    void on_acknowledged(Client& client) override;
    void on_new_group_wanted(PublisherTrack& track, bool all_headers, unsigned count) override;
    void on_lost(std::uint64_t objects) override { skipped_ += objects; }
    void on_client_closed(Client& client, const Closing& closing) override;
    void on_more_to_send() override { reactor_->notify(*this); }
    // PublisherTrack::Owner (streaming threads)
    void published() override { reactor_->notify(*this); }
    void acknowledgements_wanted() override;
    void fail(const Error& error) override;
    void warn(const Error& error) override;
    // Notifiable
    void on_notified() override;

    void update_acknowledged();
    bool everything_acknowledged() const;
    void expire_absent();
    void wake_writers();
    void ask_pending_group(std::uint16_t id, bool all_headers, unsigned count);

    const std::shared_ptr<io::Reactor> reactor_;
    const PublisherConfig config_;
    PublisherListener& listener_;
    Random& random_;
    PublisherShared shared_;
    std::atomic<std::uint64_t> epoch_{0};
    std::atomic<std::uint32_t> num_clients_{0};

    // The reactor's
    Link link_;
    std::vector<std::unique_ptr<PublisherTrack>> tracks_;
    std::vector<std::unique_ptr<Client>> clients_;
    std::map<std::uint64_t, Absent> absent_;  // by session
    std::uint16_t next_track_ = 1;
    std::uint64_t next_client_ = 1;
    std::vector<Client*> turn_;     // those to be served in this turn
    std::size_t first_served_ = 0;  // whose turn is first next time
    std::uint64_t reconnects_ = 0;
    std::uint64_t skipped_ = 0;
    io::TimerId absent_timer_ = 0;
    bool live_ = true;
    bool running_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace hawser::session
