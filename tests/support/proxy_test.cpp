#include "tests/support/proxy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace hawser::test {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

int call(int port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        const int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

// Up to `size` bytes, or what came until the end; "reset" at RST.
std::string receive(int fd, std::size_t size) {
    std::string text;
    while (text.size() < size) {
        char buffer[4096];
        pollfd poll_fd{fd, POLLIN, 0};
        if (poll(&poll_fd, 1, 5000) != 1) return text + " timeout";
        const ssize_t got = recv(fd, buffer, std::min(sizeof buffer, size - text.size()), 0);
        if (got < 0) return text + "reset";
        if (got == 0) break;
        text.append(buffer, static_cast<std::size_t>(got));
    }
    return text;
}

TEST(Proxy, Forwards) {
    ForeignServer server("hello", true);
    Proxy proxy(server.port());
    const int fd = call(proxy.port());
    ASSERT_GE(fd, 0);
    EXPECT_EQ(receive(fd, 100), "hello");
    EXPECT_EQ(proxy.bytes_down(), 5u);
    EXPECT_EQ(proxy.accepted(), 1u);
    close(fd);
}

TEST(Proxy, CutsWithAReset) {
    ForeignServer server("hello", false);
    Proxy proxy(server.port());
    const int fd = call(proxy.port());
    EXPECT_EQ(receive(fd, 5), "hello");
    EXPECT_EQ(proxy.cut(), 1u);
    EXPECT_EQ(receive(fd, 1), "reset");
    close(fd);
}

TEST(Proxy, CutsAfterSoManyBytes) {
    ForeignServer server(std::string(1000, 'x'), false);
    Proxy proxy(server.port());
    proxy.cut_every(100, 1);
    const int fd = call(proxy.port());
    EXPECT_TRUE(proxy.wait_cuts(1, 5s));
    EXPECT_EQ(proxy.bytes_down(), 100u);
    close(fd);
    const int again = call(proxy.port());
    EXPECT_EQ(receive(again, 1000).size(), 1000u);
    close(again);
}

TEST(Proxy, RefusesAndComesBack) {
    ForeignServer server("hello", false);
    Proxy proxy(server.port());
    proxy.refuse(true);
    EXPECT_EQ(call(proxy.port()), -ECONNREFUSED);
    proxy.refuse(false);
    const int fd = call(proxy.port());
    EXPECT_EQ(receive(fd, 5), "hello");
    close(fd);
}

TEST(Proxy, LimitsAndFreezes) {
    ForeignServer server(std::string(20000, 'x'), false);
    Proxy proxy(server.port());
    proxy.freeze(true);
    const int fd = call(proxy.port());
    ASSERT_GE(fd, 0);
    EXPECT_FALSE(proxy.wait_bytes_down(1, 50ms));
    proxy.limit(100000);
    const auto start = std::chrono::steady_clock::now();
    proxy.freeze(false);
    EXPECT_EQ(receive(fd, 20000).size(), 20000u);
    EXPECT_GT(std::chrono::steady_clock::now() - start, 100ms);
    close(fd);
}

}  // namespace
}  // namespace hawser::test
