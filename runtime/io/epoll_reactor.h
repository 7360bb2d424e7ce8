// The reactor on Linux's epoll: a thread of its own, edge-triggered, woken by an eventfd only while it
// sleeps.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/base/clock.h"
#include "runtime/base/fd.h"
#include "runtime/io/notify_queue.h"
#include "runtime/io/reactor.h"
#include "runtime/sched/timer_wheel.h"

namespace hawser::io {

class EpollReactor final : public Reactor {
  public:
    // Starts the thread. Fails where descriptors or threads have run out (NoResource).
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
    TimerId after(Duration delay, std::function<void()> run) override;
    void cancel(TimerId timer) override;
    void post(std::function<void()> task) override;
    void notify(Notifiable& thing) override;
    void forget(Notifiable& thing) override;
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

  private:
    struct Slot {
        Source* source = nullptr;
        std::uint32_t generation = 1;
    };

    EpollReactor(Fd epoll, Fd wake_up);
    void loop();
    void wake();
    int sleep_time();
    bool run_posted();

    const Fd epoll_;
    const Fd wake_up_;  // eventfd
    std::thread thread_;

    // Reactor thread.
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_slots_;
    sched::TimerWheel timers_;
    std::vector<std::function<void()>> running_;  // the posted tasks of this turn

    NotifyQueue notified_;

    // Any thread.
    std::mutex mutex_;
    std::vector<std::function<void()>> posted_;  // mutex_
    std::atomic<bool> has_posted_{false};
    std::atomic<bool> stopping_{false};
    alignas(64) std::atomic<bool> sleeping_{false};
};

}  // namespace hawser::io
