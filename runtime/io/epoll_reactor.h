// The reactor on Linux's epoll: a thread of its own, edge-triggered, woken by an eventfd only while it
// sleeps.
//
// A turn is: events, timers, notifications (posted tasks are such). A mutex is held for it and given up only
// while the thread sleeps; who stands in for the reactor holds it instead, and takes over the duty to look
// for work after saying "asleep". Where it leaves a timer that is due before the thread would wake, it sets
// an alarm (a timerfd): to wake the thread now, only that it sleeps for a shorter time, would cost both more.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "runtime/base/clock.h"
#include "runtime/base/fd.h"
#include "runtime/io/notify_queue.h"
#include "runtime/io/reactor.h"
#include "runtime/sched/timer_wheel.h"

namespace hawser::io {

struct EpollEvents;

class EpollReactor : public Reactor {
  public:
    // Starts its thread. Fails where descriptors or threads have run out (NoResource).
    static Result<std::unique_ptr<EpollReactor>> create();

    // Runs what was posted before, then ends the thread and joins it. Any thread but its own. Its streams,
    // listeners and connection attempts should be gone by now; those that are left get no more calls and fail
    // every read and write.
    ~EpollReactor() override;

    const Clock& clock() const override { return SteadyClock::instance(); }
    // Not on the reactor's thread: the first connections may arrive before this returns.
    Result<std::unique_ptr<ListenSocket>> listen(const Address& address, AcceptHandler on_accept) override;
    std::unique_ptr<Connecting> connect(const Address& address, const ConnectOptions& options,
                                        ConnectHandler done) override;
    void write_all(std::span<Write> writes) override;
    Result<std::unique_ptr<Stream>> adopt(Fd socket) override;
    TimerId after(Duration delay, std::function<void()> run) override;
    void cancel(TimerId timer) override;
    void post(std::function<void()> task) override;
    void notify(Notifiable& thing) override;
    void forget(Notifiable& thing) override;
    void nap(Duration at_most) override;
    void notify_lazily(Notifiable& thing) override;
    bool try_enter() override;
    void leave() override;
    void set_busy_poll(Duration spin) override;
    TurnStats turn_stats() const override;
    std::uint64_t busy_ns() const override { return busy_ns_.load(std::memory_order_relaxed); }
    bool in_reactor_thread() const override;

    // Asks the thread to end soon, without waiting for it. Any thread.
    void stop();

    // --- For its sockets; reactor thread ---

    // Something that epoll events are for. It may destroy itself, or any other, from within its calls.
    class Source {
      public:
        virtual void on_events(std::uint32_t events) = 0;
        // The reactor is about to die: it must not be used any more.
        virtual void orphan() = 0;

      protected:
        ~Source() = default;
    };
    // A key never names another source later on, so that an event which is already under way finds nobody.
    using Key = std::uint64_t;
    Key enroll(Source& source);
    void retire(Key key);
    bool enrolled(Key key) const;
    // epoll_ctl() with `operation`; the errno, or 0.
    int control(int operation, int fd, std::uint32_t events, Key key);

    // Closes `fd` in order: says that nothing more comes and drops what the peer still sends for a moment,
    // since closing with unread data would reset the connection and could destroy what was sent last. Never
    // waits.
    void close_in_order(Fd fd);

    void count_writes(std::uint64_t tried) { add(writes_, tried); }

  protected:
    // What a reactor begins with.
    struct Descriptors {
        Fd epoll;
        Fd wake_up;  // eventfd
        Fd alarm;    // timerfd
    };
    static Result<Descriptors> open();
    explicit EpollReactor(Descriptors descriptors);
    // Starts the thread. Where a class derives from this one, its destructor must end() it first.
    Result<void> start();
    void end();

  private:
    static constexpr std::uint32_t kNone = ~0u;
    static constexpr TimePoint kNever = TimePoint::max();

    struct Slot {
        Source* source = nullptr;
        std::uint32_t generation = 1;
        std::uint32_t next_free = kNone;
    };
    // What announcers of work need to know.
    enum class State : std::uint8_t {
        Awake,    // it will look for work before it sleeps
        Napping,  // it sleeps, but for a while only
        Asleep,
    };

    void loop();
    void dispatch(EpollEvents& events);
    void wait(EpollEvents& events, TimePoint& now);
    bool spin(EpollEvents& events, TimePoint& now, TimePoint until);
    // Sleeps until `until` without the turn.
    void sleep(EpollEvents& events, TimePoint now, TimePoint until);
    bool work_waiting() const;
    TimePoint wait_until() const;
    State resting() const { return nap_until_ == kNever ? State::Asleep : State::Napping; }
    void wake();
    void sleep_only_until(TimePoint until);
    // Of counters with one writer at a time.
    static void add(std::atomic<std::uint64_t>& counter, std::uint64_t more) {
        counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
    }

    const Descriptors descriptors_;
    std::thread thread_;

    // Whose turn it is. All down to `notified_` belongs to who holds it.
    std::mutex turn_;
    std::deque<Slot> slots_;  // which does not double
    std::uint32_t free_slot_ = kNone;
    sched::TimerWheel timers_;
    TimePoint nap_until_ = kNever;
    TimePoint sleeps_until_ = kNever;      // the thread, at the latest
    const EpollReactor* outer_ = nullptr;  // whose thread it is otherwise that stands in

    NotifyQueue notified_;

    // Any thread.
    std::atomic<bool> stopping_{false};
    std::atomic<std::int64_t> busy_poll_{0};  // ns
    std::atomic<std::uint64_t> busy_ns_{0};
    std::atomic<std::uint64_t> turns_{0};
    std::atomic<std::uint64_t> wakes_{0};
    std::atomic<std::uint64_t> writes_{0};
    alignas(64) std::atomic<State> state_{State::Awake};
    // The thread has slept and wants its turn: nobody else shall begin to stand in.
    std::atomic<bool> returning_{false};
};

}  // namespace hawser::io
