// A publisher's view of one subscriber's connection: a cursor for each track, and little else. It owns no
// bytes of the stream; it reads the tracks' rings when its socket has room.
//
// Thread: its reactor's.
#pragma once

#include <boost/container/small_vector.hpp>
#include <boost/intrusive/list.hpp>
#include <boost/intrusive/unordered_set_hook.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/sched/priority_scheduler.h"
#include "runtime/session/client_states.h"
#include "runtime/session/congestion.h"
#include "runtime/session/connection.h"
#include "runtime/session/cursor.h"
#include "runtime/session/link.h"
#include "runtime/session/plan.h"
#include "runtime/session/publisher.h"

namespace hawser::session {

// Clients are in one list at a time, or in none; they leave it when they die.
using ClientHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

struct BySession;
using ClientSessionHook =
    boost::intrusive::unordered_set_base_hook<boost::intrusive::tag<BySession>,
                                              boost::intrusive::link_mode<boost::intrusive::normal_link>>;

class Client final : public ClientHook, public ClientSessionHook, private Connection::User {
  public:
    // What a client asks of whoever keeps it.
    class Owner {
      public:
        virtual const std::vector<std::unique_ptr<TrackView>>& views() const = 0;
        virtual const PublisherConfig& config() const = 0;
        virtual std::uint64_t epoch() const = 0;
        virtual bool live() const = 0;
        // The ANNOUNCE frame for all tracks.
        virtual const std::string& announcement() const = 0;
        // Where a session stood that was subscribed before in this epoch, even if it has never seen an
        // answer.
        virtual const Cursor* position_of(std::uint64_t session, const PublisherTrack& track) const = 0;
        virtual void on_waiting(
            Client& client) = 0;  // for a fresh group: look_for_fresh_groups() when one comes
        virtual void on_subscribed(Client& client) = 0;
        virtual void on_acknowledged(Client& client) = 0;
        virtual void on_new_group_wanted(PublisherTrack& track, bool all_headers, unsigned count) = 0;
        // It comes back and wants `next`.
        virtual void on_resumed(const Client& client, const PublisherTrack& track, std::uint64_t next) = 0;
        // It is told that `objects` are gone, from sequence `first` on.
        virtual void on_lost(const Client& client, const PublisherTrack& track, std::uint64_t first,
                             std::uint64_t objects, wire::GapReason reason) = 0;
        virtual void on_client_closed(Client& client, const Closing& closing) = 0;
        virtual void on_more_to_send(Client& client) = 0;  // it may have something, and its socket has room

      protected:
        ~Owner() = default;
    };

    Client(Owner& owner, std::uint64_t id, std::unique_ptr<Connection> connection, const Peer& peer);
    ~Client();

    std::uint64_t id() const { return id_; }
    std::uint64_t session() const { return session_; }
    std::uint32_t generation() const { return generation_; }
    ClientState state() const { return state_; }
    Connection& connection() { return *connection_; }
    bool subscribed() const { return subscribed_; }
    std::span<const Cursor> cursors() const { return {cursors_.data(), cursors_.size()}; }
    ClientStats stats() const;

    void announce();  // tells all tracks; new ones are sent from where their ring begins
    void forget(const PublisherTrack& track);  // it is being removed; its view is open
    void look_for_fresh_groups();
    // Now and then, with open views: whether it lives, how far it is behind, whether it takes anything at
    // all.
    void check(TimePoint now);

    // --- Its turn; all views are open: prepare(), then plan(), then what its connection's escort() is and
    // the plan's parts to the socket, then sent().

    // Moves the cursors over what is gone, too late or not decodable. False: nothing can be sent now.
    bool prepare(TimePoint now);
    void plan(Plan& plan) { plan.make(cursors(), scheduler_, limits()); }
    bool shares(const Plan& plan) { return plan.suits(cursors(), scheduler_, limits()); }
    void sent(const Plan& plan, const io::IoResult& result, TimePoint now);
    bool caught_up() const;

  private:
    Result<void> on_hello(const wire::Hello&) override;
    Result<void> on_welcome(const wire::Welcome&) override;
    void on_room() override;
    void on_closed(const Closing& closing) override;
    Result<void> on_frame(const wire::FramePrefix& prefix, std::span<const std::byte> body) override;
    Result<std::optional<Landing>> on_object(const wire::FramePrefix&, const wire::ObjectHeader&,
                                             std::size_t) override;
    Result<std::optional<Landing>> on_fragment(const wire::FramePrefix&, std::uint64_t, std::size_t) override;
    Result<void> on_chunk(const wire::FramePrefix&) override;
    bool wants_more() const override { return true; }

    Result<void> subscribe(const wire::Subscribe& message);
    bool ask_for_fresh_groups();
    void begin(const wire::Subscribe& message);
    void begin_waiting();
    void acknowledge(const wire::Ack& message);

    void fire(ClientEvent event);
    void evict(const char* why);
    bool overtaken() const;
    bool is_to_go() const;  // overtaken, where the policy has no second chance
    void judge(TimePoint now);
    void catch_up(Cursor& cursor);
    void leave_out(Cursor& cursor, TimePoint now);
    bool does_without_droppable() const;
    void skip(Cursor& cursor, std::uint64_t to, wire::GapReason reason);
    std::optional<std::uint64_t> drop_late(const Cursor& cursor, TimePoint now) const;
    std::optional<std::uint64_t> drop_droppable(const Cursor& cursor) const;
    Plan::Limits limits() const;
    Cursor* find(std::uint32_t track);

    // For fresh groups to begin with.
    struct Waiting {
        wire::Subscribe message;
        io::TimerId timer = 0;
    };

    Owner& owner_;
    const std::uint64_t id_;
    const std::unique_ptr<Connection> connection_;
    const std::uint64_t session_;
    const std::uint32_t generation_;
    ClientState state_ = kClientTable.initial;
    bool subscribed_ = false;
    bool was_blocked_ = false;                           // at the end of its last turn
    boost::container::small_vector<Cursor, 1> cursors_;  // most streams have one track
    sched::PriorityScheduler scheduler_;
    std::unique_ptr<Congestion> congestion_;  // once the socket was full
    TimePoint since_;                         // subscribed; before that, met
    TimePoint blocked_at_{};                  // parked or blocked since
    std::unique_ptr<Waiting> waiting_;
    std::uint64_t objects_ = 0, bytes_ = 0, lost_ = 0;
};
static_assert(sizeof(Client) + sizeof(Connection) <= 512, "ten thousand of them (design §4)");
// With what malloc() adds, the next multiples of 16.
static_assert(sizeof(Client) <= 248 && sizeof(Connection) <= 200);

}  // namespace hawser::session
