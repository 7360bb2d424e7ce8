// What a publisher keeps of what it has sent: all that somebody may still want, and no more.
#include <gtest/gtest.h>

#include "tests/unit/session/pair.h"

namespace hawser::session {
namespace {

struct KeepingTest : testing::Test {
    io::LoopbackReactor net;

    void settle(Receiver& receiver) {
        for (int i = 0; i < 20; ++i) {
            net.run_until_idle();
            receiver.take();
            net.advance(20ms);
        }
    }
    // Numbers `from` to `to`, each `group`th of which begins a group; running time 1 µs each.
    static void publish_some(TrackWriter& track, int from, int to, int group = 1) {
        for (int i = from; i < to; ++i)
            ASSERT_EQ(publish(track, std::to_string(i), i % group == 0, 1000u * static_cast<unsigned>(i)),
                      PublishResult::Published);
    }
    static std::uint64_t tail(TrackWriter& track) {
        return static_cast<PublisherTrack&>(track).ring().tail();
    }
    static std::vector<std::string> numbers(int from, int to) {
        std::vector<std::string> all;
        for (int i = from; i < to; ++i) all.push_back(std::to_string(i));
        return all;
    }
};

TEST_F(KeepingTest, WhatItsOnlyReceiverHasGoes) {
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle(receiver);
    publish_some(video, 0, 100);
    net.run_until_idle();
    net.advance(100ms);
    publish_some(video, 100, 101);
    EXPECT_EQ(tail(video), 0u) << "it has not taken them";
    settle(receiver);
    publish_some(video, 101, 102);
    EXPECT_EQ(tail(video), 100u) << "but for the group that a newcomer would begin with";
    settle(receiver);
    EXPECT_EQ(receiver.tracks["video"].objects, numbers(0, 102));
}

// Who waits for room in a small ring waits for what was handed on, not for an interval's end.
TEST_F(KeepingTest, AQuarterOfASmallRingIsAcknowledgedAtOnce) {
    for (const bool by_bytes : {false, true}) {
        SCOPED_TRACE(by_bytes ? "bytes" : "objects");
        io::LoopbackReactor reactor;
        PublisherConfig config = no_waiting();
        if (by_bytes)
            config.max_bytes = 16'000;
        else
            config.max_objects = 16;
        Sender sender(reactor, config);
        TrackWriter& video = sender.track("video");
        ASSERT_TRUE(sender.publisher.start().ok());
        Receiver receiver(reactor);
        ASSERT_TRUE(receiver.subscriber.start().ok());
        reactor.run_until_idle();
        receiver.take();
        receiver.wait();
        reactor.advance(1s);
        const TimePoint begun = reactor.clock().now();
        const auto go_through = [&](int from, int to) {
            for (int i = from; i < to; ++i)
                ASSERT_EQ(publish(video, std::string(1000, 'x')), PublishResult::Published);
            reactor.advance(1ms);  // a nap's length
            receiver.take();
            receiver.wait();
            reactor.run_until_idle();
            ASSERT_EQ(publish(video, "and one to look"), PublishResult::Published);
            reactor.run_until_idle();
            receiver.take();
        };
        go_through(0, 2);
        EXPECT_EQ(tail(video), 0u) << "too few to be worth a packet";
        for (int round = 0; round < 5; ++round) {
            go_through(0, 4);
            EXPECT_GE(tail(video) + 3, static_cast<PublisherTrack&>(video).ring().head()) << round;
        }
        EXPECT_LT(reactor.clock().now() - begun, 10ms) << "the interval was not waited for";
    }
}

TEST_F(KeepingTest, TheNewestGroupStaysForANewcomer) {
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net), late(net, {}, 3);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle(receiver);
    publish_some(video, 0, 70, 50);
    settle(receiver);
    publish_some(video, 70, 71, 50);
    EXPECT_EQ(tail(video), 50u);
    ASSERT_TRUE(late.subscriber.start().ok());
    settle(late);
    EXPECT_EQ(late.tracks["video"].objects, numbers(50, 71));
}

TEST_F(KeepingTest, SoDoesWhatOtherTracksHaveSentSince) {
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    TrackWriter& audio = sender.track("audio");
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net), late(net, {}, 3);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle(receiver);
    for (int i = 0; i < 70; ++i) {
        publish_some(video, i, i + 1, 50);
        publish_some(audio, i, i + 1);
    }
    settle(receiver);
    publish_some(video, 70, 71, 50);
    publish_some(audio, 70, 71);
    EXPECT_EQ(tail(video), 50u);
    EXPECT_EQ(tail(audio), 50u);
    ASSERT_TRUE(late.subscriber.start().ok());
    settle(late);
    EXPECT_EQ(late.tracks["audio"].objects, numbers(50, 71));
}

TEST_F(KeepingTest, WhoIsAwayFindsAllThatItMissed) {
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net), other(net, {}, 3);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    ASSERT_TRUE(other.subscriber.start().ok());
    settle(receiver);
    settle(other);
    publish_some(video, 0, 10);
    net.cut_all();
    for (int i = 10; i < 60; ++i) {
        publish_some(video, i, i + 1);
        net.run_until_idle();
    }
    for (int i = 0; i < 5; ++i) {
        settle(receiver);
        settle(other);
    }
    EXPECT_EQ(receiver.tracks["video"].objects, numbers(0, 60));
    EXPECT_EQ(other.tracks["video"].objects, numbers(0, 60));
    EXPECT_EQ(receiver.tracks["video"].lost + other.tracks["video"].lost, 0u);
    publish_some(video, 60, 61);
    EXPECT_EQ(tail(video), 59u) << "all are here again";
}

// One who was given up may come back all the same: for as long as the ring may hold something it does.
TEST_F(KeepingTest, OneWhoWasGivenUpMayComeBack) {
    PublisherConfig config = no_waiting();
    config.max_block = 1s;
    Sender sender(net, config);
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver stays(net);
    ASSERT_TRUE(stays.subscriber.start().ok());
    auto goes = std::make_unique<Receiver>(net, SubscriberConfig{}, 3);
    ASSERT_TRUE(goes->subscriber.start().ok());
    settle(stays);
    settle(*goes);
    publish_some(video, 0, 10);
    settle(*goes);
    settle(stays);
    net.cut_all();
    goes.reset();  // what it says does not arrive any more
    const std::uint64_t before = tail(video);
    for (int i = 10; i < 20; ++i) {
        settle(stays);  // 0.4 s
        publish_some(video, i, i + 1);
    }
    EXPECT_EQ(tail(video), before);
    for (int i = 20; i < 120; ++i) {
        settle(stays);
        publish_some(video, i, i + 1);
    }
    EXPECT_EQ(tail(video), 118u) << "max-time has passed";
    EXPECT_EQ(stays.tracks["video"].lost, 0u);
}

TEST_F(KeepingTest, ForManyReceiversAllIsKept) {
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    std::vector<std::unique_ptr<Receiver>> receivers;
    for (unsigned i = 0; i < 5; ++i) {
        receivers.push_back(std::make_unique<Receiver>(net, SubscriberConfig{}, 100 + i));
        ASSERT_TRUE(receivers.back()->subscriber.start().ok());
        settle(*receivers.back());
    }
    publish_some(video, 0, 50);
    for (auto& receiver : receivers) settle(*receiver);
    publish_some(video, 50, 51);
    EXPECT_EQ(tail(video), 0u);
    receivers.pop_back();
    for (int i = 0; i < 5; ++i) net.advance(100ms);
    for (auto& receiver : receivers) settle(*receiver);
    publish_some(video, 51, 52);
    EXPECT_GT(tail(video), 40u);
}

// More than it asks for would be a write for each object; less, and a fast stream's memory is out of the
// caches.
TEST_F(KeepingTest, MuchIsAcknowledgedBeforeTheIntervalIsOver) {
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle(receiver);
    const auto now = net.clock().now();
    for (int i = 0; i < 40; ++i) {
        publish(video, std::string(100'000, 'x'));
        net.run_until_idle();
        receiver.take();
    }
    net.run_until_idle();
    EXPECT_EQ(net.clock().now(), now);
    EXPECT_GT(tail(video), 20u);
}

}  // namespace
}  // namespace hawser::session
