#include "tests/support/load_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace hawser::test {
namespace {

constexpr std::size_t kRead = 256 * 1024;
constexpr std::int64_t kSecond = 1'000'000'000;
constexpr int kTurnMs = 2;  // how long a turn waits at most
// A sender that asks for ACKs no more often than that serves many.
constexpr std::int64_t kManysInterval = kSecond / 4;

std::int64_t now_ns() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::int64_t>(time.tv_sec) * kSecond + time.tv_nsec;
}

void bump(std::atomic<std::uint64_t>& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace

struct LoadClient::Peer {
    Peer(const LoadOptions& options, LoadCounters& counters, unsigned number)
        : connection(options, counters, number), reads(number >= options.never_read) {}
    int fd = -1;
    bool connecting = true;
    LoadConnection connection;
    bool reads;                      // false: stops reading once it is subscribed
    std::vector<std::byte> partial;  // of a frame that is not whole yet
};

LoadClient::LoadClient(LoadOptions options, LoadCounters& counters)
    : options_(std::move(options)), counters_(counters), buffer_(kRead + (1 << 20) + options_.object_size) {
    if (options_.clients > LoadCounters::kMaxClients) throw std::invalid_argument("too many clients");
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    peers_.resize(options_.clients);
}

LoadClient::~LoadClient() {
    for (auto& peer : peers_) {
        if (peer) close(*peer);
    }
    ::close(epoll_);
}

void LoadClient::run(const std::function<bool()>& stop) {
    counters_.started = static_cast<std::uint64_t>(now_ns());
    ping_from_ = now_ns() + kSecond;
    std::array<epoll_event, 1024> events;
    std::int64_t asked = 0;
    while (true) {
        const std::int64_t now = now_ns();
        if (now - asked > kTurnMs * 1'000'000) {
            if (stop()) return;
            if (counters_.read_on && !reading_on_) read_on();
            asked = now;
        }
        connect_some();
        int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                               options_.nap > 0 ? 0 : kTurnMs);
        if (count == 0 && options_.nap > 0) {
            const timespec nap{0, options_.nap};
            nanosleep(&nap, nullptr);
            count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
        }
        for (int i = 0; i < count; ++i) on_event(*static_cast<Peer*>(events[i].data.ptr), events[i].events);
        const std::int64_t after = now_ns();
        acknowledge_late(after);
        ping_all(after);
    }
}

void LoadClient::connect_some() {
    while (next_ < options_.clients) {
        const std::uint64_t done = counters_.served + counters_.closed + counters_.failed;
        const std::uint64_t under_way =
            options_.one_served_first ? next_ - std::min<std::uint64_t>(next_, done) : connecting_;
        if (options_.at_a_time > 0 && under_way >= options_.at_a_time) return;
        connect_one(next_++);
    }
}

void LoadClient::connect_one(unsigned number) {
    peers_[number] = std::make_unique<Peer>(options_, counters_, number);
    Peer& peer = *peers_[number];
    peer.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(peer.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const linger at_once{1, 0};  // closing resets: no port stays behind in TIME_WAIT
    setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options_.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (peer.fd < 0 || (connect(peer.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 &&
                        errno != EINPROGRESS)) {
        bump(counters_.failed);
        if (counters_.trouble[0] == 0)
            std::strncpy(counters_.trouble.data(), std::strerror(errno), counters_.trouble.size() - 1);
        close(peer);
        return;
    }
    ++connecting_;
    epoll_event event{};
    event.events = EPOLLOUT;
    event.data.ptr = &peer;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, peer.fd, &event);
}

void LoadClient::on_event(Peer& peer, std::uint32_t events) {
    if (peer.fd < 0) return;
    if (peer.connecting) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(peer.fd, SOL_SOCKET, SO_ERROR, &error, &size);
        --connecting_;
        peer.connecting = false;
        if (error != 0) {
            bump(counters_.failed);
            close(peer);
            return;
        }
        bump(counters_.connected);
        epoll_event event{};
        event.events = EPOLLIN | EPOLLRDHUP;
        event.data.ptr = &peer;
        epoll_ctl(epoll_, EPOLL_CTL_MOD, peer.fd, &event);
        peer.connection.start();
        flush(peer);
        return;
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP)) read(peer);
}

void LoadClient::read(Peer& peer) {
    // What was not whole goes in front.
    const std::size_t old = peer.partial.size();
    if (buffer_.size() < old + kRead) buffer_.resize(old + kRead);
    if (old > 0) std::memcpy(buffer_.data(), peer.partial.data(), old);
    const ssize_t got = recv(peer.fd, buffer_.data() + old, kRead, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        bump(counters_.closed);
        close(peer);
        return;
    }
    bump(counters_.reads);
    const std::int64_t now = now_ns();
    const std::span<const std::byte> bytes(buffer_.data(), old + static_cast<std::size_t>(got));
    const std::size_t taken = peer.connection.take(bytes, now);
    peer.partial.assign(bytes.begin() + static_cast<std::ptrdiff_t>(taken), bytes.end());
    if (peer.connection.broken()) {
        if (!peer.connection.over() || counters_.trouble[0] == 0) {
            const auto text = peer.connection.trouble();
            std::memcpy(counters_.trouble.data(), text.data(),
                        std::min(text.size(), counters_.trouble.size() - 1));
        }
        bump(counters_.closed);
        close(peer);
        return;
    }
    if (!peer.reads && peer.connection.subscribed()) {
        epoll_event event{};
        event.data.ptr = &peer;
        epoll_ctl(epoll_, EPOLL_CTL_MOD, peer.fd, &event);
    }
    if (options_.acknowledge && peer.connection.wants_ack()) acknowledge(peer, now);
    flush(peer);
}

void LoadClient::read_on() {
    reading_on_ = true;
    for (auto& peer : peers_) {
        if (!peer || peer->reads) continue;
        peer->reads = true;
        if (peer->fd < 0 || peer->connecting) continue;
        epoll_event event{};
        event.events = EPOLLIN | EPOLLRDHUP;
        event.data.ptr = peer.get();
        epoll_ctl(epoll_, EPOLL_CTL_MOD, peer->fd, &event);
    }
}

void LoadClient::acknowledge(Peer& peer, std::int64_t now) {
    if (peer.connection.ack_waits) return;
    if (now - peer.connection.last_ack >= peer.connection.ack_interval()) {
        peer.connection.write_ack();
        peer.connection.last_ack = now;
    } else {
        peer.connection.ack_waits = true;
        ack_later_.push_back(&peer);
    }
}

// All connections have the same interval, so the queue is in order of their time, or nearly so.
void LoadClient::acknowledge_late(std::int64_t now) {
    while (!ack_later_.empty()) {
        Peer& peer = *ack_later_.front();
        if (peer.fd >= 0 && now - peer.connection.last_ack < peer.connection.ack_interval()) return;
        ack_later_.pop_front();
        peer.connection.ack_waits = false;
        if (peer.fd < 0) continue;
        peer.connection.write_ack();
        peer.connection.last_ack = now;
        flush(peer);
    }
}

// Each once a second, spread over it.
void LoadClient::ping_all(std::int64_t now) {
    if ((options_.protocol == LoadProtocol::Raw && !options_.raw_answers) || now < ping_from_) return;
    const std::int64_t step = kSecond / static_cast<std::int64_t>(std::max(1U, options_.clients));
    for (; ping_from_ <= now; ping_from_ += step) {
        const auto& peer = peers_[ping_next_++ % peers_.size()];
        if (!peer || peer->fd < 0 || !peer->connection.subscribed()) continue;
        // As hawsersrc does it: an ACK that is due soon goes along.
        if (options_.acknowledge && peer->connection.wants_ack() &&
            peer->connection.ack_interval() >= kManysInterval) {
            peer->connection.write_ack();
            peer->connection.last_ack = now;
        }
        peer->connection.write_ping(now);
        flush(*peer);
    }
}

void LoadClient::flush(Peer& peer) {
    std::string& output = peer.connection.output();
    if (output.empty() || peer.fd < 0) return;
    const ssize_t sent = send(peer.fd, output.data(), output.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    // What does not fit waits for the next answer; a sender that does not read is not of interest here.
    if (sent > 0) output.erase(0, static_cast<std::size_t>(sent));
}

void LoadClient::close(Peer& peer) {
    if (peer.fd < 0) return;
    if (peer.connecting && connecting_ > 0) --connecting_;
    peer.connecting = false;
    ::close(peer.fd);
    peer.fd = -1;
    peer.partial.clear();
}

}  // namespace hawser::test
