// What a receiver is not sent: who is slow, what is late, and what it is told of that.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/session/loopback_test.h"

namespace hawser::session {
namespace {

using LossesTest = LoopbackTest;

TEST_F(LossesTest, ASlowReceiverGetsAGapAndAKeyframeWhileItsConnectionLasts) {
    PublisherConfig config = no_waiting();
    config.max_objects = 100;
    config.slow_client_policy = SlowClientPolicy::Drop;
    Sender sender(net, config);
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    SubscriberConfig small;
    small.max_queue_items = 64;
    Receiver receiver(net, small);
    net.faults(io::Direction::ToCaller).capacity = 4096;
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle(receiver);
    const std::string payload(1000, 'x');
    for (int i = 0; i < 1000; ++i) {
        publish(video, payload, i % 10 == 0, 1000u * i);
        net.run_until_idle();
    }
    settle(receiver);
    const auto& log = receiver.tracks["video"];
    EXPECT_EQ(log.objects.size() + log.lost, 1000u);
    EXPECT_GT(log.lost, 0u);
    for (std::size_t i = 0; i + 1 < log.order.size(); ++i)
        if (log.order[i].starts_with("gap")) {
            EXPECT_EQ(std::stoi(log.order[i + 1].substr(7)) % 10, 0)
                << log.order[i] << ", " << log.order[i + 1];
        }
}

// However small the ring: one object that is just about to be sent is no backlog.
TEST_F(LossesTest, WhoKeepsUpWithASmallRingGetsDroppableObjectsToo) {
    for (const std::uint32_t max_objects : {1U, 2U, 3U, 4U}) {
        PublisherConfig config = no_waiting();
        config.max_objects = max_objects;
        config.slow_client_policy = SlowClientPolicy::Drop;
        config.link.stream = "/ring" + std::to_string(max_objects);
        Sender sender(net, config);
        TrackWriter& video = sender.track("video");
        Receiver receiver(net, matching(config));
        meet(sender, receiver);
        for (int i = 0; i < 100; ++i) {
            ObjectIn object;
            object.droppable = true;
            object.running_time = 1000u * i;
            ASSERT_EQ(video.publish(object), PublishResult::Published);
            net.run_until_idle();
            receiver.take();
        }
        settle(receiver);
        EXPECT_EQ(receiver.tracks["video"].objects.size(), 100U) << "ring of " << max_objects;
        EXPECT_EQ(receiver.tracks["video"].lost, 0U) << "ring of " << max_objects;
    }
}

// Acknowledgements keep the reactor at work; what is published meanwhile may fill a small ring, and is sent
// at once.
TEST_F(LossesTest, ASmallRingDoesNotWaitForANap) {
    for (const std::uint32_t max_objects : {2U, 4U}) {
        SCOPED_TRACE(max_objects);
        PublisherConfig config = no_waiting();
        config.max_objects = max_objects;
        config.slow_client_policy = SlowClientPolicy::Block;
        config.max_block = 100ms;  // real ones, where it goes wrong
        config.link.stream = "/small" + std::to_string(max_objects);
        Sender sender(net, config);
        TrackWriter& video = sender.track("video");
        Receiver receiver(net, matching(config));
        meet(sender, receiver);
        for (int i = 0; i < 100; ++i) {
            ASSERT_EQ(publish(video, "x"), PublishResult::Published);
            net.run_until_idle();
            receiver.take();
            receiver.wait();
            net.run_until_idle();
            ASSERT_EQ(receiver.tracks["video"].objects.size(), static_cast<std::size_t>(i) + 1);
        }
        EXPECT_TRUE(sender.warnings.empty()) << sender.warnings.front();
    }
}

TEST_F(LossesTest, ASlowReceiverIsDisconnectedWhereThePolicySaysSo) {
    PublisherConfig config = no_waiting();
    config.max_objects = 10;
    config.slow_client_policy = SlowClientPolicy::Disconnect;
    Sender sender(net, config);
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    SubscriberConfig small;
    small.max_queue_bytes = 1;
    Receiver receiver(net, small);
    net.faults(io::Direction::ToCaller).capacity = 4096;
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle(receiver);
    for (int i = 0; i < 100; ++i) {
        publish(video, std::string(1000, 'x'));
        net.run_until_idle();
    }
    net.advance(1s);
    ASSERT_EQ(sender.removed.size(), 1u);  // although it has not read a byte more
    EXPECT_NE(sender.removed[0].find("too slow"), std::string::npos) << sender.removed[0];
}

// It reads, only not fast enough: it is not given what is newest instead.
TEST_F(LossesTest, AReceiverThatFallsBehindIsDisconnectedWhereThePolicySaysSo) {
    PublisherConfig config = no_waiting();
    config.max_objects = 10;
    config.slow_client_policy = SlowClientPolicy::Disconnect;
    Sender sender(net, config);
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net);
    net.faults(io::Direction::ToCaller).capacity = 4096;
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle(receiver);
    for (int round = 0; round < 10 && sender.removed.empty(); ++round) {
        // More than the ring and the socket hold, and then time to read all of that, but none for a timer.
        for (int i = 0; i < 30; ++i) publish(video, std::string(1000, 'x'));
        for (int i = 0; i < 50; ++i) {
            net.run_until_idle();
            receiver.take();
        }
    }
    ASSERT_GE(sender.removed.size(), 1u);
    EXPECT_NE(sender.removed[0].find("too slow"), std::string::npos) << sender.removed[0];
    EXPECT_EQ(sender.publisher.stats().skipped_by_reason[wire::GAP_SLOW_CLIENT], 0u);
}

TEST_F(LossesTest, LateObjectsAreDroppedWithTheRestOfTheirGroup) {
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    video.set_max_latency(100ms);
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle(receiver);
    publish_numbered(video, 0, 25, 10);
    net.manual_clock().advance(200ms);
    publish_numbered(video, 25, 35, 10);
    settle(receiver);
    EXPECT_EQ(receiver.tracks["video"].objects, numbered(30, 35));
    EXPECT_EQ(receiver.tracks["video"].lost, 30u);
}

TEST_F(LossesTest, StickyEventsComeAgainOnlyBehindALossOfEvents) {
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    video.set_max_latency(100ms);
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net);
    send_event(video, wire::Event::STREAM_START, "start");
    send_event(video, wire::Event::CAPS, "caps");
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle(receiver);
    publish(video, "keyframe");
    settle(receiver);
    const auto& order = receiver.tracks["video"].order;
    const auto snapshots = std::count(order.begin(), order.end(), "sticky caps");
    for (int i = 0; i < 10; ++i) {
        publish_numbered(video, 0, 5, 10);
        net.manual_clock().advance(200ms);
        publish_numbered(video, 5, 6, 10);
        settle(receiver);
    }
    EXPECT_GE(receiver.tracks["video"].lost, 50u);
    EXPECT_EQ(std::count(order.begin(), order.end(), "sticky caps"), snapshots);
}

}  // namespace
}  // namespace hawser::session
