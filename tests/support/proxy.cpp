#include "tests/support/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace hawser::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kMaxPending = 256 * 1024;

int listen_on(int port, int* actual) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    socklen_t size = sizeof address;
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd, 64) != 0 ||
        getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        close(fd);
        throw std::runtime_error("cannot listen on 127.0.0.1:" + std::to_string(port));
    }
    *actual = ntohs(address.sin_port);
    return fd;
}

void reset_connection(int fd) {
    if (fd < 0) return;
    const linger now{1, 0};  // close() sends RST
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

struct Chunk {
    Clock::time_point due;
    std::vector<char> data;
    std::size_t done = 0;
};

// One direction of one connection.
struct Pipe {
    int from = -1;
    int to = -1;
    std::deque<Chunk> chunks;
    std::size_t pending = 0;
    bool ended = false;  // `from` said EOF
    bool shut = false;   // and `to` was told
    double budget = 0;   // bytes that may go now, where there is a limit
};

struct Connection {
    int caller = -1;
    int target = -1;
    Pipe down, up;
};

}  // namespace

struct Proxy::Impl {
    sockaddr_storage target{};
    socklen_t target_size = 0;
    int port = 0;
    int listener = -1;
    int wake = -1;

    mutable std::mutex mutex;  // guards all that follows
    mutable std::condition_variable changed;
    std::list<Connection> connections;
    bool stop = false, frozen = false;
    std::size_t rate = 0;
    std::size_t queue = kMaxPending;
    std::chrono::milliseconds delay{0};
    std::size_t cut_bytes = 0, cut_times = 0, cut_left = 0;
    bool cut_down = true;
    std::size_t accepted = 0, cuts = 0, bytes_down = 0, bytes_up = 0;
    Clock::time_point last_refill = Clock::now();
    std::thread thread;

    void poke() const {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = write(wake, &one, sizeof one);
    }

    std::size_t cut_all() {
        const std::size_t count = connections.size();
        for (auto& connection : connections) {
            reset_connection(connection.caller);
            reset_connection(connection.target);
        }
        connections.clear();
        cuts += count;
        changed.notify_all();
        return count;
    }

    void accept_one() {
        const int caller = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (caller < 0) return;
        ++accepted;
        changed.notify_all();
        const int other = socket(target.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (queue < kMaxPending) {
            const int window = static_cast<int>(queue / 2);  // the kernel doubles it
            setsockopt(other, SOL_SOCKET, SO_RCVBUF, &window, sizeof window);
        }
        // The target is on this machine: connect() answers at once.
        if (connect(other, reinterpret_cast<sockaddr*>(&target), target_size) != 0) {
            close(other);
            reset_connection(caller);
            return;
        }
        for (const int fd : {caller, other}) {
            const int on = 1, buffer = 128 * 1024;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
        }
        Connection connection;
        connection.caller = caller;
        connection.target = other;
        connection.down.from = connection.up.to = other;
        connection.down.to = connection.up.from = caller;
        connections.push_back(std::move(connection));
    }

    // False: the connection broke.
    bool receive(Pipe& pipe, bool is_down) {
        char buffer[65536];
        const std::size_t room = std::min(sizeof buffer, queue - pipe.pending);
        const ssize_t got = recv(pipe.from, buffer, room, MSG_DONTWAIT);
        if (got < 0) return errno == EAGAIN || errno == EINTR;
        if (got == 0) {
            pipe.ended = true;
            return true;
        }
        pipe.chunks.push_back({Clock::now() + delay, std::vector<char>(buffer, buffer + got)});
        pipe.pending += static_cast<std::size_t>(got);
        (void)is_down;
        return true;
    }

    bool send_due(Pipe& pipe, bool is_down, Clock::time_point now) {
        while (!pipe.chunks.empty() && pipe.chunks.front().due <= now) {
            Chunk& chunk = pipe.chunks.front();
            std::size_t size = chunk.data.size() - chunk.done;
            if (rate > 0) size = std::min(size, static_cast<std::size_t>(pipe.budget));
            if (cut_left > 0 && is_down == cut_down) size = std::min(size, cut_left);
            if (size == 0) break;
            const ssize_t sent =
                send(pipe.to, chunk.data.data() + chunk.done, size, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (sent < 0) return errno == EAGAIN || errno == EINTR;
            const auto bytes = static_cast<std::size_t>(sent);
            chunk.done += bytes;
            pipe.pending -= bytes;
            if (rate > 0) pipe.budget -= static_cast<double>(bytes);
            (is_down ? bytes_down : bytes_up) += bytes;
            changed.notify_all();
            if (chunk.done == chunk.data.size()) pipe.chunks.pop_front();
            if (cut_times > 0 && is_down == cut_down && (cut_left -= bytes) == 0) {
                --cut_times;
                cut_left = cut_times > 0 ? cut_bytes : 0;
                return false;
            }
        }
        if (pipe.ended && pipe.chunks.empty() && !pipe.shut) {
            pipe.shut = true;
            shutdown(pipe.to, SHUT_WR);
        }
        return true;
    }

    void refill(Clock::time_point now) {
        const double seconds = std::chrono::duration<double>(now - last_refill).count();
        last_refill = now;
        const double burst = std::max<double>(1500, static_cast<double>(rate) / 50);
        for (auto& connection : connections) {
            for (Pipe* pipe : {&connection.down, &connection.up}) {
                pipe->budget = std::min(burst, pipe->budget + seconds * static_cast<double>(rate));
            }
        }
    }

    int poll_timeout(Clock::time_point now) const {
        if (frozen) return -1;
        int timeout = -1;
        for (const auto& connection : connections) {
            for (const Pipe* pipe : {&connection.down, &connection.up}) {
                if (pipe->chunks.empty()) continue;
                const auto due = pipe->chunks.front().due;
                int ms = -1;
                if (due > now) {
                    ms = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(due - now).count());
                } else if (rate > 0) {
                    ms = 2;
                }
                if (ms >= 0) timeout = timeout < 0 ? ms : std::min(timeout, ms);
            }
        }
        return timeout;
    }

    void run() {
        std::unique_lock lock(mutex);
        while (!stop) {
            std::vector<pollfd> fds;
            fds.push_back({wake, POLLIN, 0});
            fds.push_back({listener, POLLIN, 0});
            const auto before = Clock::now();
            for (const auto& connection : connections) {
                for (const Pipe* pipe : {&connection.down, &connection.up}) {
                    short events = 0;
                    if (!frozen && !pipe->ended && pipe->pending < queue) events |= POLLIN;
                    fds.push_back({events != 0 ? pipe->from : -1, events, 0});
                    const bool due = !pipe->chunks.empty() && pipe->chunks.front().due <= before;
                    const bool blocked = !frozen && rate == 0 && due;
                    fds.push_back({blocked ? pipe->to : -1, POLLOUT, 0});
                }
            }
            const int timeout = poll_timeout(before);
            lock.unlock();
            poll(fds.data(), fds.size(), timeout);
            lock.lock();
            std::uint64_t ignored;
            if (fds[0].revents != 0) {
                [[maybe_unused]] const auto got = read(wake, &ignored, sizeof ignored);
            }
            if (stop) break;
            if (listener >= 0) accept_one();
            if (frozen) continue;
            const auto now = Clock::now();
            refill(now);
            bool broken = false;
            for (auto it = connections.begin(); it != connections.end() && !broken;) {
                const auto step = [&](Pipe& pipe, bool is_down) {
                    if (!pipe.ended && pipe.pending < queue && !receive(pipe, is_down)) return false;
                    return true;
                };
                const std::size_t cuts_before = cut_times;
                const bool good = step(it->down, true) && step(it->up, false) &&
                                  send_due(it->down, true, now) && send_due(it->up, false, now);
                if (cut_times != cuts_before) {
                    cut_all();
                    broken = true;
                } else if (!good || (it->down.shut && it->up.shut)) {
                    if (good) {
                        close(it->caller);
                        close(it->target);
                    } else {
                        reset_connection(it->caller);
                        reset_connection(it->target);
                    }
                    it = connections.erase(it);
                } else {
                    ++it;
                }
            }
        }
    }

    template <class Predicate>
    bool wait(std::chrono::milliseconds bound, Predicate predicate) const {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, bound, predicate);
    }
};

Proxy::Proxy(int target_port, const std::string& target_host) : impl_(std::make_unique<Impl>()) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&impl_->target);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&impl_->target);
    if (inet_pton(AF_INET, target_host.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(static_cast<std::uint16_t>(target_port));
        impl_->target_size = sizeof *v4;
    } else if (inet_pton(AF_INET6, target_host.c_str(), &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(static_cast<std::uint16_t>(target_port));
        impl_->target_size = sizeof *v6;
    } else {
        throw std::runtime_error("not a numeric address: " + target_host);
    }
    impl_->listener = listen_on(0, &impl_->port);
    impl_->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

Proxy::~Proxy() {
    {
        std::lock_guard lock(impl_->mutex);
        impl_->stop = true;
    }
    impl_->poke();
    impl_->thread.join();
    impl_->cut_all();
    if (impl_->listener >= 0) close(impl_->listener);
    close(impl_->wake);
}

int Proxy::port() const {
    return impl_->port;
}

std::size_t Proxy::cut() {
    std::lock_guard lock(impl_->mutex);
    const std::size_t count = impl_->cut_all();
    impl_->poke();
    return count;
}

void Proxy::cut_every(std::size_t bytes, std::size_t times, bool down) {
    std::lock_guard lock(impl_->mutex);
    impl_->cut_bytes = impl_->cut_left = bytes;
    impl_->cut_times = times;
    impl_->cut_down = down;
    impl_->poke();
}

void Proxy::refuse(bool on) {
    std::lock_guard lock(impl_->mutex);
    if (on && impl_->listener >= 0) {
        // The thread that polls it keeps the socket listening after close(), until it looks again.
        shutdown(impl_->listener, SHUT_RDWR);
        close(impl_->listener);
        impl_->listener = -1;
    } else if (!on && impl_->listener < 0) {
        impl_->listener = listen_on(impl_->port, &impl_->port);
    }
    impl_->poke();
}

void Proxy::freeze(bool on) {
    std::lock_guard lock(impl_->mutex);
    impl_->frozen = on;
    impl_->poke();
}

void Proxy::narrow(std::size_t bytes_per_second, std::size_t queue) {
    {
        std::lock_guard lock(impl_->mutex);
        impl_->queue = std::min(queue, kMaxPending);
    }
    limit(bytes_per_second);
}

void Proxy::limit(std::size_t bytes_per_second) {
    std::lock_guard lock(impl_->mutex);
    impl_->rate = bytes_per_second;
    impl_->poke();
}

void Proxy::delay(std::chrono::milliseconds by) {
    std::lock_guard lock(impl_->mutex);
    impl_->delay = by;
    impl_->poke();
}

std::size_t Proxy::open() const {
    std::lock_guard lock(impl_->mutex);
    return impl_->connections.size();
}
std::size_t Proxy::accepted() const {
    std::lock_guard lock(impl_->mutex);
    return impl_->accepted;
}
std::size_t Proxy::cuts() const {
    std::lock_guard lock(impl_->mutex);
    return impl_->cuts;
}
std::size_t Proxy::bytes_down() const {
    std::lock_guard lock(impl_->mutex);
    return impl_->bytes_down;
}
std::size_t Proxy::bytes_up() const {
    std::lock_guard lock(impl_->mutex);
    return impl_->bytes_up;
}
bool Proxy::wait_accepted(std::size_t count, std::chrono::milliseconds bound) const {
    return impl_->wait(bound, [&] { return impl_->accepted >= count; });
}
bool Proxy::wait_cuts(std::size_t count, std::chrono::milliseconds bound) const {
    return impl_->wait(bound, [&] { return impl_->cuts >= count; });
}
bool Proxy::wait_bytes_down(std::size_t count, std::chrono::milliseconds bound) const {
    return impl_->wait(bound, [&] { return impl_->bytes_down >= count; });
}

struct ForeignServer::Impl {
    std::string greeting;
    bool hang_up = false;
    int port = 0, listener = -1, wake = -1;
    mutable std::mutex mutex;
    std::size_t accepted = 0;
    std::thread thread;

    void run() {
        std::vector<int> open;
        pollfd fds[2] = {{wake, POLLIN, 0}, {listener, POLLIN, 0}};
        while (poll(fds, 2, -1) >= 0 && fds[0].revents == 0) {
            const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) continue;
            {
                std::lock_guard lock(mutex);
                ++accepted;
            }
            if (!greeting.empty()) send(fd, greeting.data(), greeting.size(), MSG_NOSIGNAL);
            // Only our side: close() with unread bytes would be an RST, and take the greeting away.
            if (hang_up) shutdown(fd, SHUT_WR);
            open.push_back(fd);
        }
        for (const int fd : open) close(fd);
    }
};

ForeignServer::ForeignServer(std::string greeting, bool hang_up) : impl_(std::make_unique<Impl>()) {
    impl_->greeting = std::move(greeting);
    impl_->hang_up = hang_up;
    impl_->listener = listen_on(0, &impl_->port);
    impl_->wake = eventfd(0, EFD_CLOEXEC);
    impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

ForeignServer::~ForeignServer() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(impl_->wake, &one, sizeof one);
    impl_->thread.join();
    close(impl_->listener);
    close(impl_->wake);
}

int ForeignServer::port() const {
    return impl_->port;
}
std::size_t ForeignServer::accepted() const {
    std::lock_guard lock(impl_->mutex);
    return impl_->accepted;
}

}  // namespace hawser::test
