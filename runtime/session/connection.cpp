#include "runtime/session/connection.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/base/log.h"
#include "runtime/base/text.h"

namespace hawser::session {
namespace {

// What may wait for a peer which does not read, bytes: control frames, mostly. More, and it counts as dead.
constexpr std::size_t kMaxBacklog = 4 * wire::kMaxControl;
// What is read and thrown away when a connection is left, bytes.
constexpr std::size_t kMostDrained = 1 << 20;

// A PONG may wait for a write to a peer that was written to so short a while ago.
constexpr Duration kBusyPeer = std::chrono::milliseconds(250);

std::uint64_t nanoseconds(TimePoint time) {
    return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

Errc from_wire(wire::ErrorCode code) {
    switch (code) {
        case wire::ERROR_VERSION:
            return Errc::Version;
        case wire::ERROR_UNKNOWN_STREAM:
            return Errc::NotFound;
        case wire::ERROR_BUSY:
            return Errc::Busy;
        case wire::ERROR_ROLE:
        case wire::ERROR_BAD_FRAME:
            return Errc::Protocol;
        default:
            return Errc::Closed;
    }
}

wire::ErrorCode to_wire(Errc code) {
    switch (code) {
        case Errc::Version:
            return wire::ERROR_VERSION;
        case Errc::NotFound:
            return wire::ERROR_UNKNOWN_STREAM;
        case Errc::Busy:
            return wire::ERROR_BUSY;
        case Errc::Denied:
            return wire::ERROR_ROLE;
        case Errc::Protocol:
            return wire::ERROR_BAD_FRAME;
        default:
            return wire::ERROR_INTERNAL;
    }
}

}  // namespace

void append_frame(std::string& out, wire::FrameType type, const google::protobuf::MessageLite& body,
                  std::uint16_t track, std::uint64_t sequence, std::uint8_t flags) {
    const std::size_t size = body.ByteSizeLong();
    const std::size_t at = out.size();
    out.resize(at + wire::kPrefixSize + size);
    auto* bytes = reinterpret_cast<std::byte*>(out.data() + at);
    wire::encode({static_cast<std::uint32_t>(size), type, flags, track, sequence},
                 std::span<std::byte, wire::kPrefixSize>(bytes, wire::kPrefixSize));
    body.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(bytes + wire::kPrefixSize));
}

Result<void> parse_body(const wire::FramePrefix& prefix, std::span<const std::byte> body,
                        google::protobuf::MessageLite& into) {
    if (into.ParseFromArray(body.data(), static_cast<int>(body.size()))) return {};
    return Error{Errc::Protocol, std::string("the peer sent a malformed ") + wire::to_string(prefix.type)};
}

Connection::Connection(io::Reactor& reactor, std::unique_ptr<io::Stream> stream, Liveness liveness,
                       std::size_t buffer, bool ping)
    : reactor_(&reactor),
      stream_(std::move(stream)),
      reader_(buffer),
      liveness_(liveness),
      last_heard_(reactor.clock().now()),
      last_sent_(last_heard_),
      ping_(ping) {}

Connection::~Connection() {
    if (self_) *self_ = nullptr;
    if (liveness_timer_) reactor_->cancel(liveness_timer_);
}

void Connection::start(User& user, const wire::Hello* hello) {
    user_ = &user;
    caller_ = hello != nullptr;
    std::string first(wire::kPreamble);
    if (hello) append_frame(first, wire::FrameType::Hello, *hello);
    liveness_timer_ = reactor_->after(liveness_.handshake_timeout, [this] {
        liveness_timer_ = 0;
        close({{Errc::TimedOut, peer_address() +
                                    " accepted the connection but does not answer as a Hawser peer; "
                                    "check that the address is that of a Hawser element"}});
    });
    stream_->set_handler(this);
    send_encoded(first);
}

void Connection::set_handshake_done() {
    handshake_done_ = true;
    reader_.set_handshake_done();
    reactor_->cancel(std::exchange(liveness_timer_, 0));
    last_heard_ = reactor_->clock().now();
    arm_liveness();
}

void Connection::adopt(const Liveness& liveness, std::size_t buffer, bool ping) {
    liveness_ = liveness;
    ping_ = ping;
    reader_.set_buffer(buffer);
}

void Connection::welcome(const wire::Welcome& welcome) {
    set_handshake_done();
    send(wire::FrameType::Welcome, welcome);
    if (ping_) ping();
}

void Connection::send(wire::FrameType type, const google::protobuf::MessageLite& body, std::uint16_t track,
                      std::uint64_t sequence, std::uint8_t flags) {
    static thread_local std::string frame;
    frame.clear();
    append_frame(frame, type, body, track, sequence, flags);
    send_encoded(frame);
}

void Connection::send_encoded(std::string_view frames) {
    if (closed_ || frames.empty()) return;
    const iovec part{const_cast<char*>(frames.data()), frames.size()};
    if (reading_ || gathering_ || blocked_ || !flush()) return put_back({&part, 1}, 0, part.iov_len);
    const io::IoResult sent = stream_->write({&part, 1});
    wrote(sent, reactor_->clock().now());
    if (sent.bytes < frames.size()) put_back({&part, 1}, sent.bytes, frames.size() - sent.bytes);
}

std::unique_ptr<Connection::Backlog>& Connection::spare_backlog() {
    static thread_local std::unique_ptr<Backlog> spare;
    return spare;
}

void Connection::open_backlog() {
    backlog_ = std::move(spare_backlog());
    if (!backlog_) backlog_ = std::make_unique<Backlog>();
}

void Connection::put_back(std::span<const iovec> parts, std::size_t from, std::size_t size) {
    if (!backlog_) open_backlog();
    if (backlog_->pong) stamp_pong(reactor_->clock().now());
    std::string& bytes = backlog_->bytes;
    for (const iovec& part : parts) {
        const std::size_t skipped = std::min(from, part.iov_len);
        const std::size_t taken = std::min(size, part.iov_len - skipped);
        bytes.append(static_cast<const char*>(part.iov_base) + skipped, taken);
        from -= skipped;
        size -= taken;
    }
    if (bytes.size() - backlog_->sent > kMaxBacklog) later(&Connection::give_up_on_reader);
}

// Not from inside a callback of the user's: he may be iterating.
void Connection::later(void (Connection::*step)()) {
    if (!self_) self_ = std::make_shared<Connection*>(this);
    reactor_->post([self = self_, step] {
        if (*self) ((*self)->*step)();
    });
}

void Connection::give_up_on_reader() {
    close({{Errc::TimedOut, peer_address() + " does not read; giving it up"}});
}

bool Connection::flush() {
    if (backlog_ && backlog_->pong && !closed_) stamp_pong(reactor_->clock().now());
    while (backlog_ && !closed_ && !blocked_) {
        std::string& bytes = backlog_->bytes;
        // A peer that reads, but never all, must not make what is sent already pile up.
        if (backlog_->sent > wire::kMaxControl) bytes.erase(0, std::exchange(backlog_->sent, 0));
        const iovec part{bytes.data() + backlog_->sent, bytes.size() - backlog_->sent};
        const io::IoResult sent = stream_->write({&part, 1});
        wrote(sent, reactor_->clock().now());
        backlog_->sent += sent.bytes;
        if (backlog_->sent < bytes.size()) continue;
        std::unique_ptr<Backlog> done = std::move(backlog_);
        if (done->bytes.capacity() > wire::kMaxFragment) continue;
        done->bytes.clear();
        done->sent = 0;
        spare_backlog() = std::move(done);
    }
    return !backlog_;
}

// --- What leaves together with the user's frames

void Connection::pong(const wire::Ping& ping) {
    const TimePoint now = reactor_->clock().now();
    wire::Pong pong;
    pong.set_id(ping.id());
    pong.set_sent(ping.sent());
    pong.set_received(nanoseconds(now));
    if (!watched_ || backlog_ || blocked_ || now - last_sent_ > kBusyPeer)
        return send(wire::FrameType::Pong, pong);
    pong.set_answered(pong.received());
    open_backlog();
    append_frame(backlog_->bytes, wire::FrameType::Pong, pong);
    backlog_->pong = true;
}

// `answered` is the last of its fields, and of a fixed size.
void Connection::stamp_pong(TimePoint now) {
    backlog_->pong = false;
    std::string& bytes = backlog_->bytes;
    const std::uint64_t time = nanoseconds(now);
    for (std::size_t i = 0; i < sizeof time; ++i)
        bytes[bytes.size() - sizeof time + i] = static_cast<char>(time >> (8 * i));
}

std::span<const std::byte> Connection::escort(TimePoint now) {
    if (!backlog_) return {};
    stamp_pong(now);
    return std::as_bytes(std::span(backlog_->bytes));
}

std::size_t Connection::escorted(std::size_t written) {
    if (!backlog_) return written;
    const std::size_t size = backlog_->bytes.size();
    backlog_->sent = std::min(written, size);
    if (backlog_->sent == size) backlog_.reset();
    return written - std::min(written, size);
}

void Connection::wrote(const io::IoResult& result, TimePoint now) {
    if (result.status == io::IoResult::Status::Done)
        last_sent_ = now;
    else
        blocked_ = true;  // an error shows when the stream becomes readable
}

bool Connection::ready_for_data() {
    return !closed_ && handshake_done_ && !blocked_ && (!backlogged() || flush());
}

void Connection::on_writable() {
    if (closed_) return;
    blocked_ = false;
    if (flush() && handshake_done_) user_->on_room();
}

void Connection::on_readable() {
    if (!paused_ && read_turn(FrameReader::kTurn)) later(&Connection::on_readable);
}

bool Connection::read_some() {
    return !paused_ && read_turn(1);
}

void Connection::resume_reading() {
    if (!paused_ || closed_) return;
    paused_ = false;
    last_heard_ = reactor_->clock().now();
    on_readable();
}

bool Connection::read_turn(std::size_t budget) {
    if (closed_ || reading_) return false;
    reading_ = true;
    const std::uint64_t before = reader_.bytes();
    auto outcome = reader_.read(*stream_, *this, budget);
    reading_ = false;
    if (backlogged()) flush();
    if (reader_.bytes() != before) last_heard_ = reactor_->clock().now();
    if (closed_) return false;
    if (!outcome) {
        Error error = outcome.error();
        if (error.code == Errc::Protocol) error.message = peer_address() + ": " + error.message;
        // No use in explaining ourselves to a peer that leaves, has gone, or was called by mistake.
        const bool worth_telling =
            goaway_ == wire::GOAWAY_UNKNOWN && error.code != Errc::Closed && (handshake_done_ || !caller_);
        worth_telling ? fail(error, to_wire(error.code))
                      : close({error, static_cast<wire::GoawayReason>(goaway_)});
        return false;
    }
    switch (*outcome) {
        case FrameReader::Outcome::WouldBlock:
            break;
        case FrameReader::Outcome::Paused:
            paused_ = true;
            break;
        case FrameReader::Outcome::Budget:
            return true;
        case FrameReader::Outcome::Closed:
            close({{Errc::Closed, handshake_done_
                                      ? peer_address() + " closed the connection"
                                      : peer_address() + " closed the connection during the handshake; "
                                                         "check that it is a Hawser element"},
                   static_cast<wire::GoawayReason>(goaway_)});
            break;
    }
    return false;
}

Result<void> Connection::on_frame(const wire::FramePrefix& prefix, std::span<const std::byte> body) {
    switch (prefix.type) {
        case wire::FrameType::Hello: {
            wire::Hello hello;
            if (auto parsed = parse_body(prefix, body, hello); !parsed) return parsed;
            if (caller_) return Error{Errc::Protocol, "the peer answered HELLO with HELLO"};
            if (hello.min_version() > wire::kVersion || hello.max_version() < wire::kVersion)
                return Error{Errc::Version, "no common protocol version: the caller speaks " +
                                                std::to_string(hello.min_version()) + " to " +
                                                std::to_string(hello.max_version()) + ", this end speaks " +
                                                std::to_string(wire::kVersion) + "; update the older one"};
            return user_->on_hello(hello);
        }
        case wire::FrameType::Welcome: {
            wire::Welcome welcome;
            if (auto parsed = parse_body(prefix, body, welcome); !parsed) return parsed;
            if (!caller_) return Error{Errc::Protocol, "the caller sent WELCOME"};
            if (welcome.version() != wire::kVersion)
                return Error{Errc::Version, "the peer chose protocol version " +
                                                std::to_string(welcome.version()) +
                                                ", which was not offered"};
            set_handshake_done();
            if (ping_) ping();
            return user_->on_welcome(welcome);
        }
        case wire::FrameType::Ping: {
            wire::Ping ping;
            if (auto parsed = parse_body(prefix, body, ping); !parsed) return parsed;
            pong(ping);
            return {};
        }
        case wire::FrameType::Pong: {
            wire::Pong pong;
            if (auto parsed = parse_body(prefix, body, pong); !parsed) return parsed;
            const std::uint64_t now = nanoseconds(reactor_->clock().now());
            if (pong.sent() > now) return Error{Errc::Protocol, "a PONG for a PING that was not sent"};
            const std::uint64_t held =
                pong.answered() > pong.received() ? pong.answered() - pong.received() : 0;
            // Two machines' clocks do not run at the same speed: what was held for longer than it took, by a
            // little, tells nothing.
            const std::uint64_t took = now - pong.sent();
            if (held >= took) return {};
            const Duration sample(static_cast<std::int64_t>(took - held));
            rtt_ = rtt_.count() == 0 ? sample : rtt_ + (sample - rtt_) / 8;  // RFC 6298, alpha
            return {};
        }
        case wire::FrameType::Goaway: {
            wire::Goaway goaway;
            if (auto parsed = parse_body(prefix, body, goaway); !parsed) return parsed;
            goaway_ = goaway.reason() == wire::GOAWAY_UNKNOWN ? wire::GOAWAY_STOPPED : goaway.reason();
            return Error{goaway_ == wire::GOAWAY_REPLACED ? Errc::Busy : Errc::Closed,
                         goaway.text().empty() ? "the peer leaves" : printable(goaway.text(), 2048)};
        }
        case wire::FrameType::Error: {
            wire::Error error;
            if (auto parsed = parse_body(prefix, body, error); !parsed) return parsed;
            // Never answered with an ERROR of our own: close() it directly.
            const Error said{from_wire(error.code()),
                             peer_address() + " says: " + printable(error.text(), 2048)};
            close({said, wire::GOAWAY_UNKNOWN});
            return said;
        }
        default:
            return user_->on_frame(prefix, body);
    }
}

Result<std::optional<Landing>> Connection::on_object(const wire::FramePrefix& prefix,
                                                     const wire::ObjectHeader& header, std::size_t chunk) {
    return user_->on_object(prefix, header, chunk);
}

Result<std::optional<Landing>> Connection::on_fragment(const wire::FramePrefix& prefix, std::uint64_t offset,
                                                       std::size_t chunk) {
    return user_->on_fragment(prefix, offset, chunk);
}

Result<void> Connection::on_chunk(const wire::FramePrefix& prefix) {
    return user_->on_chunk(prefix);
}

bool Connection::wants_more() const {
    return !closed_ && (!handshake_done_ || user_->wants_more());
}

void Connection::on_parsed() {
    if (!closed_ && handshake_done_) user_->on_parsed();
}

void Connection::let_user_watch() {
    watched_ = true;
    reactor_->cancel(std::exchange(liveness_timer_, 0));
}

void Connection::arm_liveness() {
    if (watched_) return;
    liveness_timer_ = reactor_->after(liveness_.peer_timeout / 3, [this] {
        liveness_timer_ = 0;
        if (closed_) return;
        check_liveness(reactor_->clock().now());
        if (!closed_) arm_liveness();
    });
}

void Connection::check_liveness(TimePoint now) {
    if (closed_) return;
    if (!paused_ && now - last_heard_ >= liveness_.peer_timeout)
        return close(
            {{Errc::TimedOut, peer_address() + " has been silent for " +
                                  format_duration((now - last_heard_).count()) + "; counting it as dead"}});
    if (ping_ || now - last_sent_ >= liveness_.peer_timeout / 3) ping();
    if (backlog_ && !backlogged()) flush();
}

Fd Connection::detach() {
    if (closed_) return {};
    Fd socket = stream_->release();
    if (!socket) return {};
    stream_.reset();
    if (self_) *std::exchange(self_, nullptr) = nullptr;
    reactor_->cancel(std::exchange(liveness_timer_, 0));
    return socket;
}

Result<void> Connection::attach(io::Reactor& reactor, Fd socket) {
    reactor_ = &reactor;
    auto stream = reactor.adopt(std::move(socket));
    if (!stream) {
        closed_ = true;
        return stream.error();
    }
    stream_ = std::move(*stream);
    blocked_ = false;
    arm_liveness();
    stream_->set_handler(this);
    flush();
    return {};
}

void Connection::ping() {
    gathering_ = true;
    user_->on_ping();
    wire::Ping message;
    message.set_id(next_ping_++);
    message.set_sent(nanoseconds(reactor_->clock().now()));
    send(wire::FrameType::Ping, message);
    gathering_ = false;
    if (!reading_) flush();
}

void Connection::say_error(const Error& error, wire::ErrorCode code) {
    wire::Error message;
    message.set_code(code);
    message.set_text(error.message.substr(0, 2048));
    send(wire::FrameType::Error, message);
}

void Connection::fail(const Error& error, wire::ErrorCode code) {
    if (closed_) return;
    say_error(error, code);
    close({error});
}

void Connection::refuse(const Error& error, wire::ErrorCode code) {
    if (closed_) return;
    say_error(error, code);
    end();
}

void Connection::leave(wire::GoawayReason reason, const std::string& text) {
    if (closed_) return;
    flush();
    if (handshake_done_) {
        wire::Goaway goaway;
        goaway.set_reason(reason);
        goaway.set_text(text);
        send(wire::FrameType::Goaway, goaway);
        flush();
    }
    closed_ = true;
    reactor_->cancel(std::exchange(liveness_timer_, 0));
    // Unread bytes would turn the close into a reset, which may overtake what was just sent. Not without end:
    // a fast peer would keep us here for as long as it likes.
    std::byte scratch[4096];
    iovec part{scratch, sizeof scratch};
    for (std::size_t left = kMostDrained; left > 0;) {
        const io::IoResult got = stream_->read(std::span(&part, 1));
        if (got.status != io::IoResult::Status::Done) break;
        left -= std::min(left, got.bytes);
    }
    stream_->set_handler(nullptr);
}

void Connection::reset(const std::string& why) {
    if (closed_) return;
    stream_->abort_on_close();
    close({{Errc::Closed, why}});
}

void Connection::end() {
    flush();
    closed_ = true;
    reactor_->cancel(std::exchange(liveness_timer_, 0));
    stream_->set_handler(nullptr);
}

void Connection::close(Closing closing) {
    if (closed_) return;
    end();
    closing.handshake_done = handshake_done_;
    user_->on_closed(closing);
}

}  // namespace hawser::session
