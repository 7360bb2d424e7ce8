// The reactor interface: one thread that owns sockets and timers exclusively, and whatever state its handlers
// keep.
//
// Three implementations: epoll (epoll_reactor.h), io_uring later, and loopback (loopback_reactor.h), which
// runs inside the calling test on a manual clock and injects faults. Sessions are written against this header
// alone.
//
// Threads: everything here is called on the reactor's thread, except listen(), post(), notify(), run(),
// in_reactor_thread() and clock().
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "runtime/base/clock.h"
#include "runtime/base/result.h"

namespace hawser::io {

// Where to connect to or to listen on. `host` is a name or a literal address; IPv6 literals come without
// brackets.
struct Address {
    std::string host;
    std::uint16_t port = 0;

    // "host:port", "[v6]:port".
    std::string text() const;
    bool operator==(const Address&) const = default;
};

// What a read or write came to.
struct IoResult {
    enum class Status : std::uint8_t { Done, WouldBlock, Closed, Failed };
    Status status = Status::Done;
    std::size_t bytes = 0;  // with Done; never 0 then unless nothing was asked for
    int error = 0;          // errno, with Failed
};

class StreamHandler {
  public:
    // Edge-triggered: called when the stream becomes readable (closing and errors included); read until
    // WouldBlock.
    virtual void on_readable() = 0;
    // Called when a write that returned WouldBlock may be tried again.
    virtual void on_writable() = 0;

  protected:
    ~StreamHandler() = default;
};

// A connected byte stream. Non-blocking. Destroying it closes it; no handler runs after that.
class Stream {
  public:
    virtual ~Stream() = default;
    // Takes effect at once; on_readable() is called soon if there is something to read already. Null: no
    // calls.
    virtual void set_handler(StreamHandler* handler) = 0;
    virtual IoResult read(std::span<const iovec> into) = 0;
    virtual IoResult write(std::span<const iovec> from) = 0;
    // Makes the destructor reset the connection (RST) instead of closing it in order: what is under way is
    // lost.
    virtual void abort_on_close() = 0;
    virtual const std::string& peer_address() const = 0;  // "127.0.0.1:40312"
};

// A listening socket. Destroying it stops listening.
class ListenSocket {
  public:
    virtual ~ListenSocket() = default;
    virtual std::uint16_t port() const = 0;
};

// A connection attempt (name resolution included). Destroying it cancels it; its callback is then never
// called.
class Connecting {
  public:
    virtual ~Connecting() = default;
};

using TimerId = std::uint64_t;  // 0 is never given out

class Notifiable;

// What a queue of things with work needs in each; nobody else touches it (see notify_queue.h).
struct NotifyLink {
    std::atomic<bool> queued{false};
    std::atomic<Notifiable*> next{nullptr};
};

// A thing with work for the reactor, which any thread may announce again and again at the price of one atomic
// exchange. Owner: whoever derives from it; it must be unregistered with Reactor::forget() before it dies.
class Notifiable {
  public:
    virtual void on_notified() = 0;  // reactor thread
    NotifyLink link;

  protected:
    ~Notifiable() = default;
};

struct ConnectOptions {
    Duration timeout = std::chrono::seconds(5);  // for one address, resolution excluded
    std::function<void(const std::string& address)>
        on_resolved;  // optional: the name is resolved, connecting starts
};

class Reactor {
  public:
    using AcceptHandler = std::function<void(std::unique_ptr<Stream>)>;
    using ConnectHandler = std::function<void(Result<std::unique_ptr<Stream>>)>;

    virtual ~Reactor() = default;
    virtual const Clock& clock() const = 0;

    // Binds and listens at once, with a large backlog and SO_REUSEADDR. Name resolution here blocks (a
    // literal or a local name is meant). May be called from any thread. Errors: AddressInUse, NotFound,
    // Denied, ….
    virtual Result<std::unique_ptr<ListenSocket>> listen(const Address& address, AcceptHandler on_accept) = 0;

    // Resolves off-thread and tries each address in turn. The handler is called once, never from within
    // connect(). Errors: NotFound (no such host), Refused, Unreachable, TimedOut, ….
    virtual std::unique_ptr<Connecting> connect(const Address& address, const ConnectOptions& options,
                                                ConnectHandler done) = 0;

    // One-shot timers. A cancelled timer never runs; cancelling one that has run or 0 does nothing.
    virtual TimerId after(Duration delay, std::function<void()> run) = 0;
    virtual void cancel(TimerId timer) = 0;

    // Runs `task` on the reactor's thread soon. Any thread; tasks of one thread keep their order. Wakes the
    // reactor if it sleeps.
    virtual void post(std::function<void()> task) = 0;

    // Has thing.on_notified() called on the reactor's thread soon: once however often it was notified before
    // that. Any thread, no lock, no allocation; a system call only if the reactor sleeps (release store,
    // seq_cst fence, look at its flag).
    virtual void notify(Notifiable& thing) = 0;
    // After this returns, `thing` will not be called. Reactor thread, and nobody may notify() it any more.
    virtual void forget(Notifiable& thing) = 0;

    virtual bool in_reactor_thread() const = 0;

    // Runs `task` on the reactor's thread and waits for it; at once when on that thread already.
    void run(const std::function<void()>& task);
};

}  // namespace hawser::io
