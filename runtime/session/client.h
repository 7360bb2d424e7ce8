// A publisher's view of one subscriber's connection: a cursor for each track, and what of a frame is under
// way. It owns no bytes of the stream; it reads the tracks' rings when its socket has room.
//
// Thread: the reactor's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/sched/priority_scheduler.h"
#include "runtime/session/connection.h"
#include "runtime/session/link.h"
#include "runtime/session/publisher.h"
#include "runtime/session/publisher_track.h"

namespace hawser::session {

class Client final : private Connection::User {
  public:
    struct Cursor {
        PublisherTrack* track = nullptr;
        std::uint64_t next = 0;         // sequence to be sent next, or under way
        std::uint64_t objects = 0;      // objects below `next`
        std::uint64_t body_offset = 0;  // bytes of its body that are sent in whole frames
        std::uint64_t acked = 0;        // the ring need keep nothing below
        std::uint64_t handed = 0;       // everything below was handed downstream, as far as is known
        std::uint64_t began = 0;        // `next` and `objects` when it was subscribed
        std::uint64_t began_objects = 0;
        bool needs_group = false;            // skip to the next group start
        std::uint64_t needs_group_from = 0;  // what lies between cannot be decoded
    };

    // What a client asks of its publisher.
    class Owner {
      public:
        virtual const std::vector<std::unique_ptr<PublisherTrack>>& tracks() const = 0;
        virtual std::uint64_t epoch() const = 0;
        virtual bool live() const = 0;
        virtual bool disconnects_slow_clients() const = 0;
        // Where a session stood that was subscribed before in this epoch, even if it has never seen an
        // answer.
        virtual const Cursor* position_of(std::uint64_t session, const PublisherTrack& track) const = 0;
        virtual void on_subscribed(Client& client) = 0;
        virtual void on_acknowledged(Client& client) = 0;
        virtual void on_new_group_wanted(PublisherTrack& track, bool all_headers, unsigned count) = 0;
        virtual void on_lost(std::uint64_t objects) = 0;  // objects reported to a client as gone
        virtual void on_client_closed(Client& client, const Closing& closing) = 0;
        virtual void on_more_to_send() = 0;  // the turn's budget ended before the data did

      protected:
        ~Owner() = default;
    };

    Client(Owner& owner, std::uint64_t id, std::unique_ptr<Connection> connection, const Peer& peer);

    ~Client();

    std::uint64_t id() const { return id_; }
    const Peer& peer() const { return peer_; }
    Connection& connection() { return *connection_; }
    bool subscribed() const { return subscribed_; }
    const std::vector<Cursor>& cursors() const { return cursors_; }
    ClientStats stats() const;

    void announce();  // tells all tracks; new ones are sent from where their ring begins
    void forget(const PublisherTrack& track);  // it is being removed
    void pump();                               // sends what there is to send, at most one turn's budget

  private:
    struct Planned {
        std::size_t cursor;
        std::size_t bytes;    // of the frame
        std::uint64_t chunk;  // of the body
        bool last;            // ends its entry
        bool object;          // of an object
    };
    class Batch;

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
    bool overtaken() const;
    bool ask_for_fresh_groups();
    void begin(const wire::Subscribe& message);
    void begin_waiting();
    void acknowledge(const wire::Ack& message);
    bool catch_up(TimePoint now);
    void skip(Cursor& cursor, std::uint64_t to, wire::GapReason reason);
    std::optional<std::uint64_t> drop_late(const Cursor& cursor, TimePoint now) const;
    bool send_batch(Batch& batch);
    void keep_rest(std::span<const iovec> parts, std::size_t written, std::size_t size);
    bool send_rest();
    Cursor* find(std::uint32_t track);

    Owner& owner_;
    const std::uint64_t id_;
    const std::unique_ptr<Connection> connection_;
    const Peer peer_;
    std::vector<Cursor> cursors_;
    std::string rest_;  // of a frame whose beginning is in the kernel; its cursor is behind it already
    std::size_t rest_sent_ = 0;
    sched::PriorityScheduler scheduler_;
    bool subscribed_ = false;
    std::optional<wire::Subscribe> waiting_;  // for fresh groups to begin with
    io::TimerId waiting_timer_ = 0;
    std::uint64_t objects_ = 0, bytes_ = 0, lost_ = 0;
};

}  // namespace hawser::session
