// A reactor for tests: a network inside one thread, on a clock that the test moves, with faults on request.
//
// Nothing happens but within run_until_idle(), advance() and advance_until(), and the same calls always lead
// to the same order of events. All "processes" of a test (publisher and subscribers) share one
// LoopbackReactor as their network. Streams are in-memory pipes of bounded capacity, so that WouldBlock
// happens; on_readable() and on_writable() are as strictly edge-triggered as epoll's. Host names: whatever is
// listened on exists; 127.0.0.1, ::1 and localhost are one host; a listener on "", "0.0.0.0" or "::" is found
// by every name.
//
// Threads: one, but for post(), notify(), notify_lazily(), run() and clock(), which others may call while
// that one keeps running it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/base/clock.h"
#include "runtime/io/notify_queue.h"
#include "runtime/io/reactor.h"

namespace hawser::io {

class LoopbackReactor;
class LoopbackStream;
class LoopbackListener;
class LoopbackConnecting;

// Which way bytes go.
enum class Direction : std::uint8_t { ToListener, ToCaller };

// What befalls the bytes of one direction.
struct LoopbackFaults {
    static constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();

    std::size_t most_a_read = kUnlimited;   // short reads; at least 1
    std::size_t most_a_write = kUnlimited;  // short writes; at least 1
    std::size_t capacity = 256 * 1024;      // bytes under way and unread; a full pipe says WouldBlock
    Duration latency{0};                    // from a write to when it can be read
    bool frozen = false;  // nothing arrives, the end of the stream included; writes fill the pipe
    std::optional<std::uint64_t>
        cut_after{};  // the connection is cut once so many bytes were written this way
};

// One connection, for as long as the test holds on to it.
class LoopbackConnection : public std::enable_shared_from_this<LoopbackConnection> {
  public:
    // Both ends find the connection reset at once, even a frozen one; what is under way is lost.
    void cut();
    // cut() once `bytes` more have been written in this direction; the last write is short there.
    void cut_after(Direction direction, std::uint64_t bytes);
    void freeze(Direction direction);
    void thaw(Direction direction);
    void freeze();  // both
    void thaw();
    // Changes what is to come; what is under way keeps its time.
    void set_latency(Direction direction, Duration latency);
    void limit_reads(Direction direction, std::size_t bytes);
    void limit_writes(Direction direction, std::size_t bytes);

    // Where it was made to; the caller's made-up address is peer_address() of the other end.
    const Address& address() const { return address_; }
    bool open() const;                                 // neither cut nor closed by either end
    std::uint64_t written(Direction direction) const;  // bytes since it was made
    std::size_t under_way(Direction direction) const;  // written and not yet read

  private:
    friend class LoopbackReactor;
    friend class LoopbackStream;

    struct Chunk {
        TimePoint arrives;
        std::string bytes;
        std::size_t taken = 0;  // of these, read already
    };
    // The end of a direction's bytes.
    enum class End : std::uint8_t { None, Closed, Reset };
    struct Pipe {
        LoopbackFaults faults;
        std::deque<Chunk> chunks;
        std::size_t size = 0;  // bytes in chunks
        std::uint64_t written = 0;
        End end = End::None;
        TimePoint end_arrives;
    };
    struct Side {
        LoopbackStream* stream = nullptr;  // null once destroyed
        StreamHandler* handler = nullptr;
        bool read_event = false;   // one is queued
        bool write_event = false;  // one is queued
        bool write_blocked = false;
        bool reading = true;  // see Stream::watch_readable()
    };

    explicit LoopbackConnection(LoopbackReactor& reactor, Address address)
        : reactor_(&reactor), address_(std::move(address)) {}
    // A side is named by the direction of what it reads.
    static constexpr std::size_t index(Direction direction) { return static_cast<std::size_t>(direction); }
    static constexpr Direction other(Direction direction) {
        return direction == Direction::ToListener ? Direction::ToCaller : Direction::ToListener;
    }
    Pipe& pipe(Direction direction) { return pipes_[index(direction)]; }
    const Pipe& pipe(Direction direction) const { return pipes_[index(direction)]; }
    Side& side(Direction reads) { return sides_[index(reads)]; }
    IoResult read(Direction direction, std::span<const iovec> into);
    IoResult write(Direction direction, std::span<const iovec> from);
    void set_handler(Direction reads, StreamHandler* handler);
    void watch_readable(Direction reads, bool on);
    void close(Direction reads, bool reset);
    bool end_arrived(Direction direction) const;
    bool anything_to_read(Direction direction) const;
    void signal_readable(Direction reads);
    void signal_writable(Direction reads);
    void arrive_at(Direction direction, TimePoint when);
    void arrived(Direction direction);

    LoopbackReactor* reactor_;  // null once it is gone
    const Address address_;
    bool cut_ = false;
    Pipe pipes_[2];
    Side sides_[2];
};

class LoopbackReactor final : public Reactor {
  public:
    LoopbackReactor();
    ~LoopbackReactor() override;

    // --- Driving it ---
    ManualClock& manual_clock() { return clock_; }
    // Runs everything that can run without time passing, timers that are due included. Returns how many steps
    // that took. A livelock ends the program with a message.
    std::size_t run_until_idle();
    // Lets time pass: stops at each timer and each arrival on the way, in order and at its exact time, and
    // runs until idle there.
    void advance(Duration by);
    // Lets time pass until `done` says so (asked whenever things are idle), for `limit` at most. Returns what
    // it said last.
    bool advance_until(const std::function<bool()>& done, Duration limit);

    // --- Faults ---
    // What new connections start with.
    LoopbackFaults& faults(Direction direction) { return new_faults_[static_cast<std::size_t>(direction)]; }
    // The connections ever made, in order, and the last of them that is still open (null: none is).
    const std::vector<std::shared_ptr<LoopbackConnection>>& connections() const { return connections_; }
    std::shared_ptr<LoopbackConnection> open_connection() const;
    void cut_all();
    // Connecting there fails with Refused, although someone listens.
    void refuse(const Address& address, bool on = true);
    // Connecting there is never answered: TimedOut.
    void ignore(const Address& address, bool on = true);
    // Connecting there fails with Unreachable.
    void unreachable(const Address& address, bool on = true);
    // The name does not resolve: NotFound.
    void unknown_host(const std::string& host, bool on = true);
    // How long each name takes to resolve.
    void set_resolve_time(Duration time) { resolve_time_ = time; }

    // --- Reactor ---
    const Clock& clock() const override { return clock_; }
    Result<std::unique_ptr<ListenSocket>> listen(const Address& address, AcceptHandler on_accept) override;
    std::unique_ptr<Connecting> connect(const Address& address, const ConnectOptions& options,
                                        ConnectHandler done) override;
    void write_all(std::span<Write> writes) override;
    // There are no sockets here: `socket` is closed, the error is Invalid.
    Result<std::unique_ptr<Stream>> adopt(Fd socket) override;
    TimerId after(Duration delay, std::function<void()> run) override;
    void cancel(TimerId timer) override;
    void post(std::function<void()> task) override;
    void notify(Notifiable& thing) override;
    void forget(Notifiable& thing) override;
    // In the clock's time. While it lasts, advance() and advance_until() stop at its end.
    void nap(Duration at_most) override;
    void notify_lazily(Notifiable& thing) override { notified_.push_lazily(thing); }
    // It never sleeps on another thread.
    bool try_enter() override { return false; }
    void leave() override {}
    void set_busy_poll(Duration spin) override { busy_poll_ = spin; }
    Duration busy_poll() const { return busy_poll_; }  // for tests
    TurnStats turn_stats() const override { return {}; }
    std::uint64_t busy_ns() const override { return 0; }
    bool in_reactor_thread() const override { return std::this_thread::get_id() == owner_; }

  private:
    friend class LoopbackConnection;
    friend class LoopbackListener;
    friend class LoopbackConnecting;

    enum class Fate : std::uint8_t { Refused, Ignored, Unreachable };
    using Timers = std::map<std::pair<TimePoint, TimerId>, std::function<void()>>;

    void soon(std::function<void()> event) { events_.push_back(std::move(event)); }
    bool run_due_timer();
    void end_nap() { nap_until_ = TimePoint::max(); }
    bool run_notified();
    TimePoint next_stop() const;
    void set_fate(const Address& address, Fate fate, bool on);
    LoopbackListener* find_listener(const Address& address);
    static std::weak_ptr<const AcceptHandler> accept_handler(const LoopbackListener& listener);
    static std::string peer_text(const Address& address);  // as a socket would name it
    void establish(const Address& address, const ConnectHandler& done);

    ManualClock clock_;
    Duration busy_poll_{};
    const std::thread::id owner_ = std::this_thread::get_id();
    NotifyQueue notified_;
    TimePoint nap_until_ = TimePoint::max();  // the latter: it does not nap
    std::mutex mutex_;
    std::vector<std::function<void()>> posted_;  // mutex_

    std::deque<std::function<void()>> events_;
    Timers timers_;
    std::map<TimerId, TimePoint> timer_times_;
    TimerId last_timer_ = 0;

    LoopbackFaults new_faults_[2];
    std::vector<std::shared_ptr<LoopbackConnection>> connections_;
    std::vector<LoopbackListener*> listeners_;
    std::set<LoopbackConnecting*> connecting_;
    std::map<std::string, Fate> fates_;  // by Address::text()
    std::set<std::string> unknown_hosts_;
    Duration resolve_time_{0};
    std::uint16_t next_port_ = 40000;
    std::uint16_t next_caller_port_ = 50000;
};

}  // namespace hawser::io
