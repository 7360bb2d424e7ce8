// Control frames that leave together with something else: a PONG in front of the next objects, an ACK in
// front of a PING.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "tests/unit/session/hostile.h"

namespace hawser::session {
namespace {

struct EscortTest : testing::Test {
    io::LoopbackReactor net;
    RawPeer peer{net};
    Sender sender{net, no_waiting()};
    TrackWriter* video = nullptr;

    void SetUp() override {
        video = &sender.track("video");
        ASSERT_TRUE(sender.publisher.start().ok());
        peer.call("host", 7000);
        peer.say(hello(wire::ROLE_SUBSCRIBER) + message_frame(FrameType::Subscribe, wire::Subscribe{}));
        net.advance(10ms);
    }
    void object() {
        publish(*video, "object");
        net.run_until_idle();
    }
    void ping(std::uint64_t id) {
        wire::Ping ping;
        ping.set_id(id);
        ping.set_sent(1000 + id);
        peer.say(message_frame(FrameType::Ping, ping));
    }
    bool answered() { return last_of(FrameType::Pong) >= 0; }
    std::ptrdiff_t last_of(FrameType type) {
        const auto frames = peer.frames();
        std::ptrdiff_t at = -1;
        for (std::size_t i = 0; i < frames.size(); ++i)
            if (frames[i].prefix.type == type) at = static_cast<std::ptrdiff_t>(i);
        return at;
    }
};

TEST_F(EscortTest, APongWaitsForTheNextObjectAndSaysForHowLong) {
    object();
    net.advance(20ms);
    ping(7);
    EXPECT_FALSE(answered());
    net.advance(20ms);
    EXPECT_FALSE(answered());
    object();
    ASSERT_TRUE(answered());
    EXPECT_EQ(last_of(FrameType::Pong) + 1, last_of(FrameType::Object));
    const auto pong = peer.last<wire::Pong>(FrameType::Pong);
    EXPECT_EQ(pong.id(), 7u);
    EXPECT_EQ(pong.sent(), 1007u);
    EXPECT_EQ(pong.answered() - pong.received(), 20'000'000u);
}

TEST_F(EscortTest, WithoutAnObjectItLeavesByItself) {
    object();
    ping(1);
    EXPECT_FALSE(answered());
    net.advance(260ms);
    ASSERT_TRUE(answered());
    const auto pong = peer.last<wire::Pong>(FrameType::Pong);
    EXPECT_GT(pong.answered(), pong.received());
}

TEST_F(EscortTest, AnIdleLinkIsAnsweredAtOnce) {
    object();
    net.advance(600ms);
    ping(1);
    ASSERT_TRUE(answered());
    EXPECT_EQ(peer.last<wire::Pong>(FrameType::Pong).answered(), 0u);
}

TEST_F(EscortTest, ASecondPingWaitsForNothing) {
    object();
    ping(1);
    EXPECT_FALSE(answered());
    net.advance(50ms);
    ping(2);
    const auto names = peer.names();
    EXPECT_EQ(std::count(names.begin(), names.end(), "PONG"), 2);
    EXPECT_EQ(peer.last<wire::Pong>(FrameType::Pong).id(), 2u);
}

// The socket takes a few bytes at a time: of the PONG, and of what it escorts.
TEST_F(EscortTest, ShortWritesKeepFramesWhole) {
    for (const std::size_t most : {1u, 5u, 44u, 45u, 46u, 60u}) {
        object();
        ping(most);
        net.open_connection()->limit_writes(io::Direction::ToCaller, most);
        object();
        net.advance(5ms);
        net.open_connection()->limit_writes(io::Direction::ToCaller, 1u << 20);
        object();
        ASSERT_TRUE(answered());
        EXPECT_EQ(peer.last<wire::Pong>(FrameType::Pong).id(), most);
    }
    const auto names = peer.names();
    EXPECT_EQ(std::count(names.begin(), names.end(), "OBJECT"), 18);
    EXPECT_EQ(std::count(names.begin(), names.end(), "PONG"), 6);
}

// Who came first is told when they have become many, and again when they are few.
TEST_F(EscortTest, EverybodyHearsHowOftenToAcknowledge) {
    const auto told = [&] { return peer.last<wire::Announce>(FrameType::Announce); };
    EXPECT_EQ(told().ack_interval(), 10u);
    EXPECT_GT(told().ack_bytes(), 0u);
    EXPECT_GT(told().ack_entries(), 0u);
    std::vector<std::unique_ptr<Receiver>> others;
    const auto grow_to = [&](std::size_t count) {
        while (others.size() < count) {
            others.push_back(std::make_unique<Receiver>(net, SubscriberConfig{}, 10 + others.size()));
            ASSERT_TRUE(others.back()->subscriber.start().ok());
        }
        net.advance(300ms);
    };
    grow_to(4);
    EXPECT_EQ(told().ack_interval(), 10u);
    EXPECT_EQ(told().ack_bytes(), 0u) << "with five nothing is made of it";
    EXPECT_EQ(told().ack_entries(), 0u);
    grow_to(70);
    EXPECT_EQ(told().ack_interval(), 250u);
    others.clear();
    net.advance(300ms);
    EXPECT_EQ(told().ack_interval(), 10u);
    EXPECT_GT(told().ack_bytes(), 0u);
}

TEST_F(EscortTest, TheRoundTripIsMeasuredWithoutTheWait) {
    for (const auto direction : {io::Direction::ToCaller, io::Direction::ToListener})
        net.faults(direction).latency = 5ms;
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    for (int i = 0; i < 40; ++i) {
        net.advance(190ms);  // a PONG waits for 100 ms on the average
        object();
    }
    EXPECT_GE(receiver.subscriber.stats().rtt, 10'000'000u);
    EXPECT_LT(receiver.subscriber.stats().rtt, 12'000'000u);
}

// A publisher made of bytes calls a receiver.
struct EscortReceiverTest : testing::Test {
    io::LoopbackReactor net;
    RawPeer peer{net};
    std::unique_ptr<Receiver> receiver;

    void begin(unsigned ack_interval) {
        receiver.reset();
        SubscriberConfig config;
        config.link.mode = Mode::Listener;
        receiver = std::make_unique<Receiver>(net, config);
        ASSERT_TRUE(receiver->subscriber.start().ok());
        peer.call("host", 7000);
        wire::Announce announced;
        announced.set_epoch(kEpoch);
        announced.set_ack_interval(ack_interval);
        auto& info = *announced.add_tracks();
        info.set_id(1);
        info.set_name("video");
        peer.say(hello(wire::ROLE_PUBLISHER) + message_frame(FrameType::Announce, announced) +
                 subscribe_ok({{}}));
    }
};

// The two ends' clocks run at different speeds: on a fast link the difference is more than the round trip.
TEST_F(EscortReceiverTest, APongHeldForLongerThanItTookIsNoReasonToPart) {
    begin(10);
    const auto answer = [&](std::uint64_t held) {
        const auto ping = peer.last<wire::Ping>(FrameType::Ping);
        wire::Pong pong;
        pong.set_id(ping.id());
        pong.set_sent(ping.sent());
        pong.set_received(1);
        pong.set_answered(1 + held);
        peer.say(message_frame(FrameType::Pong, pong));
    };
    net.advance(200ms);
    answer(200'040'000);
    answer(~std::uint64_t{1});
    EXPECT_FALSE(peer.closed());
    EXPECT_EQ(receiver->subscriber.stats().rtt, 0u) << "nothing is known by that";
    answer(199'960'000);
    EXPECT_EQ(receiver->subscriber.stats().rtt, 40'000u);
}

// A publisher that asks for few ACKs gets each together with a PING; one that asks for many gets them in
// between.
TEST_F(EscortReceiverTest, AnAckGoesAlongWithAPingWhereTheyAreFew) {
    for (const unsigned interval : {1000u, 10u}) {
        begin(interval);
        for (std::uint64_t i = 0; i < 250; ++i) {
            peer.say(object_frame("x", 1, i));
            receiver->take();
            net.advance(20ms);
        }
        const auto frames = peer.frames();
        int acks = 0, alone = 0;
        for (std::size_t i = 0; i < frames.size(); ++i) {
            if (frames[i].prefix.type != FrameType::Ack) continue;
            ++acks;
            if (i + 1 == frames.size() || frames[i + 1].prefix.type != FrameType::Ping) ++alone;
        }
        if (interval == 1000) {
            EXPECT_GE(acks, 4);
            EXPECT_LE(alone, 1);  // the first, which is early
        } else {
            EXPECT_GE(alone, 100);
        }
    }
}

}  // namespace
}  // namespace hawser::session
