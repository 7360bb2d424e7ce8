// The connections of the loopback reactor: two pipes, and the streams at their ends.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/io/loopback_reactor.h"

namespace hawser::io {

class LoopbackStream final : public Stream {
  public:
    LoopbackStream(std::shared_ptr<LoopbackConnection> connection, Direction reads, std::string peer)
        : connection_(std::move(connection)), reads_(reads), peer_(std::move(peer)) {
        connection_->side(reads_).stream = this;
    }
    ~LoopbackStream() override { connection_->close(reads_, abort_); }

    void set_handler(StreamHandler* handler) override { connection_->set_handler(reads_, handler); }
    IoResult read(std::span<const iovec> into) override { return connection_->read(reads_, into); }
    IoResult write(std::span<const iovec> from) override {
        return connection_->write(LoopbackConnection::other(reads_), from);
    }
    void abort_on_close() override { abort_ = true; }
    std::string peer_address() const override { return peer_; }
    void watch_readable(bool on) override { connection_->watch_readable(reads_, on); }
    int descriptor() const override { return -1; }
    Fd release() override { return {}; }

  private:
    const std::shared_ptr<LoopbackConnection> connection_;
    const Direction reads_;
    const std::string peer_;
    bool abort_ = false;
};

void LoopbackReactor::establish(const Address& address, const ConnectHandler& done) {
    const LoopbackListener* const listener = find_listener(address);
    const std::shared_ptr<LoopbackConnection> connection(new LoopbackConnection(*this, address));
    for (const Direction direction : {Direction::ToListener, Direction::ToCaller})
        connection->pipe(direction).faults = faults(direction);
    connections_.push_back(connection);
    const std::string caller = Address{"127.0.0.1", next_caller_port_++}.text();
    // Held by a pointer since an event must be copyable. The listener may be gone by the time of the event.
    const auto accepted = std::make_shared<std::unique_ptr<Stream>>(
        std::make_unique<LoopbackStream>(connection, Direction::ToListener, caller));
    soon([accepted, on_accept = accept_handler(*listener)] {
        if (const auto handler = on_accept.lock()) return (*handler)(std::move(*accepted));
        (*accepted)->abort_on_close();
        accepted->reset();
    });
    done(std::unique_ptr<Stream>(
        std::make_unique<LoopbackStream>(connection, Direction::ToCaller, peer_text(address))));
}

// --- Faults ---

void LoopbackConnection::cut() {
    if (std::exchange(cut_, true)) return;
    for (Pipe& one : pipes_) {
        one.chunks.clear();
        one.size = 0;
    }
    for (const Direction reads : {Direction::ToListener, Direction::ToCaller}) {
        signal_readable(reads);
        signal_writable(reads);
    }
}

void LoopbackConnection::cut_after(Direction direction, std::uint64_t bytes) {
    pipe(direction).faults.cut_after = pipe(direction).written + bytes;
}

void LoopbackConnection::freeze(Direction direction) {
    pipe(direction).faults.frozen = true;
}

void LoopbackConnection::thaw(Direction direction) {
    pipe(direction).faults.frozen = false;
    arrived(direction);
}

void LoopbackConnection::freeze() {
    freeze(Direction::ToListener);
    freeze(Direction::ToCaller);
}

void LoopbackConnection::thaw() {
    thaw(Direction::ToListener);
    thaw(Direction::ToCaller);
}

void LoopbackConnection::set_latency(Direction direction, Duration latency) {
    pipe(direction).faults.latency = latency;
}
void LoopbackConnection::limit_reads(Direction direction, std::size_t bytes) {
    pipe(direction).faults.most_a_read = bytes;
}
void LoopbackConnection::limit_writes(Direction direction, std::size_t bytes) {
    pipe(direction).faults.most_a_write = bytes;
}

bool LoopbackConnection::open() const {
    return !cut_ && sides_[0].stream != nullptr && sides_[1].stream != nullptr;
}
std::uint64_t LoopbackConnection::written(Direction direction) const {
    return pipe(direction).written;
}
std::size_t LoopbackConnection::under_way(Direction direction) const {
    return pipe(direction).size;
}

// --- The streams' ends ---

bool LoopbackConnection::end_arrived(Direction direction) const {
    const Pipe& from = pipe(direction);
    return from.end != End::None && !from.faults.frozen && from.end_arrives <= reactor_->clock().now();
}

bool LoopbackConnection::anything_to_read(Direction direction) const {
    const Pipe& from = pipe(direction);
    if (cut_ || end_arrived(direction)) return true;
    return !from.faults.frozen && !from.chunks.empty() &&
           from.chunks.front().arrives <= reactor_->clock().now();
}

IoResult LoopbackConnection::read(Direction direction, std::span<const iovec> into) {
    if (reactor_ == nullptr) return {IoResult::Status::Failed, 0, ECANCELED};
    if (cut_) return {IoResult::Status::Failed, 0, ECONNRESET};
    Pipe& from = pipe(direction);
    const TimePoint now = reactor_->clock().now();
    std::size_t left = std::max<std::size_t>(from.faults.most_a_read, 1);
    std::size_t done = 0;
    std::size_t asked = 0;
    for (const iovec& part : into) {
        asked += part.iov_len;
        std::size_t filled = 0;
        while (!from.faults.frozen && filled < part.iov_len && left > 0 && !from.chunks.empty() &&
               from.chunks.front().arrives <= now) {
            Chunk& chunk = from.chunks.front();
            const std::size_t count =
                std::min({part.iov_len - filled, left, chunk.bytes.size() - chunk.taken});
            std::memcpy(static_cast<char*>(part.iov_base) + filled, chunk.bytes.data() + chunk.taken, count);
            chunk.taken += count;
            filled += count;
            done += count;
            left -= count;
            if (chunk.taken == chunk.bytes.size()) from.chunks.pop_front();
        }
    }
    if (done > 0) {
        from.size -= done;
        if (from.size < from.faults.capacity) signal_writable(other(direction));
        return {IoResult::Status::Done, done, 0};
    }
    if (asked == 0) return {IoResult::Status::Done, 0, 0};
    if (from.chunks.empty() && end_arrived(direction)) {
        if (from.end == End::Reset) return {IoResult::Status::Failed, 0, ECONNRESET};
        return {IoResult::Status::Closed, 0, 0};
    }
    return {IoResult::Status::WouldBlock, 0, 0};
}

IoResult LoopbackConnection::write(Direction direction, std::span<const iovec> from) {
    if (reactor_ == nullptr) return {IoResult::Status::Failed, 0, ECANCELED};
    if (cut_) return {IoResult::Status::Failed, 0, ECONNRESET};
    // The far end is closed, and this end knows.
    if (end_arrived(other(direction))) {
        return {IoResult::Status::Failed, 0, pipe(other(direction)).end == End::Reset ? ECONNRESET : EPIPE};
    }
    Pipe& to = pipe(direction);
    std::size_t asked = 0;
    for (const iovec& part : from) asked += part.iov_len;
    if (asked == 0) return {IoResult::Status::Done, 0, 0};
    const std::size_t room = to.faults.capacity - std::min(to.size, to.faults.capacity);
    if (room == 0) {
        side(other(direction)).write_blocked = true;
        return {IoResult::Status::WouldBlock, 0, 0};
    }
    const std::size_t count = std::min({asked, room, std::max<std::size_t>(to.faults.most_a_write, 1)});
    if (to.faults.cut_after) {
        const std::uint64_t before_cut = *to.faults.cut_after - std::min(to.written, *to.faults.cut_after);
        if (before_cut <= count) {
            to.written += before_cut;
            cut();
            if (before_cut == 0) return {IoResult::Status::Failed, 0, ECONNRESET};
            return {IoResult::Status::Done, before_cut, 0};
        }
    }
    std::string bytes;
    for (const iovec& part : from) {
        bytes.append(static_cast<const char*>(part.iov_base), std::min(part.iov_len, count - bytes.size()));
    }
    to.written += count;
    to.size += count;
    TimePoint arrives = reactor_->clock().now() + to.faults.latency;
    if (!to.chunks.empty()) arrives = std::max(arrives, to.chunks.back().arrives);
    if (!to.chunks.empty() && to.chunks.back().arrives == arrives) {
        to.chunks.back().bytes += bytes;
    } else {
        to.chunks.push_back({arrives, std::move(bytes)});
    }
    arrive_at(direction, arrives);
    return {IoResult::Status::Done, count, 0};
}

void LoopbackConnection::set_handler(Direction reads, StreamHandler* handler) {
    side(reads).handler = handler;
    if (handler == nullptr || reactor_ == nullptr) return;
    if (anything_to_read(reads)) signal_readable(reads);
    const Pipe& to = pipe(other(reads));
    if (to.size < to.faults.capacity || cut_) signal_writable(reads);
}

void LoopbackConnection::watch_readable(Direction reads, bool on) {
    if (std::exchange(side(reads).reading, on) == on || reactor_ == nullptr) return;
    if (on && anything_to_read(reads)) signal_readable(reads);
}

void LoopbackConnection::close(Direction reads, bool reset) {
    side(reads).stream = nullptr;
    side(reads).handler = nullptr;
    if (reactor_ == nullptr || cut_) return;
    Pipe& to = pipe(other(reads));
    if (reset) {
        to.chunks.clear();
        to.size = 0;
    }
    to.end = reset ? End::Reset : End::Closed;
    to.end_arrives = reactor_->clock().now() + to.faults.latency;
    if (!to.chunks.empty()) to.end_arrives = std::max(to.end_arrives, to.chunks.back().arrives);
    arrive_at(other(reads), to.end_arrives);
}

// --- Edges ---

void LoopbackConnection::arrive_at(Direction direction, TimePoint when) {
    const TimePoint now = reactor_->clock().now();
    if (when <= now) return arrived(direction);
    reactor_->after(when - now, [self = shared_from_this(), direction] { self->arrived(direction); });
}

void LoopbackConnection::arrived(Direction direction) {
    if (reactor_ == nullptr) return;
    if (anything_to_read(direction)) signal_readable(direction);
    // Who waits to write into a connection that is no more shall find out.
    if (end_arrived(direction)) signal_writable(direction);
}

void LoopbackConnection::signal_readable(Direction reads) {
    Side& to = side(reads);
    if (reactor_ == nullptr || to.handler == nullptr || !to.reading || std::exchange(to.read_event, true))
        return;
    reactor_->soon([self = shared_from_this(), reads] {
        Side& now = self->side(reads);
        now.read_event = false;
        if (now.handler != nullptr && now.reading && self->anything_to_read(reads))
            now.handler->on_readable();
    });
}

void LoopbackConnection::signal_writable(Direction reads) {
    Side& to = side(reads);
    if (reactor_ == nullptr || to.handler == nullptr || !to.write_blocked ||
        std::exchange(to.write_event, true))
        return;
    reactor_->soon([self = shared_from_this(), reads] {
        Side& now = self->side(reads);
        now.write_event = false;
        if (now.handler != nullptr && std::exchange(now.write_blocked, false)) now.handler->on_writable();
    });
}

}  // namespace hawser::io
