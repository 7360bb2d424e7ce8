#include "runtime/session/congestion.h"

#include <gtest/gtest.h>

#include "proto/wire/header.h"

namespace hawser::session {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMega = 1'000'000;

// A socket that has carried so much by now. As measure() without the system.
struct Link {
    Congestion congestion;
    TimePoint now{1s};
    io::tcp::LinkInfo info;

    void carries(std::uint64_t bytes, Duration in) {
        now += in;
        info.acked += bytes;
        congestion.sample(info, now);
    }
    void turns(int count, std::uint64_t bytes, Duration in) {
        for (int i = 0; i < count; ++i) carries(bytes, in);
    }
    // The socket was not full meanwhile.
    void not_eager() { congestion.set_eager(false); }
};

TEST(Congestion, NothingIsKnownAtFirst) {
    Link link;
    link.carries(0, 0s);
    EXPECT_EQ(link.congestion.rate(), 0u);
    EXPECT_EQ(link.congestion.arrival(1000 * kMega, link.now), link.now);
    EXPECT_EQ(link.congestion.most_unsent(), 16u * 1024);
}

TEST(Congestion, ALinkThatIsAlwaysFullTellsItsRate) {
    Link link;
    link.turns(51, 5000, 20ms);  // 2 Mbit/s
    EXPECT_NEAR(static_cast<double>(link.congestion.rate()), 250'000, 2500);
    // 20 ms of it would be 5 kB.
    EXPECT_EQ(link.congestion.most_a_frame(), 4u * 1024);
    EXPECT_EQ(link.congestion.most_unsent(), 8u * 1024);
    link.info.queued = 25'000;
    link.carries(5000, 20ms);
    const Duration delay = link.congestion.arrival(25'000, link.now) - link.now;
    EXPECT_NEAR(static_cast<double>(delay.count()), 200e6, 5e6);
}

// Full for moments only, as between two processes of one machine: small writes would make it slow for good.
TEST(Congestion, AFastLinkThatIsFullNowAndThenGetsLargeWrites) {
    Link link;
    for (int i = 0; i < 10; ++i) {
        link.not_eager();
        link.carries(40 * kMega, 20ms);
    }
    EXPECT_EQ(link.congestion.rate(), 0u) << "it may be able to do more";
    EXPECT_EQ(link.congestion.most_a_frame(), wire::kUsualFragment);
    EXPECT_EQ(link.congestion.most_unsent(), 128u * 1024);
}

TEST(Congestion, MuchInAShortTimeTellsEnough) {
    Link link;
    link.carries(0, 0s);
    link.carries(40 * kMega, 20ms);
    EXPECT_EQ(link.congestion.most_unsent(), 128u * 1024);
    EXPECT_EQ(link.congestion.rate(), 2000 * kMega);
}

TEST(Congestion, ASlowStreamOnAFastLinkSaysNothingAboutTheLink) {
    Link link;
    for (int i = 0; i < 100; ++i) {
        link.not_eager();
        link.carries(1000, 20ms);
    }
    EXPECT_EQ(link.congestion.rate(), 0u);
    EXPECT_EQ(link.congestion.most_unsent(), 16u * 1024);
}

TEST(Congestion, WhatItCarriedIsTheLeastThatItCan) {
    Link link;
    link.turns(51, 5000, 20ms);
    for (int i = 0; i < 10; ++i) {
        link.not_eager();
        link.carries(20'000, 20ms);
    }
    EXPECT_EQ(link.congestion.rate(), 1 * kMega);
}

TEST(Congestion, ItFollowsALinkThatBecomesSlow) {
    Link link;
    link.turns(50, 20 * kMega, 20ms);
    EXPECT_EQ(link.congestion.most_unsent(), 128u * 1024);
    link.turns(250, 5000, 20ms);
    EXPECT_LT(link.congestion.rate(), 260'000u);
    EXPECT_EQ(link.congestion.most_unsent(), 8u * 1024);
}

}  // namespace
}  // namespace hawser::session
