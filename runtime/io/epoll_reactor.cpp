#include "runtime/io/epoll_reactor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
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

constexpr int kEvents = 256;     // one epoll_wait()
constexpr int kLastRounds = 64;  // of posted tasks that post others while the reactor ends
constexpr std::uint64_t kWakeUp = ~std::uint64_t{0};  // the eventfd's epoll data: no key looks like this

thread_local const EpollReactor* this_threads_reactor = nullptr;

Error no_resource(const char* what, int error) {
    return {Errc::NoResource, std::string("cannot start a reactor: ") + what + " failed (" +
                                  describe_errno(error) +
                                  "); raise the limit (ulimit -n, ulimit -u) or close something"};
}

}  // namespace

Result<std::unique_ptr<EpollReactor>> EpollReactor::create() {
    Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) return no_resource("epoll_create1", errno);
    Fd wake_up(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!wake_up) return no_resource("eventfd", errno);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.u64 = kWakeUp;
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake_up.get(), &event) != 0)
        return no_resource("epoll_ctl", errno);
    std::unique_ptr<EpollReactor> reactor(new EpollReactor(std::move(epoll), std::move(wake_up)));
    reactor->thread_ = start_thread("hawser-io", [self = reactor.get()] { self->loop(); });
    if (!reactor->thread_.joinable()) return no_resource("starting a thread", EAGAIN);
    return reactor;
}

EpollReactor::EpollReactor(Fd epoll, Fd wake_up)
    : epoll_(std::move(epoll)), wake_up_(std::move(wake_up)), timers_(clock().now()) {}

EpollReactor::~EpollReactor() {
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
    std::array<epoll_event, kEvents> events;
    while (!stopping_.load(std::memory_order_relaxed)) {
        // Who announces work does so first and looks at `sleeping_` then; here it is the other way round. All
        // of it is sequentially consistent, so either the announcer sees us asleep or sleep_time() sees its
        // work.
        sleeping_.store(true);
        const int timeout = sleep_time();
        if (timeout == 0) sleeping_.store(false, std::memory_order_relaxed);
        const int count = ::epoll_wait(epoll_.get(), events.data(), kEvents, timeout);
        sleeping_.store(false, std::memory_order_relaxed);
        for (int i = 0; i < count; ++i) {
            const epoll_event& event = events[static_cast<std::size_t>(i)];
            if (event.data.u64 == kWakeUp) {
                std::uint64_t value;
                [[maybe_unused]] const ssize_t got = ::read(wake_up_.get(), &value, sizeof value);
            } else if (enrolled(event.data.u64)) {
                slots_[static_cast<std::uint32_t>(event.data.u64)].source->on_events(event.events);
            }
        }
        timers_.advance(clock().now());
        run_posted();
        notified_.run();
    }
    for (int round = 0; round < kLastRounds && run_posted(); ++round) {
    }
    for (Slot& slot : slots_) {
        if (slot.source != nullptr) std::exchange(slot.source, nullptr)->orphan();
    }
    this_threads_reactor = nullptr;
}

// In milliseconds, rounded up: a timer is late rather than early; -1 without end. 0 where there is work
// already.
int EpollReactor::sleep_time() {
    if (stopping_.load() || has_posted_.load() || !notified_.empty()) return 0;
    const auto next = timers_.next_expiry();
    if (!next) return -1;
    const Duration left = *next - clock().now();
    if (left <= Duration::zero()) return 0;
    constexpr std::int64_t kMost = 24 * 3600 * 1000;
    return static_cast<int>(std::min(kMost, std::chrono::ceil<std::chrono::milliseconds>(left).count()));
}

void EpollReactor::wake() {
    if (!sleeping_.load() || !sleeping_.exchange(false)) return;
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t put = ::write(wake_up_.get(), &one, sizeof one);
}

bool EpollReactor::run_posted() {
    if (!has_posted_.load(std::memory_order_relaxed)) return false;
    {
        const std::lock_guard lock(mutex_);
        has_posted_.store(false, std::memory_order_relaxed);
        running_.swap(posted_);
    }
    for (std::function<void()>& task : running_) {
        task();
        task = nullptr;  // what it holds goes before the next one runs
    }
    running_.clear();
    return true;
}

void EpollReactor::post(std::function<void()> task) {
    {
        const std::lock_guard lock(mutex_);
        posted_.push_back(std::move(task));
        has_posted_.store(true);
    }
    if (!in_reactor_thread()) wake();
}

void EpollReactor::notify(Notifiable& thing) {
    if (notified_.push(thing) && !in_reactor_thread()) wake();
}

void EpollReactor::forget(Notifiable& thing) {
    notified_.forget(thing);
}

// --- Timers ---

TimerId EpollReactor::after(Duration delay, std::function<void()> run) {
    return timers_.add(clock().now() + std::max(delay, Duration::zero()), std::move(run));
}

void EpollReactor::cancel(TimerId timer) {
    timers_.cancel(timer);
}

// --- Sources ---

EpollReactor::Key EpollReactor::enroll(Source& source) {
    std::uint32_t index;
    if (free_slots_.empty()) {
        index = static_cast<std::uint32_t>(slots_.size());
        slots_.emplace_back();
    } else {
        index = free_slots_.back();
        free_slots_.pop_back();
    }
    slots_[index].source = &source;
    return Key{slots_[index].generation} << 32 | index;
}

void EpollReactor::retire(Key key) {
    if (!enrolled(key)) return;
    const auto index = static_cast<std::uint32_t>(key);
    slots_[index].source = nullptr;
    ++slots_[index].generation;
    free_slots_.push_back(index);
}

bool EpollReactor::enrolled(Key key) const {
    const auto index = static_cast<std::uint32_t>(key);
    return index < slots_.size() && slots_[index].generation == key >> 32 && slots_[index].source != nullptr;
}

int EpollReactor::control(int operation, int fd, std::uint32_t events, Key key) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = key;
    return ::epoll_ctl(epoll_.get(), operation, fd, &event) == 0 ? 0 : errno;
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

std::unique_ptr<Connecting> EpollReactor::connect(const Address& address, const ConnectOptions& options,
                                                  ConnectHandler done) {
    auto connecting = std::make_unique<EpollConnecting>(*this, address, options, std::move(done));
    connecting->start();
    return connecting;
}

}  // namespace hawser::io
