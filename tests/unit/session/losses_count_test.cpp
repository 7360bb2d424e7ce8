#include "runtime/session/losses.h"

#include <gtest/gtest.h>

#include "tests/unit/session/loopback_test.h"

namespace hawser::session {
namespace {

constexpr auto kSlow = static_cast<std::size_t>(wire::GAP_SLOW_CLIENT);
constexpr auto kOverrun = static_cast<std::size_t>(wire::GAP_OVERRUN);

TEST(LossesCountTest, WhatWasNotHeardIsNotCountedTwice) {
    Losses losses;
    losses.tell(1, 1, 10, 5, wire::GAP_SLOW_CLIENT);
    losses.tell(1, 1, 30, 7, wire::GAP_SLOW_CLIENT);
    losses.tell(1, 2, 40, 3, wire::GAP_DEADLINE);
    losses.tell(2, 1, 40, 2, wire::GAP_SLOW_CLIENT);
    EXPECT_EQ(losses.by_reason()[kSlow], 14u);
    losses.come_back(1, 1, 20);  // it has heard of the first
    EXPECT_EQ(losses.by_reason()[kSlow], 7u);
    losses.tell(1, 1, 20, 17, wire::GAP_OVERRUN);
    losses.come_back(1, 1, 20);
    EXPECT_EQ(losses.by_reason()[kOverrun], 0u);
    EXPECT_EQ(losses.by_reason()[kSlow], 7u) << "each is taken back once";
    EXPECT_EQ(losses.by_reason()[static_cast<std::size_t>(wire::GAP_DEADLINE)], 3u) << "another track's";
}

TEST(LossesCountTest, WhatWasHeardStays) {
    Losses losses;
    losses.tell(1, 1, 10, 5, wire::GAP_SLOW_CLIENT);
    losses.tell(1, 1, 30, 7, wire::GAP_SLOW_CLIENT);
    losses.confirm(1, 1, 20);
    losses.come_back(1, 1, 0);
    EXPECT_EQ(losses.by_reason()[kSlow], 5u);
    losses.tell(3, 1, 10, 5, wire::GAP_SLOW_CLIENT);
    losses.forget_track(1);
    losses.come_back(3, 1, 0);
    EXPECT_EQ(losses.by_reason()[kSlow], 10u);
}

TEST(LossesCountTest, WhoAcknowledgesNothingCostsNoMoreThanSoMuch) {
    Losses losses;
    for (std::uint64_t i = 0; i < 5000; ++i) losses.tell(1, 1, 2 * i, 1, wire::GAP_SLOW_CLIENT);
    losses.come_back(1, 1, 0);
    EXPECT_GE(losses.by_reason()[kSlow], 5000u - 64u);
    EXPECT_LT(losses.by_reason()[kSlow], 5000u);
}

TEST(LossesCountTest, NorDoManyOfThem) {
    Losses losses;
    for (std::uint64_t session = 0; session < 5000; ++session)
        losses.tell(session, 1, 0, 1, wire::GAP_SLOW_CLIENT);
    for (std::uint64_t session = 0; session < 5000; ++session) losses.come_back(session, 1, 0);
    EXPECT_EQ(losses.by_reason()[kSlow], 5000u - 4096u);
}

// A GAP that was under way when the connection broke.
struct LostGapTest : LoopbackTest {
    void lose_a_gap(Duration away) {
        PublisherConfig config = no_waiting();
        config.max_objects = 10;
        config.max_block = 1s;
        config.slow_client_policy = SlowClientPolicy::Drop;
        Sender sender(net, config);
        TrackWriter& video = sender.track("video");
        Receiver receiver(net);
        meet(sender, receiver);
        net.open_connection()->set_latency(io::Direction::ToCaller, 50ms);
        net.open_connection()->limit_writes(io::Direction::ToCaller, 200);
        publish_numbered(video, 0, 50);
        net.advance(1ms);
        net.open_connection()->limit_writes(io::Direction::ToCaller, 1u << 20);
        publish_numbered(video, 50, 51);
        net.advance(1ms);
        ASSERT_GT(sender.publisher.stats().skipped, 0u) << "or this tests nothing";
        ASSERT_EQ(receiver.subscriber.stats().lost, 0u) << "it is under way";
        net.refuse({"host", 7000}, true);
        net.cut_all();
        net.advance(away);
        net.refuse({"host", 7000}, false);
        settle(receiver);
        settle(receiver);
        publish_numbered(video, 51, 55);
        settle(receiver);
        const auto& got = receiver.tracks["video"];
        EXPECT_GT(got.lost, 0u);
        EXPECT_EQ(got.objects.size() + got.lost, 55u);
        EXPECT_EQ(sender.publisher.stats().skipped, got.lost);
    }
};

TEST_F(LostGapTest, SenderAndReceiverCountTheSame) {
    lose_a_gap(0s);
}

TEST_F(LostGapTest, AlsoWhereItWasGivenUp) {
    lose_a_gap(5s);
}

}  // namespace
}  // namespace hawser::session
