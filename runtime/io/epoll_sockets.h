// The sockets of the epoll reactor. Private to it.
//
// Each belongs to the reactor's thread and is a Source: events find it by a key that is retired with it, so
// any callback may destroy any of them, its own included. After calling out, a source touches nothing of
// itself before it asked the reactor whether its key is still enrolled.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "runtime/base/fd.h"
#include "runtime/io/epoll_reactor.h"
#include "runtime/io/resolver.h"
#include "runtime/io/tcp.h"

namespace hawser::io {

// There may be ten thousand of it: with its slot in the reactor and what malloc adds, 112 bytes at most.
class EpollStream final : public Stream, private EpollReactor::Source {
  public:
    // A connected socket.
    EpollStream(EpollReactor& reactor, Fd fd, const SocketAddress& peer);
    ~EpollStream() override;
    // Whether the system can watch it: an errno, or 0.
    int error() const { return error_; }

    void set_handler(StreamHandler* handler) override;
    IoResult read(std::span<const iovec> into) override;
    IoResult write(std::span<const iovec> from) override;
    void abort_on_close() override { abort_ = true; }
    std::string peer_address() const override { return peer_.text(); }
    void watch_readable(bool on) override;
    int descriptor() const override { return fd_.get(); }
    Fd release() override;

    // For who writes to descriptor() in write()'s place: false where nothing can be written any more; then
    // what sendmsg() said, or minus its errno.
    bool alive() const { return reactor_ != nullptr; }
    IoResult wrote(std::int64_t result);

  private:
    void on_events(std::uint32_t events) override;
    void orphan() override { reactor_ = nullptr; }
    // Has the system look again and report what there is.
    void watch();

    EpollReactor* reactor_;  // null once it is gone, or this is dead
    EpollReactor::Key key_;
    StreamHandler* handler_ = nullptr;
    Fd fd_;
    const CompactAddress peer_;
    std::uint8_t error_;
    bool write_blocked_ : 1 = false;
    bool abort_ : 1 = false;
    bool reported_ : 1 = false;  // an event came since the system was told to look
    bool ending_ : 1 = false;    // an event told of the end, or of an error
    // Not among the bits above: whoever reads in the reactor's place looks at it.
    bool reading_ = true;
    // A read got less than it asked for: there is nothing until the next event. Only while reading_.
    bool drained_ = false;
};
static_assert(sizeof(EpollStream) <= 72);

class EpollListener final : public ListenSocket, private EpollReactor::Source {
  public:
    EpollListener(EpollReactor& reactor, Fd fd, Reactor::AcceptHandler on_accept);
    // Any thread. Off the reactor's thread this waits until the reactor is through with it.
    ~EpollListener() override;

    // Begins to accept; an errno, or 0.
    int start();
    std::uint16_t port() const override { return port_; }

  private:
    void on_events(std::uint32_t events) override;
    void orphan() override { reactor_ = nullptr; }
    void pause(int error);
    void stop();

    std::atomic<EpollReactor*> reactor_;  // null once it is gone
    EpollReactor::Key key_ = 0;
    Fd fd_;
    TimerId retry_ = 0;
    bool complained_ = false;  // about the lack of descriptors, since the last success
    const std::uint16_t port_;
    // Shared, since a handler may destroy the listener while it runs.
    const std::shared_ptr<const Reactor::AcceptHandler> on_accept_;
};

class EpollConnecting final : public Connecting, private EpollReactor::Source {
  public:
    EpollConnecting(EpollReactor& reactor, Address address, const ConnectOptions& options,
                    Reactor::ConnectHandler done);
    ~EpollConnecting() override;

    void start();

  private:
    void on_events(std::uint32_t events) override;
    void orphan() override;
    // Has `step` run by the reactor, unless this is gone by then.
    void later(void (EpollConnecting::*step)());
    void resolved();
    void try_next();
    void failed(const std::string& tried, int error);
    void connected();
    // Last step: calls the handler, which may destroy this.
    void finish(Result<std::unique_ptr<Stream>> result);
    void drop_attempt();

    EpollReactor* reactor_;  // null once it is gone
    EpollReactor::Key key_;  // of the attempt under way
    const Address address_;
    const ConnectOptions options_;
    Reactor::ConnectHandler done_;
    std::shared_ptr<Resolution> resolution_;
    Result<std::vector<SocketAddress>> addresses_ = std::vector<SocketAddress>{};
    std::size_t next_ = 0;
    Fd fd_;
    TimerId timeout_ = 0;
    Error error_;  // the most telling one so far
    int error_rank_ = -1;
    // Posted steps hold it weakly, and find out that way that this is gone.
    std::shared_ptr<EpollConnecting*> self_;
};

// A socket whose stream is gone, until its peer has closed too or a moment has passed. Owns itself.
class LingeringSocket final : private EpollReactor::Source {
  public:
    static void close(EpollReactor& reactor, Fd fd);

  private:
    LingeringSocket(EpollReactor& reactor, Fd fd)
        : reactor_(reactor), fd_(std::move(fd)), key_(reactor.enroll(*this)) {}
    ~LingeringSocket() = default;
    void on_events(std::uint32_t events) override;
    void orphan() override { delete this; }
    // True while the peer may still have something to say.
    static bool drain(int fd);
    void end();

    EpollReactor& reactor_;
    Fd fd_;
    const EpollReactor::Key key_;
    TimerId timer_ = 0;
};

}  // namespace hawser::io
