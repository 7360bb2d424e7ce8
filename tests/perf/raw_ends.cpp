#include "tests/perf/raw_ends.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

namespace hawser::perf {
namespace {

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

// All of `parts`; they are changed on the way.
bool write_all(int fd, std::vector<iovec>& parts) {
    std::size_t at = 0;
    while (at < parts.size()) {
        const ssize_t written = writev(fd, &parts[at], static_cast<int>(parts.size() - at));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        auto left = static_cast<std::size_t>(written);
        for (; at < parts.size() && left >= parts[at].iov_len; ++at) left -= parts[at].iov_len;
        if (at < parts.size()) {
            parts[at].iov_base = static_cast<char*>(parts[at].iov_base) + left;
            parts[at].iov_len -= left;
        }
    }
    return true;
}

bool send_all(int fd, const std::byte* data, std::size_t size) {
    while (size > 0) {
        const ssize_t written = send(fd, data, size, MSG_NOSIGNAL);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        data += written;
        size -= static_cast<std::size_t>(written);
    }
    return true;
}

}  // namespace

void do_not_pace(int listener) {
    constexpr std::string_view kReno = "reno";
    setsockopt(listener, IPPROTO_TCP, TCP_CONGESTION, kReno.data(), kReno.size());
}

int raw_send(int port, const Load& load, const RawOptions& options, Flow& flow) {
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    do_not_pace(listener);
    sockaddr_in address = loopback(port);
    if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener, 1) != 0) {
        flow.fail("raw: cannot listen");
        return 1;
    }
    flow.ready = true;
    const int fd = accept(listener, nullptr, nullptr);
    if (options.no_delay) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::vector<std::vector<std::byte>> objects(options.batch,
                                                std::vector<std::byte>(load.size, std::byte{0x5a}));
    std::vector<iovec> parts;
    const std::int64_t begun = now_ns();
    std::uint64_t index = 0;
    for (bool good = true; good && load.next(flow, index, begun);) {
        for (auto& object : objects) {
            const Stamp stamp{load.rate > 0 ? now_ns() : 0, index++};
            std::memcpy(object.data(), &stamp, sizeof stamp);
        }
        if (options.batch == 1) {
            good = send_all(fd, objects[0].data(), load.size);
        } else {
            parts.clear();
            for (auto& object : objects) parts.push_back({object.data(), object.size()});
            good = write_all(fd, parts);
        }
        if (!good) flow.fail("raw: cannot send");
    }
    flow.sent = index;
    flow.stopped = true;
    wait_until(60, [&] { return flow.finish || flow.failed; });
    close(fd);
    close(listener);
    return 0;
}

int raw_receive(int port, const Load& load, bool objects, Flow& flow) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        flow.fail("raw: cannot connect");
        return 1;
    }
    // Room for the rest of an object and a good read after it.
    std::vector<std::byte> buffer(load.size + std::max<std::size_t>(load.size, 256 * 1024));
    std::size_t have = 0;
    while (true) {
        const ssize_t got = recv(fd, buffer.data() + have, buffer.size() - have, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        if (!objects) {
            flow.received_bytes.store(
                flow.received_bytes.load(std::memory_order_relaxed) + static_cast<std::uint64_t>(got),
                std::memory_order_release);
            continue;
        }
        have += static_cast<std::size_t>(got);
        std::size_t at = 0;
        for (; have - at >= load.size; at += load.size) {
            Stamp stamp;
            std::memcpy(&stamp, buffer.data() + at, sizeof stamp);
            flow.arrived(stamp, true, load.size);
        }
        if (at > 0) std::memmove(buffer.data(), buffer.data() + at, have - at);
        have -= at;
    }
    close(fd);
    return 0;
}

}  // namespace hawser::perf
