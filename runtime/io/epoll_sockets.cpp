#include "runtime/io/epoll_sockets.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "runtime/base/log.h"

namespace hawser::io {
namespace {

constexpr std::uint32_t kReadEvents = EPOLLIN | EPOLLRDHUP;
constexpr std::uint32_t kWriteEvents = EPOLLOUT | EPOLLET;
constexpr std::uint32_t kReadable = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr std::uint32_t kEnding = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr std::uint32_t kWritable = EPOLLOUT | EPOLLHUP | EPOLLERR;

constexpr Duration kAcceptPause = std::chrono::milliseconds(100);
constexpr int kAcceptsATurn = 64;  // a listener is level-triggered: the rest comes with the next turn

constexpr Duration kLinger = std::chrono::seconds(1);
constexpr int kDrainsATurn = 16;

}  // namespace

// --- Stream ---

EpollStream::EpollStream(EpollReactor& reactor, Fd fd, const SocketAddress& peer)
    : reactor_(&reactor), key_(reactor.enroll(*this)), fd_(std::move(fd)), peer_(peer) {
    error_ = static_cast<std::uint8_t>(
        reactor.control(EPOLL_CTL_ADD, fd_.get(), kReadEvents | kWriteEvents, key_));
}

EpollStream::~EpollStream() {
    if (abort_ && fd_) tcp::reset_on_close(fd_.get());
    if (reactor_ == nullptr) return;
    reactor_->retire(key_);
    if (!abort_ && error_ == 0) reactor_->close_in_order(std::move(fd_));
}

void EpollStream::set_handler(StreamHandler* handler) {
    handler_ = handler;
    // Edges which nobody, or another one, heard are gone.
    if (handler != nullptr && reported_) watch();
}

void EpollStream::watch_readable(bool on) {
    if (reading_ == on) return;
    reading_ = on;
    watch();
}

void EpollStream::watch() {
    if (reactor_ == nullptr) return;
    const std::uint32_t events = kWriteEvents | (reading_ ? kReadEvents : 0);
    if (const int error = reactor_->control(EPOLL_CTL_MOD, fd_.get(), events, key_); error != 0)
        log().error("cannot watch the connection to {}: {}", peer_.text(), describe_errno(error));
    reported_ = false;
    drained_ = false;
}

Fd EpollStream::release() {
    if (reactor_ == nullptr) return {};
    reactor_->control(EPOLL_CTL_DEL, fd_.get(), 0, key_);
    reactor_->retire(key_);
    reactor_ = nullptr;
    return std::move(fd_);
}

IoResult EpollStream::read(std::span<const iovec> into) {
    if (reactor_ == nullptr) return {IoResult::Status::Failed, 0, ECANCELED};
    if (!reading_) return tcp::read(fd_.get(), into);
    // Edges make the look that would say WouldBlock unnecessary, unless the event that brought these bytes
    // told of their end as well: no other would.
    if (drained_) return {IoResult::Status::WouldBlock, 0, 0};
    const IoResult got = tcp::read(fd_.get(), into);
    drained_ = got.status == IoResult::Status::Done && !ending_ && got.bytes < tcp::size_of(into);
    return got;
}

IoResult EpollStream::write(std::span<const iovec> from) {
    if (reactor_ == nullptr) return {IoResult::Status::Failed, 0, ECANCELED};
    reactor_->count_writes(1);
    const IoResult result = tcp::write(fd_.get(), from);
    if (result.status == IoResult::Status::WouldBlock) write_blocked_ = true;
    return result;
}

IoResult EpollStream::wrote(std::int64_t result) {
    if (result >= 0) return {IoResult::Status::Done, static_cast<std::size_t>(result), 0};
    if (result != -EAGAIN) return {IoResult::Status::Failed, 0, static_cast<int>(-result)};
    write_blocked_ = true;
    return {IoResult::Status::WouldBlock, 0, 0};
}

void EpollStream::on_events(std::uint32_t events) {
    const EpollReactor& reactor = *reactor_;
    const EpollReactor::Key key = key_;
    reported_ = true;
    if ((events & kReadable) != 0) drained_ = false;
    if ((events & kEnding) != 0) ending_ = true;
    if ((events & kReadable) != 0 && reading_ && handler_ != nullptr) {
        handler_->on_readable();
        if (!reactor.enrolled(key)) return;
    }
    if ((events & kWritable) != 0 && write_blocked_ && handler_ != nullptr) {
        write_blocked_ = false;
        handler_->on_writable();
    }
}

// --- Listener ---

EpollListener::EpollListener(EpollReactor& reactor, Fd fd, Reactor::AcceptHandler on_accept)
    : reactor_(&reactor),
      fd_(std::move(fd)),
      port_(local_address(fd_.get()).port()),
      on_accept_(std::make_shared<const Reactor::AcceptHandler>(std::move(on_accept))) {}

EpollListener::~EpollListener() {
    if (EpollReactor* const reactor = reactor_.load()) reactor->run([this] { stop(); });
}

int EpollListener::start() {
    key_ = reactor_.load()->enroll(*this);
    return reactor_.load()->control(EPOLL_CTL_ADD, fd_.get(), EPOLLIN, key_);
}

void EpollListener::stop() {
    EpollReactor* const reactor = reactor_.load();
    if (reactor == nullptr) return;
    reactor->cancel(retry_);
    reactor->retire(key_);
    fd_.reset();
}

void EpollListener::on_events(std::uint32_t) {
    EpollReactor& reactor = *reactor_.load();
    const EpollReactor::Key key = key_;
    const auto on_accept = on_accept_;
    for (int turn = 0; turn < kAcceptsATurn; ++turn) {
        SocketAddress peer;
        peer.length = sizeof peer.storage;
        Fd fd(::accept4(fd_.get(), reinterpret_cast<sockaddr*>(&peer.storage), &peer.length,
                        SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!fd) {
            const int error = errno;
            if (error == EAGAIN || error == EWOULDBLOCK) return;
            if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM)
                return pause(error);
            // EINTR, ECONNABORTED and the network errors of accept(2) concern one connection, which is gone;
            // the next counts.
            continue;
        }
        complained_ = false;
        tcp::set_pacing(fd.get(), peer);
        auto stream = std::make_unique<EpollStream>(reactor, std::move(fd), peer);
        if (stream->error() != 0) {
            log().warn("turned away {}: cannot watch another connection ({})", peer.text(),
                       describe_errno(stream->error()));
            continue;
        }
        (*on_accept)(std::move(stream));
        if (!reactor.enrolled(key)) return;
    }
}

// Out of descriptors: the connection stays in the backlog, and the listener would be readable all the time.
void EpollListener::pause(int error) {
    EpollReactor& reactor = *reactor_.load();
    if (!std::exchange(complained_, true)) {
        log().warn(
            "cannot accept on port {}: {}; trying again ten times a second (raise the limit: ulimit -n)",
            port_, describe_errno(error));
    }
    reactor.control(EPOLL_CTL_DEL, fd_.get(), 0, key_);
    retry_ = reactor.after(kAcceptPause, [this] {
        retry_ = 0;
        EpollReactor& again = *reactor_.load();
        if (const int failed = again.control(EPOLL_CTL_ADD, fd_.get(), EPOLLIN, key_); failed != 0)
            pause(failed);
    });
}

// --- Connecting ---

EpollConnecting::EpollConnecting(EpollReactor& reactor, Address address, const ConnectOptions& options,
                                 Reactor::ConnectHandler done)
    : reactor_(&reactor),
      key_(reactor.enroll(*this)),
      address_(std::move(address)),
      options_(options),
      done_(std::move(done)),
      self_(std::make_shared<EpollConnecting*>(this)) {}

EpollConnecting::~EpollConnecting() {
    if (resolution_) resolution_->cancel();
    if (reactor_ == nullptr) return;
    drop_attempt();
    reactor_->retire(key_);
}

void EpollConnecting::orphan() {
    if (resolution_) resolution_->cancel();
    self_.reset();
    reactor_ = nullptr;
}

void EpollConnecting::later(void (EpollConnecting::*step)()) {
    reactor_->post([weak = std::weak_ptr(self_), step] {
        if (const auto self = weak.lock()) ((*self)->*step)();
    });
}

void EpollConnecting::start() {
    addresses_ = resolve(address_, Resolve::Literal);
    if (addresses_.ok()) return later(&EpollConnecting::resolved);
    resolution_ = resolve_in_background(address_, [reactor = reactor_, weak = std::weak_ptr(self_)](
                                                      Result<std::vector<SocketAddress>> result) {
        // On a helper thread; the reactor is alive, since cancel() comes before its end.
        reactor->post([weak, result = std::move(result)]() mutable {
            const auto self = weak.lock();
            if (!self) return;
            (*self)->addresses_ = std::move(result);
            (*self)->resolved();
        });
    });
}

void EpollConnecting::resolved() {
    if (!addresses_.ok()) return finish(addresses_.error());
    if (options_.on_resolved) {
        const EpollReactor& reactor = *reactor_;
        const EpollReactor::Key key = key_;
        // A copy: the callback may destroy this.
        const auto on_resolved = options_.on_resolved;
        on_resolved(addresses_.value().front().text());
        if (!reactor.enrolled(key)) return;
    }
    try_next();
}

void EpollConnecting::try_next() {
    while (next_ < addresses_.value().size()) {
        const SocketAddress& to = addresses_.value()[next_++];
        tcp::Attempt attempt = tcp::start_connect(to);
        if (attempt.fd) {
            // A new key, so that what is under way for the attempt before does not speak for this one.
            reactor_->retire(key_);
            key_ = reactor_->enroll(*this);
            fd_ = std::move(attempt.fd);
            attempt.error = reactor_->control(EPOLL_CTL_ADD, fd_.get(), EPOLLOUT | EPOLLET, key_);
            if (attempt.error == 0) {
                timeout_ = reactor_->after(options_.timeout, [this] {
                    timeout_ = 0;
                    failed(addresses_.value()[next_ - 1].text(), ETIMEDOUT);
                    drop_attempt();
                    try_next();
                });
                return;
            }
            drop_attempt();
        }
        failed(to.text(), attempt.error);
    }
    finish(error_);
}

// Of several addresses, the error that says most is reported: "refused" comes from a machine that is there.
void EpollConnecting::failed(const std::string& tried, int error) {
    Error one = tcp::connect_error(address_, tried, error);
    const int rank = one.code == Errc::Refused       ? 3
                     : one.code == Errc::TimedOut    ? 2
                     : one.code == Errc::Unreachable ? 0
                                                     : 1;
    if (rank <= error_rank_) return;
    error_rank_ = rank;
    error_ = std::move(one);
}

void EpollConnecting::on_events(std::uint32_t) {
    if (!fd_) return;
    int error = 0;
    switch (tcp::connect_progress(fd_.get(), error)) {
        case tcp::Progress::Pending:
            return;
        case tcp::Progress::Connected:
            return connected();
        case tcp::Progress::Failed:
            failed(addresses_.value()[next_ - 1].text(), error);
            drop_attempt();
            return try_next();
    }
}

void EpollConnecting::connected() {
    const SocketAddress peer = remote_address(fd_.get());
    reactor_->control(EPOLL_CTL_DEL, fd_.get(), 0, key_);
    Fd fd = std::move(fd_);
    drop_attempt();
    auto stream = std::make_unique<EpollStream>(*reactor_, std::move(fd), peer);
    if (const int error = stream->error(); error != 0)
        return finish(tcp::connect_error(address_, peer.text(), error));
    finish(std::unique_ptr<Stream>(std::move(stream)));
}

void EpollConnecting::finish(Result<std::unique_ptr<Stream>> result) {
    const Reactor::ConnectHandler done = std::exchange(done_, nullptr);
    done(std::move(result));
}

void EpollConnecting::drop_attempt() {
    reactor_->cancel(std::exchange(timeout_, 0));
    fd_.reset();
}

// --- Lingering ---

void LingeringSocket::close(EpollReactor& reactor, Fd fd) {
    ::shutdown(fd.get(), SHUT_WR);
    if (!drain(fd.get())) return;
    auto* const self = new LingeringSocket(reactor, std::move(fd));
    // The stream's registration ends with its key, but stays with the descriptor: it is modified, not added.
    if (reactor.control(EPOLL_CTL_MOD, self->fd_.get(), EPOLLIN | EPOLLRDHUP, self->key_) != 0)
        return self->end();
    self->timer_ = reactor.after(kLinger, [self] { self->end(); });
}

bool LingeringSocket::drain(int fd) {
    std::array<char, 16384> scrap;
    const iovec into{scrap.data(), scrap.size()};
    for (int turn = 0; turn < kDrainsATurn; ++turn) {
        const IoResult got = tcp::read(fd, {&into, 1});
        if (got.status == IoResult::Status::WouldBlock) return true;
        if (got.status != IoResult::Status::Done) return false;
    }
    return true;
}

void LingeringSocket::on_events(std::uint32_t) {
    if (!drain(fd_.get())) end();
}

void LingeringSocket::end() {
    reactor_.cancel(timer_);
    reactor_.retire(key_);
    delete this;
}

}  // namespace hawser::io
