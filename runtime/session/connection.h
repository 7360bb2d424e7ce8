// One socket's life: preamble, handshake, control frames out and in, PING/PONG, and the end. What a
// connection carries besides is its user's business (client.h on the sending side, subscriber_core.h on the
// receiving side).
//
// Thread: the reactor's, throughout. A user may drop its Connection inside any callback but
// on_frame/on_object/ on_fragment/on_chunk (return an error there).
#pragma once

#include <google/protobuf/message_lite.h>

#include <memory>
#include <string>

#include "hawser/wire.pb.h"
#include "runtime/base/clock.h"
#include "runtime/base/fd.h"
#include "runtime/io/reactor.h"
#include "runtime/session/config.h"
#include "runtime/session/frame_reader.h"

namespace hawser::session {

// Appends a whole frame to `out`.
void append_frame(std::string& out, wire::FrameType type, const google::protobuf::MessageLite& body,
                  std::uint16_t track = 0, std::uint64_t sequence = 0, std::uint8_t flags = 0);

// Parses a frame's body; an error names the frame.
Result<void> parse_body(const wire::FramePrefix& prefix, std::span<const std::byte> body,
                        google::protobuf::MessageLite& into);

// Why a connection ended.
struct Closing {
    Error error;                                       // for people
    wire::GoawayReason goaway = wire::GOAWAY_UNKNOWN;  // the peer said GOAWAY
    bool handshake_done = false;
};

class Connection final : private io::StreamHandler, private FrameSink {
  public:
    class User : public FrameSink {
      public:
        // The acceptor's side: the peer's HELLO. An error is sent to the peer as ERROR, and the connection
        // ends.
        virtual Result<void> on_hello(const wire::Hello& hello) = 0;
        // The caller's side: the peer's WELCOME.
        virtual Result<void> on_welcome(const wire::Welcome& welcome) = 0;
        // The socket has room and nothing waits for it: the user's own frames may be written.
        virtual void on_room() = 0;
        // A PING follows: what is sent now leaves in front of it, in the same packet.
        virtual void on_ping() {}
        // Once, and the last call. The connection is dead; destroy it when convenient.
        virtual void on_closed(const Closing& closing) = 0;

      protected:
        ~User() = default;
    };

    // `buffer`: see FrameReader. `ping`: measure the round trip even while data flows.
    Connection(io::Reactor& reactor, std::unique_ptr<io::Stream> stream, Liveness liveness,
               std::size_t buffer, bool ping);
    ~Connection();
    Connection(const Connection&) = delete;

    // Begins: sends the preamble and, on the caller's side, HELLO.
    void start(User& user, const wire::Hello* hello);
    // Hands the connection to another user, after the handshake's HELLO was looked at.
    void set_user(User& user) { user_ = &user; }
    // Acceptor: the endpoint is known now, and with it what start() could not know. As in the constructor.
    void adopt(const Liveness& liveness, std::size_t buffer, bool ping);
    // Acceptor: answers the HELLO; the handshake is done.
    void welcome(const wire::Welcome& welcome);

    // Sends a control frame, behind the frame under way. What is sent in answer to what was just read leaves
    // in one write.
    void send(wire::FrameType type, const google::protobuf::MessageLite& body, std::uint16_t track = 0,
              std::uint64_t sequence = 0, std::uint8_t flags = 0);
    // Sends whole encoded frames.
    void send_encoded(std::string_view frames);

    // For the user's own frames, which he writes to stream() himself. False where control frames, the rest of
    // a frame or a full socket come first; on_room() will be called then.
    bool ready_for_data();
    io::Stream& stream() { return *stream_; }
    // What came of it.
    void wrote(const io::IoResult& result, TimePoint now);

    // A user who writes often may take PONGs along, which then need no packet and no call of their own: see
    // let_user_watch(). escort() is what is to be written in front of his frames, now; nothing, mostly. It is
    // valid until escorted(), which says how many bytes were written in all, and returns how many were his.
    std::span<const std::byte> escort(TimePoint now);
    std::size_t escorted(std::size_t written);
    // Where that ended in the middle of a frame: the frame's rest, `size` bytes from `from` on in `parts`, is
    // copied and sent before anything else. A frame that has begun must be finished, whatever becomes of its
    // source.
    void finish_frame(std::span<const iovec> parts, std::size_t from, std::size_t size) {
        put_back(parts, from, size);
    }
    // Something waits for the socket.
    bool backlogged() const { return backlog_ && !backlog_->pong; }
    // The socket was full at the last try.
    bool blocked() const { return blocked_; }

    // From now on the user calls check_liveness() often enough, instead of a timer of each connection's own.
    // A PONG to a peer that was written to a moment ago waits for the next write, or for check_liveness().
    void let_user_watch();
    void check_liveness(TimePoint now);

    // To another reactor: detach() on the old one's thread, then attach() on the new one's. Not from inside
    // callbacks. An invalid Fd: the socket cannot leave its reactor, and all is as before. An error of
    // attach() leaves the connection closed.
    Fd detach();
    Result<void> attach(io::Reactor& reactor, Fd socket);

    // Reads on after wants_more() has become true again.
    void resume_reading();
    // For whoever reads in the reactor's place: reads some of what there is. True where there may be more.
    bool read_some();

    // Says why (ERROR) and ends the connection. on_closed() is called.
    void fail(const Error& error, wire::ErrorCode code);
    // The same without a call to on_closed().
    void refuse(const Error& error, wire::ErrorCode code);
    // Ends it without a call to on_closed(): GOAWAY, then an orderly close.
    void leave(wire::GoawayReason reason, const std::string& text);
    // Ends it with RST; on_closed() is called.
    void reset(const std::string& why);

    bool closed() const { return closed_; }
    bool handshake_done() const { return handshake_done_; }
    std::string peer_address() const { return stream_->peer_address(); }
    Duration rtt() const { return rtt_; }  // smoothed; 0 while unknown
    io::Reactor& reactor() { return *reactor_; }

  private:
    // StreamHandler
    void on_readable() override;
    void on_writable() override;
    // FrameSink: handles its own frames, passes the rest on.
    Result<void> on_frame(const wire::FramePrefix& prefix, std::span<const std::byte> body) override;
    Result<std::optional<Landing>> on_object(const wire::FramePrefix& prefix,
                                             const wire::ObjectHeader& header, std::size_t chunk) override;
    Result<std::optional<Landing>> on_fragment(const wire::FramePrefix& prefix, std::uint64_t offset,
                                               std::size_t chunk) override;
    Result<void> on_chunk(const wire::FramePrefix& prefix) override;
    bool wants_more() const override;
    void on_parsed() override;

    bool read_turn(std::size_t budget);  // true: there may be more
    bool flush();                        // true: nothing waits any more
    void pong(const wire::Ping& ping);
    void stamp_pong(TimePoint now);
    // Keeps `size` bytes of `parts`, from `from` on, until the socket has room.
    void put_back(std::span<const iovec> parts, std::size_t from, std::size_t size);
    void give_up_on_reader();
    void later(void (Connection::*step)());
    void say_error(const Error& error, wire::ErrorCode code);
    void end();
    void close(Closing closing);
    void arm_liveness();
    void ping();
    void set_handshake_done();

    // What waits for the socket: the rest of a frame, control frames.
    struct Backlog {
        std::string bytes;
        std::size_t sent = 0;
        bool pong = false;  // it is a single PONG, which may wait, and is not stamped yet
    };
    // One is kept for the next that needs it: an answer a millisecond is no reason to allocate.
    static std::unique_ptr<Backlog>& spare_backlog();
    void open_backlog();

    io::Reactor* reactor_;
    std::unique_ptr<io::Stream> stream_;
    User* user_ = nullptr;
    std::unique_ptr<Backlog> backlog_;
    std::shared_ptr<Connection*>
        self_;  // made by the first continuation that is posted; null in it once destroyed
    FrameReader reader_;
    Liveness liveness_;
    TimePoint last_heard_;
    TimePoint last_sent_;
    Duration rtt_{};
    io::TimerId liveness_timer_ = 0;
    std::uint32_t next_ping_ = 1;
    std::uint8_t goaway_ = wire::GOAWAY_UNKNOWN;  // a wire::GoawayReason
    bool ping_ : 1;
    bool blocked_ : 1 = false;  // the last write returned WouldBlock
    bool paused_ : 1 = false;
    bool caller_ : 1 = false;
    bool handshake_done_ : 1 = false;
    bool closed_ : 1 = false;
    bool reading_ : 1 = false;
    bool watched_ : 1 = false;    // by the user, not by our timer
    bool gathering_ : 1 = false;  // what is sent waits for the PING
};

}  // namespace hawser::session
