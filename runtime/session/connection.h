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
        // The socket has room and no control frame waits: write_data() may be called.
        virtual void on_room() = 0;
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

    // Queues a control frame and sends it as soon as the frame under way is out.
    void send(wire::FrameType type, const google::protobuf::MessageLite& body, std::uint16_t track = 0,
              std::uint64_t sequence = 0, std::uint8_t flags = 0);
    // Queues whole encoded frames.
    void send_encoded(std::string_view frames);

    // For the user's own frames. False where control frames or a full socket come first; on_room() will be
    // called then.
    bool ready_for_data();
    // Writes as much as the socket takes; may end in the middle of a frame, which must then be continued by
    // the next call. `mid_frame`: tell with set_mid_frame() where the last write ended.
    io::IoResult write_data(std::span<const iovec> parts);
    void set_mid_frame(bool mid_frame) { mid_frame_ = mid_frame; }

    // Reads on after wants_more() has become true again.
    void resume_reading();

    // Says why (ERROR) and ends the connection. on_closed() is called.
    void fail(const Error& error, wire::ErrorCode code);
    // Ends it without a call to on_closed(): GOAWAY, then an orderly close.
    void leave(wire::GoawayReason reason, const std::string& text);
    // Ends it with RST; on_closed() is called.
    void reset(const std::string& why);

    bool closed() const { return closed_; }
    bool handshake_done() const { return handshake_done_; }
    std::string peer_address() const { return stream_->peer_address(); }
    Duration rtt() const { return rtt_; }  // smoothed; 0 while unknown
    io::Reactor& reactor() { return reactor_; }

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

    void read_turn();
    bool flush_control();  // true: nothing waits any more
    void close(Closing closing);
    void arm_liveness();
    void check_liveness();
    void ping();
    void set_handshake_done();

    io::Reactor& reactor_;
    std::unique_ptr<io::Stream> stream_;
    Liveness liveness_;
    bool ping_;
    User* user_ = nullptr;
    FrameReader reader_;
    std::string control_;  // encoded frames that wait for the socket
    std::size_t control_sent_ = 0;
    bool blocked_ = false;  // the last write returned WouldBlock
    bool mid_frame_ = false;
    bool paused_ = false;
    bool caller_ = false;
    bool handshake_done_ = false;
    bool closed_ = false;
    bool reading_ = false;
    wire::GoawayReason goaway_ = wire::GOAWAY_UNKNOWN;
    std::uint64_t seen_bytes_ = 0;  // reader_.bytes() at the last look
    TimePoint last_heard_;
    TimePoint last_sent_;
    Duration rtt_{};
    std::uint64_t next_ping_ = 1;
    io::TimerId liveness_timer_ = 0;
    std::shared_ptr<bool> alive_;  // false once destroyed, for posted continuations
};

}  // namespace hawser::session
