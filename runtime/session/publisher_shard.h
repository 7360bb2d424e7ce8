// Those of a publisher's clients that one reactor serves: whose turn it is, what they have acknowledged, and
// the sessions that outlive their connections.
//
// A session belongs to one shard for as long as its publisher lives, so that all that is known of it is known
// to one thread.
//
// Thread: its reactor's, but for published() and what says otherwise.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/session/clients.h"
#include "runtime/session/coalescing.h"
#include "runtime/session/join.h"
#include "runtime/session/losses.h"
#include "runtime/session/publisher.h"
#include "runtime/session/publisher_track.h"

namespace hawser::session {

class PublisherShard final : private Client::Owner, private io::Notifiable {
  public:
    // What shards ask of their publisher; any reactor's thread.
    class Core {
      public:
        virtual const PublisherConfig& config() const = 0;
        virtual PublisherShared& shared() = 0;
        virtual std::uint64_t epoch() const = 0;
        virtual std::uint32_t num_clients() const = 0;
        // Returns its id; 0 where there are max_clients.
        virtual std::uint64_t client_added(const std::string& address) = 0;
        virtual void client_removed(std::uint64_t id, const std::string& reason) = 0;
        virtual void client_turned_away() = 0;  // there were max_clients
        virtual void client_subscribed() = 0;
        // Its connection is gone and its shard has forgotten it.
        virtual void client_closed(const Closing& closing) = 0;
        virtual void receivers_changed() = 0;  // counts of some shard: subscribed(), awaited()
        virtual void new_group_wanted(PublisherTrack& track, bool all_headers, unsigned count) = 0;

      protected:
        ~Core() = default;
    };

    PublisherShard(Core& core, std::shared_ptr<io::Reactor> reactor, std::size_t index);
    // On its reactor's thread, stopped.
    ~PublisherShard();

    io::Reactor& reactor() const { return *reactor_; }  // any thread

    // --- Streaming threads
    // Something was published; `bytes` in all, on all tracks.
    void published(std::uint64_t bytes);

    // --- Any thread
    std::uint32_t subscribed() const { return subscribed_.load(std::memory_order_relaxed); }
    std::uint32_t awaited() const { return awaited_.load(std::memory_order_relaxed); }  // may come back
    // The acknowledgements count again, or count differently.
    void want_acknowledgements();

    // --- Reactor's thread
    void start();
    void stop(wire::GoawayReason reason, const std::string& text);
    void add_track(PublisherTrack& track);
    void remove_track(PublisherTrack& track);
    void announce();
    void reset_all(const std::string& why);
    bool everything_acknowledged() const;
    Result<void> admit(const Peer& peer) const;
    void meet(std::unique_ptr<Connection> connection, const Peer& peer);
    void add_to(PublisherStats& stats) const;

  private:
    // A subscriber whose connection is gone, but who may come back for what it has not acknowledged.
    struct Absent {
        std::map<std::uint16_t, Cursor> cursors;  // by track; without the view
        std::string host;                         // where it was
        bool replaced = false;  // another receiver has come from there since: not waited for, but still known
        TimePoint until;
    };
    // How often acknowledgements are asked for, ms, and after how many bytes or entries at the latest (0: no
    // matter).
    struct Asked {
        bool operator==(const Asked&) const = default;
        std::uint32_t interval = 0;
        std::uint64_t bytes = 0;
        std::uint32_t entries = 0;
    };
    using ClientList = boost::intrusive::list<Client, boost::intrusive::constant_time_size<false>>;

    // Client::Owner
    const std::vector<std::unique_ptr<TrackView>>& views() const override { return views_; }
    const PublisherConfig& config() const override { return config_; }
    std::uint64_t epoch() const override { return core_.epoch(); }
    bool live() const override { return core_.shared().live.load(std::memory_order_relaxed); }
    const std::string& announcement() const override;
    const Cursor* position_of(std::uint64_t session, const PublisherTrack& track) const override;
    void on_waiting(Client& client) override;
    void on_subscribed(Client& client) override;
    void on_acknowledged(Client& client) override;
    void on_new_group_wanted(PublisherTrack& track, bool all_headers, unsigned count) override;
    void on_resumed(const Client& client, const PublisherTrack& track, std::uint64_t next) override;
    void on_lost(const Client& client, const PublisherTrack& track, std::uint64_t first,
                 std::uint64_t objects, wire::GapReason reason) override;
    void on_client_closed(Client& client, const Closing& closing) override;
    void on_more_to_send(Client& client) override;
    // Notifiable
    void on_notified() override;

    Error turn_away() const;
    std::uint64_t heads() const;
    void notice_new(std::uint64_t bytes);
    // `comes_again`: see Coalescing::rest().
    void take_turn(bool comes_again);
    void serve(TimePoint now, bool comes_again);
    void rest_if_worth_it(TimePoint now, bool comes_again);
    void end_nap();
    void stop_resting();
    void somebody_takes();
    void move_to(ClientList& list, Client& client);
    Asked asked() const;
    bool acknowledgements_count() const;
    void update_acknowledged();
    void update_wanted();
    void update_sent();
    void leave_absent(Client& client);
    void count_absent();
    void expire_absent();
    void check_all();

    Core& core_;
    const PublisherConfig& config_;
    const std::shared_ptr<io::Reactor> reactor_;
    const std::size_t index_;
    const std::uint64_t enough_;  // bytes published that end a rest
    const bool small_ring_;       // … since they are a part of the ring
    std::atomic<std::uint32_t> subscribed_{0};
    std::atomic<std::uint32_t> awaited_{0};
    std::atomic<bool> acknowledgements_dirty_{false};
    std::atomic<std::uint64_t> served_bytes_{0};  // of what was published, when the last turn began
    std::atomic<bool> resting_{false};            // its timer will look for what is new
    std::atomic<std::uint32_t> present_{0};       // clients, subscribed or about to
    std::atomic<bool> stand_in_{true};            // a streaming thread may send by itself
    std::atomic<bool> all_full_{false};           // no socket has room: who has will say so

    // The reactor's
    std::vector<std::unique_ptr<TrackView>> views_;
    Clients clients_;
    ClientList idle_;     // have got all that there was
    ClientList ready_;    // may have something to get in the next pass, and their sockets have room
    ClientList pass_;     // in the present pass: what is published during it waits for the next one
    ClientList waiting_;  // for a fresh group to begin with
    std::map<std::uint64_t, Absent> absent_;  // by session
    mutable std::string announcement_;        // encoded; empty: to be made anew
    Coalescing coalescing_;
    TimePoint naps_until_{};     // unless enough is published before
    std::vector<Start> starts_;  // for update_wanted()
    std::uint64_t heads_ = 0;    // of all tracks together, at the last look
    TimePoint forgotten_at_{};   // when one who might have come back was last given up
    std::uint64_t reconnects_ = 0;
    Asked told_;  // what everyone here was last told
    Losses losses_;
    io::TimerId absent_timer_ = 0;
    io::TimerId check_timer_ = 0;
    io::TimerId rest_timer_ = 0;
    bool running_ = false;
};

}  // namespace hawser::session
