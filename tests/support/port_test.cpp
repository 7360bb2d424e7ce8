#include "tests/support/port.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace hawser::test {
namespace {

class FreePort : public ::testing::Test {
  protected:
    FreePort() {
        address_.sin_family = AF_INET;
        address_.sin_port = htons(static_cast<std::uint16_t>(free_port()));
        address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    ~FreePort() override { close(fd_); }

    int bind_it() { return bind(fd_, reinterpret_cast<const sockaddr*>(&address_), sizeof address_); }

    int fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address_{};
};

TEST_F(FreePort, LetsAServerListen) {
    const int on = 1;
    ASSERT_EQ(setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    EXPECT_EQ(bind_it(), 0);
    EXPECT_EQ(listen(fd_, 1), 0);
}

TEST_F(FreePort, RefusesWhoConnectsBefore) {
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&address_), sizeof address_), -1);
    EXPECT_EQ(errno, ECONNREFUSED);
}

TEST_F(FreePort, IsGivenToNobodyElse) {
    EXPECT_EQ(bind_it(), -1);
    EXPECT_EQ(errno, EADDRINUSE);
}

}  // namespace
}  // namespace hawser::test
