#include "runtime/io/epoll_reactor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "runtime/base/log.h"
#include "runtime/io/background.h"
#include "runtime/io/epoll_sockets.h"

namespace hawser::io {
namespace {

constexpr int kEvents = 256;       // one epoll_wait()
constexpr int kLastRounds = 64;    // of posted tasks that post others while the reactor ends
constexpr int kLeavingRounds = 4;  // of notifications that who stood in runs before it goes
constexpr Duration kForEver{-1};
constexpr Duration kTimerSlack =
    std::chrono::microseconds(1);  // by default the system adds 50 µs to each sleep
// The epoll data of the eventfd and of the timerfd: no key looks like this.
constexpr std::uint64_t kWakeUp = ~std::uint64_t{0};

thread_local const EpollReactor* this_threads_reactor = nullptr;

Error no_resource(const char* what, int error) {
    return {Errc::NoResource, std::string("cannot start a reactor: ") + what + " failed (" +
                                  describe_errno(error) +
                                  "); raise the limit (ulimit -n, ulimit -u) or close something"};
}

struct PostedTask final : Notifiable {
    explicit PostedTask(std::function<void()> t) : task(std::move(t)) {}
    void on_notified() override {
        const std::unique_ptr<PostedTask> self(this);
        task();
    }
    const std::function<void()> task;
};

// epoll_pwait2() is in Linux 5.11 and later; sandboxes forbid what they do not know.
std::atomic<bool> has_fine_sleep{true};

}  // namespace

struct EpollEvents {
    std::array<epoll_event, kEvents> list;
    int count = 0;

    // Nothing has happened on a socket.
    bool none() const { return count <= 0 || (count == 1 && list[0].data.u64 == kWakeUp); }

    void look(int epoll) { count = ::epoll_wait(epoll, list.data(), kEvents, 0); }

    // Never shorter than `most`, so that a timer is late rather than early.
    void sleep(int epoll, Duration most) {
        if (most < Duration::zero()) {
            count = ::epoll_wait(epoll, list.data(), kEvents, -1);
            return;
        }
        if (has_fine_sleep.load(std::memory_order_relaxed)) {
            const auto seconds = std::chrono::floor<std::chrono::seconds>(most);
            const timespec timeout{seconds.count(), (most - seconds).count()};
            count = ::epoll_pwait2(epoll, list.data(), kEvents, &timeout, nullptr);
            if (count >= 0 || errno == EINTR) return;
            has_fine_sleep.store(false, std::memory_order_relaxed);
        }
        constexpr std::int64_t kMost = 24 * 3600 * 1000;
        const std::int64_t ms = std::chrono::ceil<std::chrono::milliseconds>(most).count();
        count = ::epoll_wait(epoll, list.data(), kEvents, static_cast<int>(std::min(kMost, ms)));
    }
};

Result<EpollReactor::Descriptors> EpollReactor::open() {
    Descriptors made{Fd(::epoll_create1(EPOLL_CLOEXEC)), Fd(), Fd()};
    if (!made.epoll) return no_resource("epoll_create1", errno);
    made.wake_up.reset(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!made.wake_up) return no_resource("eventfd", errno);
    // Where a sandbox forbids it, the thread is woken instead.
    made.alarm.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    for (const Fd* fd : {&made.wake_up, &made.alarm}) {
        if (!*fd) continue;
        epoll_event event{};
        event.events = EPOLLIN | EPOLLET;
        event.data.u64 = kWakeUp;
        if (::epoll_ctl(made.epoll.get(), EPOLL_CTL_ADD, fd->get(), &event) != 0)
            return no_resource("epoll_ctl", errno);
    }
    return made;
}

Result<std::unique_ptr<EpollReactor>> EpollReactor::create() {
    auto descriptors = open();
    if (!descriptors) return descriptors.error();
    std::unique_ptr<EpollReactor> reactor(new EpollReactor(std::move(*descriptors)));
    if (const Result<void> started = reactor->start(); !started) return started.error();
    return reactor;
}

EpollReactor::EpollReactor(Descriptors descriptors)
    : descriptors_(std::move(descriptors)), timers_(clock().now()) {}

Result<void> EpollReactor::start() {
    thread_ = start_thread("hawser-io", [this] { loop(); });
    if (!thread_.joinable()) return no_resource("starting a thread", EAGAIN);
    return {};
}

EpollReactor::~EpollReactor() {
    end();
    notified_.drop_all([](Notifiable* thing) { delete dynamic_cast<PostedTask*>(thing); });
}

void EpollReactor::end() {
    if (!thread_.joinable()) return;
    if (in_reactor_thread()) {
        log().critical("a reactor was destroyed on its own thread, which can never end well; aborting");
        std::abort();
    }
    stop();
    thread_.join();
}

void EpollReactor::stop() {
    stopping_.store(true);
    wake();
}

bool EpollReactor::in_reactor_thread() const {
    return this_threads_reactor == this;
}

// --- The loop ---

void EpollReactor::loop() {
    this_threads_reactor = this;
    ::prctl(PR_SET_TIMERSLACK, kTimerSlack.count());
    EpollEvents events;
    turn_.lock();
    TimePoint now = clock().now();
    while (!stopping_.load(std::memory_order_relaxed)) {
        wait(events, now);
        nap_until_ = kNever;
        dispatch(events);
        timers_.advance(now);
        notified_.run();
        const TimePoint began = std::exchange(now, clock().now());
        add(busy_ns_, static_cast<std::uint64_t>((now - began).count()));
        add(turns_, 1);
    }
    for (int round = 0; round < kLastRounds && notified_.run(); ++round) {
    }
    for (Slot& slot : slots_) {
        if (slot.source != nullptr) std::exchange(slot.source, nullptr)->orphan();
    }
    turn_.unlock();
    this_threads_reactor = nullptr;
}

void EpollReactor::dispatch(EpollEvents& events) {
    for (int i = 0; i < events.count; ++i) {
        const epoll_event& event = events.list[static_cast<std::size_t>(i)];
        // Neither is ever read: with edges each write and each alarm counts, and no eventfd comes to its
        // 2^64th.
        if (event.data.u64 == kWakeUp || !enrolled(event.data.u64)) continue;
        slots_[static_cast<std::uint32_t>(event.data.u64)].source->on_events(event.events);
    }
}

// `now` becomes the time after a sleep; where there was none it stays, and the look at the sockets counts as
// work.
void EpollReactor::wait(EpollEvents& events, TimePoint& now) {
    do {
        const TimePoint until = wait_until();
        if (work_waiting() || until <= now) return events.look(descriptors_.epoll.get());
        const Duration busy_poll(busy_poll_.load(std::memory_order_relaxed));
        if (busy_poll > Duration::zero() && spin(events, now, std::min(until, now + busy_poll))) return;
        // Who announces work does so first and looks at `state_` then; here it is the other way round. All of
        // it is sequentially consistent, so either the announcer sees us asleep or we see its work.
        sleeps_until_ = until;
        state_.store(resting());
        if (work_waiting() || until <= now) {
            state_.store(State::Awake, std::memory_order_relaxed);
            return events.look(descriptors_.epoll.get());
        }
        turn_.unlock();
        events.sleep(descriptors_.epoll.get(), until == kNever ? kForEver : until - now);
        returning_.store(true, std::memory_order_relaxed);
        turn_.lock();
        returning_.store(false, std::memory_order_relaxed);
        state_.store(State::Awake, std::memory_order_relaxed);
        add(wakes_, 1);
        now = clock().now();
        // Who stood in meanwhile may have prolonged the nap.
    } while (events.none() && nap_until_ != kNever && wait_until() > now && !work_waiting());
}

// True where something came. Nobody needs to wake us meanwhile.
bool EpollReactor::spin(EpollEvents& events, TimePoint& now, TimePoint until) {
    do {
        events.look(descriptors_.epoll.get());
        now = clock().now();
        if (events.count > 0 || work_waiting()) return true;
    } while (now < until);
    return false;
}

bool EpollReactor::work_waiting() const {
    if (stopping_.load()) return true;
    return nap_until_ == kNever ? !notified_.empty() : notified_.urgent();
}

TimePoint EpollReactor::wait_until() const {
    return std::min(timers_.next_expiry().value_or(kNever), nap_until_);
}

void EpollReactor::wake() {
    if (state_.load() == State::Awake || state_.exchange(State::Awake) == State::Awake) return;
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t put = ::write(descriptors_.wake_up.get(), &one, sizeof one);
}

void EpollReactor::sleep_only_until(TimePoint until) {
    if (until >= sleeps_until_) return;
    sleeps_until_ = until;
    const auto since = std::max(until.time_since_epoch(), Duration(1));  // zero would be no alarm
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
    const itimerspec alarm{{}, {seconds.count(), (since - seconds).count()}};
    if (::timerfd_settime(descriptors_.alarm.get(), TFD_TIMER_ABSTIME, &alarm, nullptr) != 0) wake();
}

// --- Standing in ---

bool EpollReactor::try_enter() {
    if (state_.load(std::memory_order_relaxed) == State::Awake || returning_.load(std::memory_order_relaxed))
        return false;
    if (!turn_.try_lock()) return false;
    // Whoever takes it from asleep to awake answers for what is announced from then on: here, until leave().
    if (state_.exchange(State::Awake) == State::Awake) {
        turn_.unlock();
        return false;
    }
    outer_ = std::exchange(this_threads_reactor, this);
    nap_until_ = kNever;  // this is a turn as any other
    return true;
}

void EpollReactor::leave() {
    // Also what waited for the end of the nap that this turn has put an end to.
    if (!notified_.empty()) notified_.run();
    for (int round = 1; round < kLeavingRounds && work_waiting() && !stopping_.load(); ++round) {
        nap_until_ = kNever;
        notified_.run();
    }
    this_threads_reactor = outer_;
    // The thread that waits for its turn looks for work anyway.
    if (!returning_.load(std::memory_order_relaxed)) {
        state_.store(resting());
        if (work_waiting())
            wake();
        else
            sleep_only_until(wait_until());
    }
    turn_.unlock();  // last: the reactor may be gone now
}

void EpollReactor::nap(Duration at_most) {
    nap_until_ = std::min(nap_until_, saturating_add(clock().now(), at_most));
}

void EpollReactor::set_busy_poll(Duration spin) {
    busy_poll_.store(spin.count(), std::memory_order_relaxed);
}

TurnStats EpollReactor::turn_stats() const {
    return {busy_ns(), turns_.load(std::memory_order_relaxed), wakes_.load(std::memory_order_relaxed),
            writes_.load(std::memory_order_relaxed)};
}

// --- What crosses threads ---

void EpollReactor::post(std::function<void()> task) {
    notify(*new PostedTask(std::move(task)));
}

void EpollReactor::notify(Notifiable& thing) {
    if (notified_.push(thing) && !in_reactor_thread()) wake();
}

void EpollReactor::notify_lazily(Notifiable& thing) {
    const NotifyQueue::Wake whom = notified_.push_lazily(thing);
    if (whom == NotifyQueue::Wake::Nothing || in_reactor_thread()) return;
    if (whom == NotifyQueue::Wake::Always || state_.load() == State::Asleep) wake();
}

void EpollReactor::forget(Notifiable& thing) {
    notified_.forget(thing);
}

// --- Timers ---

TimerId EpollReactor::after(Duration delay, std::function<void()> run) {
    return timers_.add(saturating_add(clock().now(), std::max(delay, Duration::zero())), std::move(run));
}

void EpollReactor::cancel(TimerId timer) {
    timers_.cancel(timer);
}

// --- Sources ---

EpollReactor::Key EpollReactor::enroll(Source& source) {
    std::uint32_t index = free_slot_;
    if (index == kNone) {
        index = static_cast<std::uint32_t>(slots_.size());
        slots_.emplace_back();
    } else {
        free_slot_ = slots_[index].next_free;
    }
    slots_[index].source = &source;
    return Key{slots_[index].generation} << 32 | index;
}

void EpollReactor::retire(Key key) {
    if (!enrolled(key)) return;
    const auto index = static_cast<std::uint32_t>(key);
    Slot& slot = slots_[index];
    slot.source = nullptr;
    ++slot.generation;
    slot.next_free = std::exchange(free_slot_, index);
}

bool EpollReactor::enrolled(Key key) const {
    const auto index = static_cast<std::uint32_t>(key);
    return index < slots_.size() && slots_[index].generation == key >> 32 && slots_[index].source != nullptr;
}

int EpollReactor::control(int operation, int fd, std::uint32_t events, Key key) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = key;
    return ::epoll_ctl(descriptors_.epoll.get(), operation, fd, &event) == 0 ? 0 : errno;
}

void EpollReactor::close_in_order(Fd fd) {
    LingeringSocket::close(*this, std::move(fd));
}

// --- Sockets ---

Result<std::unique_ptr<ListenSocket>> EpollReactor::listen(const Address& address, AcceptHandler on_accept) {
    auto addresses = resolve(address, Resolve::Passive);
    if (!addresses) return addresses.error();
    auto fd = tcp::listen(address, *addresses);
    if (!fd) return fd.error();
    auto socket = std::make_unique<EpollListener>(*this, std::move(*fd), std::move(on_accept));
    int error = 0;
    run([&] { error = socket->start(); });
    if (error != 0) {
        return Error{Errc::NoResource, "cannot listen on " + address.text() +
                                           ": the system watches no more sockets (" + describe_errno(error) +
                                           "); see /proc/sys/fs/epoll/max_user_watches"};
    }
    return std::unique_ptr<ListenSocket>(std::move(socket));
}

Result<std::unique_ptr<Stream>> EpollReactor::adopt(Fd socket) {
    const SocketAddress peer = remote_address(socket.get());
    auto stream = std::make_unique<EpollStream>(*this, std::move(socket), peer);
    if (const int error = stream->error(); error != 0) {
        return Error{Errc::NoResource, "cannot watch the connection to " + peer.text() +
                                           ": the system watches " + "no more sockets (" +
                                           describe_errno(error) +
                                           "); see /proc/sys/fs/epoll/max_user_watches"};
    }
    return std::unique_ptr<Stream>(std::move(stream));
}

void EpollReactor::write_all(std::span<Write> writes) {
    for (Write& one : writes) one.result = one.stream->write(one.parts);
}

std::unique_ptr<Connecting> EpollReactor::connect(const Address& address, const ConnectOptions& options,
                                                  ConnectHandler done) {
    auto connecting = std::make_unique<EpollConnecting>(*this, address, options, std::move(done));
    connecting->start();
    return connecting;
}

}  // namespace hawser::io
