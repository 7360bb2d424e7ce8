#include "runtime/session/stand_in.h"

#include <poll.h>

#include <thread>
#include <utility>

namespace hawser::session {
namespace {

// Attempts to get in while the reactor is at work, which is soon over as a rule.
constexpr int kAttempts = 256;
// Reads in one visit to the reactor, as long as they do not make an item whole.
constexpr int kReads = 8;
// How long a reader may be away while it has the socket.
constexpr Duration kAway = std::chrono::milliseconds(10);
// One that was away for longer will be so again; each time costs some system calls.
constexpr Duration kTooSlow = std::chrono::milliseconds(250);

void relax(int attempt) {
    if (attempt % 16 == 15) return std::this_thread::yield();
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield" ::: "memory");
#endif
}

}  // namespace

// --- Reactor
// ------------------------------------------------------------------------------------------------------------

void StandIn::offer(io::Stream& stream, Queue& queue) {
    withdraw();
    if (stream.descriptor() < 0) return;
    stream_ = &stream;
    queue_ = &queue;
    offered_.store(true, std::memory_order_release);
}

void StandIn::withdraw() {
    offered_.store(false, std::memory_order_relaxed);
    take_back();
    reactor_.cancel(std::exchange(timer_, 0));
    stream_ = nullptr;
}

void StandIn::take_back() {
    if (!reads()) return;
    stream_->watch_readable(true);
    socket_.store(-1, std::memory_order_release);
    queue_->notify();  // it sees that the socket is not its own any more
}

// Takes the watching back from a reader that is neither at the socket nor has been there for a while.
void StandIn::watch_reader() {
    if (timer_) return;
    timer_ = reactor_.after(kAway, [this, seen = turns_] {
        timer_ = 0;
        if (!reads()) return;
        if (seen != turns_) return watch_reader();
        if (waiting_.load(std::memory_order_acquire)) return;  // its next turn has it watched again
        not_before_ = reactor_.clock().now() + kTooSlow;
        take_back();
    });
}

void StandIn::on_notified() {
    if (give_back_.exchange(false, std::memory_order_relaxed)) take_back();
}

// --- Reader
// -------------------------------------------------------------------------------------------------------------

ring::WaitResult StandIn::wait(Queue& queue) {
    while (!queue.unlocked() && !queue.front()) {
        int socket = socket_.load(std::memory_order_acquire);
        if (socket < 0 && queue.can_wait_readable()) socket = take_over();
        if (socket < 0) break;
        const Read last = last_.load(std::memory_order_relaxed);
        if (last != Read::Some && !(last == Read::Part && rest_comes(socket)) && !spin(socket, queue)) {
            const bool nap = naps();
            waiting_.store(true, std::memory_order_release);
            const auto result = nap ? queue.wait(ReaderNap::kNap) : queue.wait_readable(socket, [&] {
                return socket_.load(std::memory_order_acquire) != socket;
            });
            waiting_.store(false, std::memory_order_release);
            if (result == ring::WaitResult::Unlocked) return result;
            if (result == ring::WaitResult::Ready) continue;
        }
        const Read read = this->read(queue);
        last_.store(read, std::memory_order_relaxed);
        if (read == Read::Busy) break;
    }
    return queue.wait();
}

int StandIn::take_over() {
    if (!offered_.load(std::memory_order_acquire) || !reactor_.try_enter()) return -1;
    if (offered_.load(std::memory_order_relaxed) && not_before_ <= reactor_.clock().now()) {
        stream_->watch_readable(false);
        socket_.store(stream_->descriptor(), std::memory_order_release);
        ++turns_;
        watch_reader();
    }
    const int socket = socket_.load(std::memory_order_relaxed);
    reactor_.leave();
    return socket;
}

StandIn::Read StandIn::read(Queue& queue) {
    for (int attempt = 0; !reactor_.try_enter(); ++attempt) {
        if (attempt == kAttempts) {
            give_back_.store(true, std::memory_order_relaxed);
            reactor_.notify(*this);
            return Read::Busy;
        }
        relax(attempt);
    }
    // Withdrawn meanwhile, perhaps for good.
    if (!reads()) {
        reactor_.leave();
        return Read::All;
    }
    ++turns_;
    watch_reader();
    bool more = false;
    for (int i = 0; i < kReads && reads(); ++i) {
        more = user_.read_some();
        if (!more || queue.front()) break;
    }
    const bool part = !more && reads() && user_.expects_more();
    objects_.store(user_.objects_read(), std::memory_order_relaxed);
    reactor_.leave();
    return more ? Read::Some : part ? Read::Part : Read::All;
}

bool StandIn::naps() {
    if (spin_ > Duration::zero() || looks_.exchange(true, std::memory_order_acquire)) return false;
    const bool nap = nap_.naps(SteadyClock::instance().now(), objects_.load(std::memory_order_relaxed));
    looks_.store(false, std::memory_order_release);
    return nap;
}

bool StandIn::rest_comes(int socket) {
    if (looks_.exchange(true, std::memory_order_acquire)) return false;
    pollfd look{socket, POLLIN, 0};
    const bool comes = rest_spin_.spin([&look] { return ::poll(&look, 1, 0) > 0; });
    looks_.store(false, std::memory_order_release);
    return comes;
}

// True where there is something to read.
bool StandIn::spin(int socket, Queue& queue) const {
    if (spin_ <= Duration::zero()) return false;
    const TimePoint end = SteadyClock::instance().now() + spin_;
    pollfd look{socket, POLLIN, 0};
    do {
        if (::poll(&look, 1, 0) > 0) return true;
    } while (!queue.unlocked() && !queue.front() && socket_.load(std::memory_order_relaxed) == socket &&
             SteadyClock::instance().now() < end);
    return false;
}

}  // namespace hawser::session
