// Publisher and subscriber together on the loopback engine: what the wire and the sessions promise, without a
// socket or a second of real time.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/session/loopback_test.h"

namespace hawser::session {
namespace {

using SessionTest = LoopbackTest;

TEST_F(SessionTest, DeliversObjectsAndEventsInOrder) {
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle(receiver);
    send_event(video, wire::Event::CAPS, "caps");
    publish_numbered(video, 0, 10);
    send_event(video, wire::Event::EOS, "eos");
    settle(receiver);
    EXPECT_EQ(receiver.tracks["video"].objects, numbered(0, 10));
    ASSERT_EQ(receiver.tracks["video"].order.size(), 13u);
    EXPECT_EQ(receiver.tracks["video"].order[0], "epoch 0");
    EXPECT_EQ(receiver.tracks["video"].order[1], "event caps");
    EXPECT_EQ(receiver.tracks["video"].order[12], "event eos");
    EXPECT_TRUE(receiver.complete);
    EXPECT_EQ(receiver.states.back(), "streaming");
    EXPECT_EQ(sender.states.back(), "streaming");
    sender.publisher.stop();
    settle(receiver);
    EXPECT_EQ(receiver.states.back(), "ended") << receiver.last_reason;
}

TEST_F(SessionTest, WorksWithTheReceiverListening) {
    PublisherConfig config = no_waiting();
    config.link.mode = Mode::Caller;
    SubscriberConfig listening;
    listening.link.mode = Mode::Listener;
    Receiver receiver(net, listening);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    Sender sender(net, config);
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    settle(receiver);
    publish_numbered(video, 0, 10);
    settle(receiver);
    EXPECT_EQ(receiver.tracks["video"].objects, numbered(0, 10));
}

TEST_F(SessionTest, OneByteAtATime) {
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net);
    for (const auto direction : {io::Direction::ToCaller, io::Direction::ToListener}) {
        net.faults(direction).most_a_read = 1;
        net.faults(direction).most_a_write = 1;
    }
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle(receiver);
    publish_numbered(video, 0, 50);
    settle(receiver);
    EXPECT_EQ(receiver.tracks["video"].objects, numbered(0, 50));
}

TEST_F(SessionTest, LargeObjectsTravelInFragments) {
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle(receiver);
    for (const std::size_t size : {0u, 1u, 65023u, 65024u, 65025u, 65535u, 65536u, 65537u, 130047u, 130048u,
                                   130049u, 130560u, 130561u, 131072u, 1000000u}) {
        std::string payload(size, '\0');
        for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>(i * 7 + i / 251);
        publish(video, payload);
        settle(receiver);
        EXPECT_EQ(receiver.tracks["video"].objects.back(), payload) << size;
    }
}

// A dense stream's last objects, which wait for the end of a nap, go out before their track does.
TEST_F(SessionTest, ATrackThatIsRemovedDuringANapIsSentFirst) {
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle(receiver);
    publish_numbered(video, 0, 100);
    net.run_until_idle();
    publish_numbered(video, 100, 200);  // so soon that it is dense
    net.run_until_idle();
    publish_numbered(video, 200, 210);
    sender.publisher.remove_track(&video);
    settle(receiver);
    EXPECT_EQ(receiver.tracks["video"].objects, numbered(0, 210));
}

TEST_F(SessionTest, ACutLosesNothing) {
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle(receiver);
    for (int cut = 0; cut < 10; ++cut) {
        publish_numbered(video, cut * 100, cut * 100 + 50);
        if (cut % 2) settle(receiver);
        net.cut_all();
        publish_numbered(video, cut * 100 + 50, cut * 100 + 100);
        settle(receiver);
    }
    EXPECT_EQ(receiver.tracks["video"].objects, numbered(0, 1000));
    EXPECT_EQ(receiver.tracks["video"].lost, 0u);
    EXPECT_EQ(receiver.recoveries.size(), 10u);
    const auto stats = receiver.subscriber.stats();
    EXPECT_EQ(stats.objects, 1000u);
    EXPECT_EQ(stats.doubled, 0u);
    EXPECT_GT(stats.replayed, 0u);
    EXPECT_EQ(stats.delivered, 1000u);
}

// Cut after every third number of bytes of a whole conversation.
TEST_F(SessionTest, CutAnywhereLosesNothing) {
    for (std::uint64_t at = 1; at < 1400; at += 3) {
        io::LoopbackReactor net2;
        Sender sender(net2, no_waiting());
        TrackWriter& video = sender.track("video");
        ASSERT_TRUE(sender.publisher.start().ok());
        Receiver receiver(net2);
        net2.faults(io::Direction::ToCaller).cut_after = at;
        ASSERT_TRUE(receiver.subscriber.start().ok());
        // Whoever has once subscribed loses nothing, even if it never saw the answer.
        const auto subscribed = [&] {
            return std::find(sender.states.begin(), sender.states.end(), "streaming") != sender.states.end();
        };
        net2.advance_until(subscribed, 300ms);
        net2.faults(io::Direction::ToCaller).cut_after.reset();
        ASSERT_TRUE(net2.advance_until(subscribed, 5s)) << at;
        publish_numbered(video, 0, 10);
        for (int i = 0; i < 30; ++i) {
            net2.advance(50ms);
            receiver.take();
        }
        EXPECT_EQ(receiver.tracks["video"].objects, numbered(0, 10)) << at;
        EXPECT_EQ(receiver.tracks["video"].lost, 0u) << at;
    }
}

TEST_F(SessionTest, WhatTheRingNoLongerHoldsIsReported) {
    PublisherConfig config = no_waiting();
    config.max_objects = 20;
    config.slow_client_policy = SlowClientPolicy::Drop;
    Sender sender(net, config);
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle(receiver);
    publish_numbered(video, 0, 10, 5);
    settle(receiver);
    net.cut_all();
    publish_numbered(video, 10, 100, 5);
    settle(receiver);
    const auto& log = receiver.tracks["video"];
    EXPECT_EQ(log.objects.size() + log.lost, 100u);
    EXPECT_GT(log.lost, 0u);
    // It goes on at the oldest group that is held.
    EXPECT_EQ(log.objects[10], "object number 80");
    // What was reported into the dying connection is reported again, and counted once.
    EXPECT_EQ(sender.publisher.stats().skipped, log.lost);
}

TEST_F(SessionTest, ANewEpochGoesOnInTheSameTracks) {
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    for (int life = 0; life < 3; ++life) {
        Sender sender(net, no_waiting(), 10 + life);
        TrackWriter& video = sender.track("video");
        ASSERT_TRUE(sender.publisher.start().ok());
        for (int i = 0; i < 100; ++i) settle(receiver);
        publish_numbered(video, life * 10, life * 10 + 10);
        settle(receiver);
    }
    EXPECT_EQ(receiver.tracks["video"].objects, numbered(0, 30));
    EXPECT_EQ(receiver.readers.size(), 1u);
    ASSERT_EQ(receiver.recoveries.size(), 2u);
    EXPECT_TRUE(receiver.recoveries[0].new_epoch);
    EXPECT_GT(receiver.recoveries[0].downtime.count(), 0);
    EXPECT_TRUE(receiver.failures.empty());
}

TEST_F(SessionTest, ALateJoinerStartsWithStickyEventsAndTheNewestGroup) {
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    TrackWriter& audio = sender.track("audio");
    ASSERT_TRUE(sender.publisher.start().ok());
    send_event(video, wire::Event::CAPS, "old caps");
    publish_numbered(video, 0, 5, 10);
    send_event(video, wire::Event::CAPS, "new caps");
    for (int i = 5; i < 28; ++i) {
        publish_numbered(video, i, i + 1, 10);
        publish_numbered(audio, i, i + 1);
    }
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle(receiver);
    EXPECT_EQ(receiver.tracks["video"].objects, numbered(20, 28));
    EXPECT_EQ(receiver.tracks["audio"].objects, numbered(20, 28));  // the same moment
    EXPECT_EQ(receiver.tracks["video"].order[1], "sticky new caps");
    EXPECT_EQ(receiver.tracks["video"].lost, 0u);
}

TEST_F(SessionTest, ANewcomerToALiveStreamBeginsWithAFreshGroup) {
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    sender.publisher.set_live(true);
    ASSERT_TRUE(sender.publisher.start().ok());
    publish_numbered(video, 0, 5, 10);
    net.advance(3s);
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    net.run_until_idle();
    EXPECT_EQ(sender.groups_wanted, std::vector<std::string>{"video"});
    net.advance(100ms);
    EXPECT_EQ(sender.states.back(), "listening");
    publish(video, "delta", false);
    publish(video, "fresh keyframe", true);
    publish(video, "delta", false);
    settle(receiver);
    EXPECT_EQ(receiver.tracks["video"].objects, (std::vector<std::string>{"fresh keyframe", "delta"}));
}

TEST_F(SessionTest, WhereNoFreshGroupComesTheOldOneServes) {
    PublisherConfig config = no_waiting();
    config.link.liveness.handshake_timeout = 500ms;  // it has subscribed, and waits for us
    Sender sender(net, config);
    TrackWriter& video = sender.track("video");
    sender.publisher.set_live(true);
    ASSERT_TRUE(sender.publisher.start().ok());
    publish_numbered(video, 0, 5, 10);
    net.advance(3s);
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    net.advance(900ms);
    EXPECT_EQ(sender.states.back(), "listening");
    EXPECT_EQ(sender.publisher.stats().clients_total, 1u);
    settle(receiver);
    EXPECT_EQ(sender.publisher.stats().clients_total, 1u);
    EXPECT_EQ(receiver.tracks["video"].objects, numbered(0, 5));
}

TEST_F(SessionTest, WithoutAGroupTheEncoderIsAskedForOne) {
    PublisherConfig config = no_waiting();
    config.max_objects = 4;
    Sender sender(net, config);
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    publish_numbered(video, 0, 28, 100);  // its only keyframe has left the ring
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle(receiver);
    ASSERT_FALSE(sender.groups_wanted.empty());
    EXPECT_TRUE(receiver.tracks["video"].objects.empty());
    publish(video, "delta", false);
    publish(video, "keyframe", true);
    publish(video, "delta", false);
    settle(receiver);
    EXPECT_EQ(receiver.tracks["video"].objects, (std::vector<std::string>{"keyframe", "delta"}));
}

TEST_F(SessionTest, AReceiverThatWasStartedAgainIsNotWaitedForTwice) {
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    auto& track = static_cast<PublisherTrack&>(video);
    ASSERT_TRUE(sender.publisher.start().ok());
    auto killed = std::make_unique<Receiver>(net);
    ASSERT_TRUE(killed->subscriber.start().ok());
    settle(*killed);
    publish_numbered(video, 0, 5);
    net.cut_all();
    killed.reset();  // what it says does not arrive any more
    publish_numbered(video, 5, 10);
    const auto acknowledged = [&] {
        sender.publisher.set_live(false);  // makes it look
        net.run_until_idle();
        return track.progress(0).for_drain();
    };
    EXPECT_EQ(acknowledged(), 0u);
    Receiver again(net, {}, 77);
    ASSERT_TRUE(again.subscriber.start().ok());
    settle(again);
    EXPECT_EQ(acknowledged(), track.ring().head());
}

// A sender that comes back without one of its tracks ends that track when it ends the others.
TEST_F(SessionTest, ATrackThatDoesNotComeBackEndsWithTheStream) {
    Receiver receiver(net);
    {
        Sender sender(net, no_waiting(), 10);
        TrackWriter& video = sender.track("video");
        TrackWriter& audio = sender.track("audio");
        ASSERT_TRUE(sender.publisher.start().ok());
        ASSERT_TRUE(receiver.subscriber.start().ok());
        settle(receiver);
        publish_numbered(video, 0, 5);
        publish_numbered(audio, 0, 5);
        settle(receiver);
    }
    Sender sender(net, no_waiting(), 11);
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    for (int i = 0; i < 5; ++i) settle(receiver);
    publish_numbered(video, 5, 10);
    send_event(video, wire::Event::EOS, "eos");
    settle(receiver);
    EXPECT_NE(receiver.tracks["audio"].order.back(), "sticky ");
    sender.publisher.stop();
    settle(receiver);
    EXPECT_EQ(receiver.tracks["audio"].order.back(), "sticky ");
    EXPECT_EQ(receiver.tracks["video"].order.back(), "event eos");
    EXPECT_EQ(receiver.states.back(), "ended");
}

TEST_F(SessionTest, EveryReceiverGetsEverything) {
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    std::vector<std::unique_ptr<Receiver>> receivers;
    for (int i = 0; i < 10; ++i) {
        receivers.push_back(std::make_unique<Receiver>(net, SubscriberConfig{}, 100 + i));
        ASSERT_TRUE(receivers.back()->subscriber.start().ok());
    }
    net.run_until_idle();
    publish_numbered(video, 0, 100);
    for (auto& receiver : receivers) {
        settle(*receiver);
        EXPECT_EQ(receiver->tracks["video"].objects, numbered(0, 100));
    }
    EXPECT_EQ(sender.publisher.num_clients(), 10u);
}

TEST_F(SessionTest, AnUnknownStreamIsAnErrorThatNamesTheNearest) {
    Sender sender(net, no_waiting());
    ASSERT_TRUE(sender.publisher.start().ok());
    SubscriberConfig config;
    config.link.stream = "/came";
    Receiver receiver(net, config);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    net.advance(10s);
    ASSERT_EQ(receiver.failures.size(), 1u);
    EXPECT_NE(receiver.failures[0].find("\"/cam\""), std::string::npos) << receiver.failures[0];
    EXPECT_EQ(receiver.states.back(), "failed");
}

TEST_F(SessionTest, TwoReceiversCannotFeedEachOther) {
    SubscriberConfig listening;
    listening.link.mode = Mode::Listener;
    Receiver one(net, listening);
    ASSERT_TRUE(one.subscriber.start().ok());
    Receiver two(net);
    ASSERT_TRUE(two.subscriber.start().ok());
    net.advance(10s);
    ASSERT_EQ(two.failures.size(), 1u);
    EXPECT_NE(two.failures[0].find("hawsersink"), std::string::npos);
}

TEST_F(SessionTest, TwoStreamsShareAPort) {
    Sender cam(net, no_waiting(), 5);
    PublisherConfig config = no_waiting();
    config.link.stream = "/mic";
    Sender mic(net, config, 6);
    TrackWriter& video = cam.track("video");
    TrackWriter& audio = mic.track("audio");
    ASSERT_TRUE(cam.publisher.start().ok());
    ASSERT_TRUE(mic.publisher.start().ok());
    SubscriberConfig wants_mic;
    wants_mic.link.stream = "/mic";
    Receiver listener(net, wants_mic);
    Receiver viewer(net);
    ASSERT_TRUE(listener.subscriber.start().ok());
    ASSERT_TRUE(viewer.subscriber.start().ok());
    net.run_until_idle();
    publish(video, "picture");
    publish(audio, "sound");
    settle(listener);
    settle(viewer);
    EXPECT_EQ(listener.tracks["audio"].objects, std::vector<std::string>{"sound"});
    EXPECT_EQ(viewer.tracks["video"].objects, std::vector<std::string>{"picture"});
    // The same name twice is a mistake.
    Sender third(net, no_waiting(), 7);
    const auto started = third.publisher.start();
    ASSERT_FALSE(started.ok());
    EXPECT_EQ(started.error().code, Errc::AddressInUse);
}

TEST_F(SessionTest, ASilentPeerIsDeadAfterThePeerTimeoutAndResumed) {
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle(receiver);
    publish_numbered(video, 0, 10);
    net.run_until_idle();
    net.open_connection()->freeze();
    publish_numbered(video, 10, 20);
    net.advance(2s);
    EXPECT_EQ(receiver.states.back(), "streaming");
    net.advance(2s);
    for (int i = 0; i < 10; ++i) settle(receiver);
    EXPECT_EQ(receiver.states.back(), "streaming");
    EXPECT_EQ(receiver.recoveries.size(), 1u);
    EXPECT_EQ(receiver.tracks["video"].objects, numbered(0, 20));
}

TEST_F(SessionTest, AnIdleLinkStaysUp) {
    Sender sender(net, no_waiting());
    sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    net.advance(600s);
    EXPECT_EQ(receiver.states.back(), "streaming");
    EXPECT_TRUE(receiver.recoveries.empty());
    EXPECT_TRUE(sender.removed.empty());
}

TEST_F(SessionTest, APausedReceiverStaysConnected) {
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    SubscriberConfig config;
    config.max_queue_bytes = 1000;
    Receiver receiver(net, config);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    net.run_until_idle();
    publish_numbered(video, 0, 1000);
    net.advance(60s);
    EXPECT_TRUE(sender.removed.empty());
    for (int i = 0; i < 10; ++i) settle(receiver);
    EXPECT_EQ(receiver.tracks["video"].objects, numbered(0, 1000));
}

TEST_F(SessionTest, StrictPrioritiesAndPublishingOrder) {
    Sender sender(net, no_waiting());
    TrackWriter& low = sender.track("low", 6);
    TrackWriter& high = sender.track("high", 1);
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net);
    net.faults(io::Direction::ToCaller).capacity = 70000;
    ASSERT_TRUE(receiver.subscriber.start().ok());
    net.run_until_idle();
    publish(low, std::string(1000000, 'l'));
    publish(high, std::string(1000, 'h'));
    net.run_until_idle();
    receiver.take();
    EXPECT_EQ(receiver.tracks["high"].objects.size(), 1u);
    settle(receiver);
    EXPECT_EQ(receiver.tracks["low"].objects.size(), 1u);
}

TEST_F(SessionTest, MaxClients) {
    PublisherConfig config = no_waiting();
    config.max_clients = 1;
    Sender sender(net, config);
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver one(net), two(net, {}, 3);
    ASSERT_TRUE(one.subscriber.start().ok());
    net.run_until_idle();
    ASSERT_TRUE(two.subscriber.start().ok());
    net.advance(1s);
    EXPECT_EQ(sender.publisher.num_clients(), 1u);
    EXPECT_NE(two.states.back(), "streaming");
    one.subscriber.stop();
    net.advance(3s);
    EXPECT_EQ(two.states.back(), "streaming");
}

TEST_F(SessionTest, ReconnectAttemptsAreBounded) {
    SubscriberConfig config;
    config.link.reconnect.attempts = 3;
    Receiver receiver(net, config);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    net.advance(60s);
    ASSERT_EQ(receiver.failures.size(), 1u);
    EXPECT_NE(receiver.failures[0].find("tried again 3 times"), std::string::npos) << receiver.failures[0];
}

TEST_F(SessionTest, AReceiverWaitsForItsSenderForEver) {
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    net.advance(3600s);
    EXPECT_TRUE(receiver.failures.empty());
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    net.advance(2s);
    EXPECT_EQ(receiver.states.back(), "streaming");
    publish(video, "at last");
    settle(receiver);
    EXPECT_EQ(receiver.tracks["video"].objects.size(), 1u);
}

TEST_F(SessionTest, TracksMayBeAddedAndRemovedWhileStreaming) {
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle(receiver);
    publish_numbered(video, 0, 5);
    TrackWriter& audio = sender.track("audio");
    publish_numbered(audio, 0, 5);
    settle(receiver);
    sender.publisher.remove_track(&video);
    publish_numbered(audio, 5, 10);
    settle(receiver);
    EXPECT_EQ(receiver.tracks["video"].objects, numbered(0, 5));
    EXPECT_EQ(receiver.tracks["audio"].objects, numbered(0, 10));
}

}  // namespace
}  // namespace hawser::session
