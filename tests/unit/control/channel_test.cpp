#include "runtime/control/channel.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hawser/control.pb.h"

namespace hawser::control {
namespace {

class ChannelTest : public testing::Test {
  protected:
    ChannelTest() {
        int ends[2];
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        left = std::make_unique<Channel>(Fd(ends[0]));
        right = std::make_unique<Channel>(Fd(ends[1]));
    }
    static Command cut(const std::string& element) {
        Command command;
        command.mutable_cut()->set_element(element);
        return command;
    }

    std::unique_ptr<Channel> left, right;
};

TEST_F(ChannelTest, WhatOneSendsTheOtherReceivesInOrder) {
    ASSERT_TRUE(left->send(cut("in")).ok());
    ASSERT_TRUE(left->send(cut("out")).ok());
    std::vector<std::string> got;
    auto open =
        right->receive<Command>([&](const Command& command) { got.push_back(command.cut().element()); });
    ASSERT_TRUE(open.ok());
    EXPECT_TRUE(*open);
    EXPECT_EQ(got, (std::vector<std::string>{"in", "out"}));
}

TEST_F(ChannelTest, TellsThatThePeerIsGoneAfterItsLastMessage) {
    ASSERT_TRUE(left->send(cut("in")).ok());
    left.reset();
    int got = 0;
    auto open = right->receive<Command>([&](const Command&) { ++got; });
    ASSERT_TRUE(open.ok());
    EXPECT_FALSE(*open);
    EXPECT_EQ(got, 1);
    EXPECT_FALSE(right->send(cut("in")).ok());
}

TEST_F(ChannelTest, APeerThatDoesNotReadCostsBoundedMemoryAndNoTime) {
    const Command big = cut(std::string(100'000, 'x'));
    int taken = 0;
    while (left->send(big).ok()) ASSERT_LT(++taken, 1000);
    EXPECT_TRUE(left->wants_write());
    EXPECT_EQ(left->send(big).error().code, Errc::Busy);

    // What was taken arrives whole once the peer reads.
    int got = 0;
    while (got < taken) {
        auto open = right->receive<Command>([&](const Command& command) {
            EXPECT_EQ(command.cut().element().size(), 100'000u);
            ++got;
        });
        ASSERT_TRUE(open.ok() && *open);
        ASSERT_TRUE(left->flush().ok());
    }
    EXPECT_FALSE(left->wants_write());
}

TEST_F(ChannelTest, GarbageIsAProtocolError) {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    Channel channel((Fd(ends[0])));
    const Fd raw(ends[1]);
    ASSERT_EQ(write(raw.get(), "\x03\xff\xff\xff", 4), 4);
    EXPECT_EQ(channel.receive<Command>([](const Command&) {}).error().code, Errc::Protocol);
}

}  // namespace
}  // namespace hawser::control
