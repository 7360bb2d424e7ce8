#include "runtime/io/tcp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace hawser::io {
namespace {

using testing::HasSubstr;

TEST(Address, IsWrittenAndReadAlike) {
    for (const Address& address : {Address{"127.0.0.1", 7000}, Address{"::1", 1},
                                   Address{"host.example", 65535}, Address{"", 0}, Address{"::", 7000}}) {
        const auto again = parse_address(address.text());
        ASSERT_TRUE(again.ok()) << again.error().message;
        EXPECT_EQ(again.value(), address) << address.text();
    }
    EXPECT_EQ((Address{"::1", 7000}.text()), "[::1]:7000");
}

TEST(Address, NonsenseIsRefusedWithAReason) {
    for (const char* text : {"", "host", "host:", "host:x", "host:65536", "host:-1", "host:70 ", "::1:7000",
                             "[::1]", "[::1:7000", "[]:7000", "1:2:3"}) {
        const auto address = parse_address(text);
        ASSERT_FALSE(address.ok()) << text;
        EXPECT_EQ(address.error().code, Errc::Invalid);
        EXPECT_THAT(address.error().message, HasSubstr("write host:port"));
    }
}

TEST(SocketAddress, Ipv4InIpv6IsWrittenAsIpv4) {
    EXPECT_EQ(resolve({"::ffff:10.1.2.3", 80}, Resolve::Literal).value()[0].text(), "10.1.2.3:80");
    EXPECT_EQ(resolve({"fe00::1", 80}, Resolve::Literal).value()[0].text(), "[fe00::1]:80");
}

TEST(SocketAddress, NamesAreNoLiterals) {
    const auto none = resolve({"localhost", 80}, Resolve::Literal);
    ASSERT_FALSE(none.ok());
    EXPECT_EQ(none.error().code, Errc::NotFound);
}

int option(int fd, int level, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    EXPECT_EQ(::getsockopt(fd, level, name, &value, &length), 0);
    return value;
}

TEST(Options, OfADataSocket) {
    const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    tcp::set_data_options(fd.get());
    EXPECT_NE(option(fd.get(), IPPROTO_TCP, TCP_NODELAY), 0);
    EXPECT_EQ(option(fd.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT), tcp::kNotSentLowWater);
    EXPECT_NE(option(fd.get(), SOL_SOCKET, SO_KEEPALIVE), 0);
    EXPECT_EQ(option(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE), 5);
    EXPECT_EQ(option(fd.get(), IPPROTO_TCP, TCP_KEEPINTVL), 1);
    EXPECT_EQ(option(fd.get(), IPPROTO_TCP, TCP_KEEPCNT), 3);
    EXPECT_EQ(option(fd.get(), IPPROTO_TCP, TCP_USER_TIMEOUT), 0)
        << "it would kill connections to paused receivers";
}

TEST(Options, WhetherBothEndsAreOnOneMachine) {
    const auto one_machine = [](const char* local, const char* remote) {
        const auto at = [](const char* host, std::uint16_t port) {
            return resolve({host, port}, Resolve::Literal).value()[0];
        };
        return tcp::same_machine(at(local, 7000), at(remote, 40000));
    };
    EXPECT_TRUE(one_machine("127.0.0.1", "127.0.0.1"));
    EXPECT_TRUE(one_machine("127.0.0.2", "127.5.5.5"));
    EXPECT_TRUE(one_machine("::1", "::1"));
    EXPECT_TRUE(one_machine("::ffff:127.0.0.1", "::ffff:127.0.0.1"));
    EXPECT_TRUE(one_machine("192.0.2.7", "192.0.2.7"));
    EXPECT_TRUE(one_machine("::ffff:192.0.2.7", "192.0.2.7"));
    EXPECT_TRUE(one_machine("2001:db8::7", "2001:db8::7"));
    EXPECT_FALSE(one_machine("192.0.2.7", "192.0.2.8"));
    EXPECT_FALSE(one_machine("2001:db8::7", "2001:db8::8"));
    EXPECT_FALSE(one_machine("::ffff:192.0.2.7", "192.0.2.8"));
    EXPECT_FALSE(tcp::same_machine({}, {})) << "not known";
}

TEST(Connecting, ASocketThatMetItselfIsNobodyListening) {
    const SocketAddress any = resolve({"127.0.0.1", 0}, Resolve::Literal).value()[0];
    const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ASSERT_EQ(::bind(fd.get(), any.get(), any.length), 0);
    const SocketAddress own = local_address(fd.get());
    ASSERT_TRUE(::connect(fd.get(), own.get(), own.length) == 0 || errno == EINPROGRESS);
    pollfd ready{fd.get(), POLLOUT, 0};
    ASSERT_EQ(::poll(&ready, 1, 5000), 1);
    int error = 0;
    EXPECT_EQ(tcp::connect_progress(fd.get(), error), tcp::Progress::Failed);
    EXPECT_EQ(error, ECONNREFUSED);
}

TEST(Connecting, EachErrorHasItsKind) {
    const Address to{"studio", 7000};
    EXPECT_EQ(tcp::connect_error(to, "10.0.0.1:7000", ECONNREFUSED).message,
              "cannot connect to studio:7000 (10.0.0.1:7000): nobody listens there (Connection refused)");
    EXPECT_EQ(tcp::connect_error(to, "", ETIMEDOUT).code, Errc::TimedOut);
    EXPECT_EQ(tcp::connect_error(to, "", ENETUNREACH).code, Errc::Unreachable);
    EXPECT_EQ(tcp::connect_error(to, "", EHOSTUNREACH).code, Errc::Unreachable);
    EXPECT_EQ(tcp::connect_error(to, "", EMFILE).code, Errc::NoResource);
    EXPECT_EQ(tcp::connect_error(to, "", EACCES).code, Errc::Denied);
}

}  // namespace
}  // namespace hawser::io
