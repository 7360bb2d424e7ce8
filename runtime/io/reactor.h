// The reactor interface: one thread that owns sockets and timers exclusively, and whatever state its handlers
// keep.
//
// Three implementations: epoll (epoll_reactor.h), io_uring (uring_reactor.h), and loopback
// (loopback_reactor.h), which runs inside the calling test on a manual clock and injects faults. Sessions are
// written against this header alone.
//
// Threads: everything here is called on the reactor's thread, except listen(), post(), notify(),
// notify_lazily(), run(), try_enter(), set_busy_poll(), turn_stats(), busy_ns(), in_reactor_thread() and
// clock(). "The reactor's thread" is whoever runs the reactor at that moment: its own thread, or one that
// stands in for it (see try_enter()).
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "runtime/base/clock.h"
#include "runtime/base/fd.h"
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
    virtual std::string peer_address() const = 0;  // "127.0.0.1:40312"; of a broken connection too

    // False: on_readable() is not called until it is true again; then soon, if there is something. For
    // whoever reads in the reactor's place: waits with poll(2) on descriptor() and calls read() on its own
    // thread, while nobody else reads and the stream lives. One system call. True at first.
    virtual void watch_readable(bool on) = 0;
    // -1: there is none (loopback), or it was released.
    virtual int descriptor() const = 0;
    // Takes the socket out of this reactor, with what is unread in it, for another one to adopt(). The stream
    // is dead then: no calls, and every read and write fails. An invalid Fd: it cannot (loopback, or it is
    // dead already), and the stream goes on as it is.
    virtual Fd release() = 0;
};

// One write of many (see Reactor::write_all()).
struct Write {
    Stream* stream;  // of that reactor
    std::span<const iovec> parts;
    IoResult result;
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
    enum class Queued : std::uint8_t { No, Lazily, Urgently };
    std::atomic<Queued> queued{Queued::No};
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

// What a reactor has done since it began.
struct TurnStats {
    std::uint64_t busy_ns = 0;  // its thread's time neither asleep nor spinning (see set_busy_poll())
    std::uint64_t turns = 0;    // rounds of events, timers and notifications
    std::uint64_t wakes = 0;    // times it slept and went on
    std::uint64_t writes = 0;   // tried on streams
};

// What moves the bytes.
enum class Engine : std::uint8_t {
    Auto,  // what measured better among those that this system allows
    Epoll,
    IoUring,
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

    // Tries every write once, as its stream's write() would, and fills in the results. Cheaper than one by
    // one where the engine can hand many over in one system call. Each stream at most once.
    virtual void write_all(std::span<Write> writes) = 0;

    // A stream for a connected TCP socket, such as another reactor released. Errors: NoResource, and `socket`
    // is closed.
    virtual Result<std::unique_ptr<Stream>> adopt(Fd socket) = 0;

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

    // Coalescing. nap(): the coming sleep lasts no longer than `at_most` (to the µs where the system can),
    // and what is notified lazily, before or during it, waits for its end. Anything that happens ends it
    // early and has the lazy things called too: a socket's event, a timer, a post() or notify(). Whoever is
    // called too soon for its taste may notify_lazily() and nap() again. Of several naps before one sleep the
    // shortest counts.
    virtual void nap(Duration at_most) = 0;
    // As notify(), but does not wake a reactor that naps. Any thread.
    virtual void notify_lazily(Notifiable& thing) = 0;

    // Standing in for the reactor while it sleeps (leader–follower), which saves the two threads' hand-over.
    // try_enter(): true where it sleeps and nobody else stands in. Then this thread is the reactor's
    // (everything here may be called, streams be written, its state be touched) until leave(), which must
    // come soon and on the same thread: nothing else of the reactor's runs meanwhile. It is a turn as any
    // other: it ends a nap, and another one may be asked for in it. leave() also calls what was posted and
    // notified, lazily or not, before or in the meantime, some rounds of it, and wakes the reactor if more is
    // left. If a timer or nap now ends earlier than it sleeps for, it wakes by then. Any thread; never
    // blocks. The caller must hold no lock that any handler, task or timer of the reactor takes, and must not
    // be what keeps the reactor alive and let go of it inside (shared_reactor()'s owners may).
    virtual bool try_enter() = 0;
    virtual void leave() = 0;

    // Spins that long before it sleeps, for those who pay for latency; 0: off (default). Any thread.
    // Who shares the reactor uses BusyPoll instead.
    virtual void set_busy_poll(Duration spin) = 0;

    virtual TurnStats turn_stats() const = 0;   // any thread
    virtual std::uint64_t busy_ns() const = 0;  // of turn_stats()

    virtual bool in_reactor_thread() const = 0;

    // Runs `task` on the reactor's thread and waits for it; at once when on that thread already.
    void run(const std::function<void()>& task);
};

}  // namespace hawser::io
