// Tracks and receivers that come, go and come back at bad moments, on the loopback engine.
// blocking_threads_test.cpp has what needs threads.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/session/pair.h"

namespace hawser::session {
namespace {

struct CornerCases : testing::Test {
    io::LoopbackReactor net;

    void settle(std::vector<Receiver*> receivers, int rounds = 50) {
        for (int i = 0; i < rounds; ++i) {
            net.run_until_idle();
            for (Receiver* receiver : receivers) receiver->take();
            net.advance(20ms);
        }
    }
    void publish_numbered(TrackWriter& track, int from, int to, int group = 1) {
        for (int i = from; i < to; ++i)
            ASSERT_EQ(publish(track, "object " + std::to_string(i), i % group == 0, 1000u * i),
                      PublishResult::Published);
    }
};

// It deadlocked: the acceptor that could not listen took the registry's lock in its destructor.
TEST_F(CornerCases, AnAddressThatCannotBeListenedOnIsAnError) {
    PublisherConfig anywhere = no_waiting();
    anywhere.link.address = {"0.0.0.0", 7000};
    Sender first(net, anywhere);
    ASSERT_TRUE(first.publisher.start().ok());
    PublisherConfig here = no_waiting();
    here.link.address = {"127.0.0.1", 7000};
    here.link.stream = "/other";
    Sender second(net, here, 2);
    const auto started = second.publisher.start();
    if (!started.ok()) {
        EXPECT_EQ(started.error().code, Errc::AddressInUse);
    }
    SubscriberConfig config;
    config.link.address = {"127.0.0.1", 7000};
    Receiver receiver(net, config);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle({&receiver}, 5);
    EXPECT_EQ(receiver.states.back(), "streaming");
}

// Clients that are in the middle of one of its frames go when a track is removed, while all are gone through.
TEST_F(CornerCases, ATrackIsRemovedWhileSeveralClientsAreInMidFrame) {
    PublisherConfig config = no_waiting();
    Sender sender(net, config);
    TrackWriter& video = sender.track("video");
    TrackWriter& audio = sender.track("audio");
    ASSERT_TRUE(sender.publisher.start().ok());
    net.faults(io::Direction::ToCaller).capacity = 5000;
    std::vector<std::unique_ptr<Receiver>> receivers;
    std::vector<Receiver*> all;
    for (int i = 0; i < 4; ++i) {
        SubscriberConfig small;
        small.max_queue_bytes = 1000;
        receivers.push_back(std::make_unique<Receiver>(net, small, 100 + i));
        all.push_back(receivers.back().get());
        ASSERT_TRUE(receivers.back()->subscriber.start().ok());
    }
    net.run_until_idle();
    for (int i = 0; i < 10; ++i) publish(video, std::string(3000, 'v'));
    net.run_until_idle();
    sender.publisher.remove_track(&video);
    net.run_until_idle();
    publish_numbered(audio, 0, 10);
    settle(all, 200);
    for (Receiver* receiver : all) {
        EXPECT_EQ(receiver->tracks["audio"].objects.size(), 10u);
        EXPECT_EQ(receiver->tracks["video"].objects.size() + receiver->tracks["video"].lost, 10u);
    }
    EXPECT_TRUE(sender.removed.empty());
}

// Nobody is told twice, and what was published is delivered or reported, when a track goes too early.
TEST_F(CornerCases, WhatARemovedTrackHadNotSentIsReported) {
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    TrackWriter& audio = sender.track("audio");
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle({&receiver}, 5);
    publish_numbered(video, 0, 10);  // the reactor has not had its turn yet
    sender.publisher.remove_track(&video);
    publish_numbered(audio, 0, 1);
    settle({&receiver});
    const auto& log = receiver.tracks["video"];
    EXPECT_EQ(log.objects.size() + log.lost, 10u);
}

// The queue's places are room as well as its bytes are: a track of nothing but events stopped for ever.
TEST_F(CornerCases, AQueueFullOfEventsIsReadOn) {
    Sender sender(net, no_waiting());
    TrackWriter& data = sender.track("data");
    ASSERT_TRUE(sender.publisher.start().ok());
    SubscriberConfig config;
    config.max_queue_items = 64;
    Receiver receiver(net, config);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    net.run_until_idle();
    for (int i = 0; i < 1000; ++i) send_event(data, wire::Event::OTHER, std::to_string(i), false);
    settle({&receiver}, 100);
    EXPECT_EQ(receiver.tracks["data"].order.size(), 1001u);  // and the epoch
    EXPECT_EQ(receiver.subscriber.stats().queued_bytes, 0u);
}

TEST_F(CornerCases, EventsCountInTheQueue) {
    Sender sender(net, no_waiting());
    TrackWriter& data = sender.track("data");
    ASSERT_TRUE(sender.publisher.start().ok());
    SubscriberConfig config;
    config.max_queue_bytes = 100'000;
    Receiver receiver(net, config);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    net.run_until_idle();
    for (int i = 0; i < 100; ++i) send_event(data, wire::Event::OTHER, std::string(10'000, 'e'), false);
    net.run_until_idle();
    EXPECT_LT(receiver.subscriber.stats().queued_bytes, 120'000u);
    settle({&receiver});
    EXPECT_EQ(receiver.tracks["data"].order.size(), 101u);
}

// Another track of the same name begins at 0 again: the old one's place in the sequence means nothing to it.
TEST_F(CornerCases, ATrackAddedAgainWhileTheReceiverIsAwayLosesNothing) {
    Sender sender(net, no_waiting());
    TrackWriter& old = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle({&receiver}, 5);
    publish_numbered(old, 0, 10);
    settle({&receiver});
    net.cut_all();
    sender.publisher.remove_track(&old);
    TrackWriter& video = sender.track("video");
    publish_numbered(video, 10, 15);
    settle({&receiver});
    EXPECT_EQ(receiver.tracks["video"].objects.size(), 15u);
    EXPECT_EQ(receiver.subscriber.stats().doubled, 0u);
}

TEST_F(CornerCases, ATrackAddedAgainIsNotAcknowledgedBeforeItIsHandedOn) {
    Sender sender(net, no_waiting());
    TrackWriter& old = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle({&receiver}, 5);
    publish_numbered(old, 0, 100);
    settle({&receiver});
    sender.publisher.remove_track(&old);
    auto& video = static_cast<PublisherTrack&>(sender.track("video"));
    publish_numbered(video, 0, 10);
    net.advance(1s);  // received, and not handed on
    sender.publisher.set_live(false);
    net.advance(1s);
    EXPECT_EQ(video.progress(0).for_drain(), 0u);
    receiver.take();
    net.advance(1s);
    sender.publisher.set_live(true);
    net.advance(1s);
    EXPECT_EQ(video.progress(0).for_drain(), 10u);
}

// A track that comes while a receiver is away belongs to what it is owed, from its beginning.
TEST_F(CornerCases, ATrackAddedWhileTheReceiverIsAwayComesWhole) {
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle({&receiver}, 5);
    publish_numbered(video, 0, 5);
    settle({&receiver});
    net.cut_all();
    TrackWriter& audio = sender.track("audio");
    publish_numbered(audio, 0, 20);
    settle({&receiver});
    EXPECT_EQ(receiver.tracks["audio"].objects.size(), 20u);
}

TEST_F(CornerCases, WhatSuchATrackNoLongerHoldsIsReported) {
    PublisherConfig config = no_waiting();
    config.max_objects = 8;
    config.slow_client_policy = SlowClientPolicy::Drop;
    Sender sender(net, config);
    sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle({&receiver}, 5);
    net.cut_all();
    TrackWriter& audio = sender.track("audio");
    publish_numbered(audio, 0, 20);
    settle({&receiver});
    const auto& log = receiver.tracks["audio"];
    EXPECT_EQ(log.objects.size() + log.lost, 20u);
    EXPECT_EQ(log.objects.size(), 8u);
}

// A sender whose pads come later announces nothing at first: that is no end of stream.
TEST_F(CornerCases, ANewEpochWithoutTracksHasNotEnded) {
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    {
        Sender sender(net, no_waiting());
        TrackWriter& video = sender.track("video");
        ASSERT_TRUE(sender.publisher.start().ok());
        settle({&receiver}, 100);
        publish_numbered(video, 0, 3);
        settle({&receiver});
    }
    Sender sender(net, no_waiting(), 11);
    ASSERT_TRUE(sender.publisher.start().ok());
    settle({&receiver}, 200);
    ASSERT_EQ(receiver.states.back(), "streaming");
    net.cut_all();
    settle({&receiver}, 200);
    EXPECT_EQ(receiver.states.back(), "streaming");
    TrackWriter& video = sender.track("video");
    publish_numbered(video, 3, 6);
    settle({&receiver});
    EXPECT_EQ(receiver.tracks["video"].objects.size(), 6u);
}

TEST_F(CornerCases, AReceiverThatHasEndedTakesNoOtherSender) {
    SubscriberConfig listening;
    listening.link.mode = Mode::Listener;
    Receiver receiver(net, listening);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    PublisherConfig calling = no_waiting();
    calling.link.mode = Mode::Caller;
    {
        Sender sender(net, calling);
        TrackWriter& video = sender.track("video");
        ASSERT_TRUE(sender.publisher.start().ok());
        settle({&receiver});
        publish_numbered(video, 0, 3);
        send_event(video, wire::Event::EOS, "eos");
        settle({&receiver});
    }
    settle({&receiver});
    ASSERT_EQ(receiver.states.back(), "ended");
    Sender other(net, calling, 12);
    TrackWriter& video = other.track("video");
    ASSERT_TRUE(other.publisher.start().ok());
    publish_numbered(video, 0, 3);
    settle({&receiver});
    EXPECT_EQ(receiver.tracks["video"].objects.size(), 3u);
    EXPECT_EQ(receiver.states.back(), "ended");
    EXPECT_TRUE(other.failures.empty());
}

// A request that comes soon after an answered one is not forgotten, or the newcomer waits for ever.
TEST_F(CornerCases, AKeyframeWantedTooSoonIsAskedForLater) {
    PublisherConfig config = no_waiting();
    config.max_objects = 4;
    Sender sender(net, config);
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    publish_numbered(video, 0, 28, 100);
    Receiver one(net);
    ASSERT_TRUE(one.subscriber.start().ok());
    net.run_until_idle();
    ASSERT_EQ(sender.groups_wanted.size(), 1u);
    publish(video, "keyframe", true);
    for (int i = 0; i < 10; ++i) publish(video, "delta", false);
    net.advance(10ms);
    Receiver two(net, {}, 3);
    ASSERT_TRUE(two.subscriber.start().ok());
    net.advance(1s);
    EXPECT_EQ(sender.groups_wanted.size(), 2u);
    publish(video, "keyframe", true);
    settle({&one, &two});
    EXPECT_EQ(two.tracks["video"].objects, std::vector<std::string>{"keyframe"});
}

// Nor does it get what it cannot decode because it was away for a moment.
TEST_F(CornerCases, WhoWaitsForAGroupStillDoesAfterACut) {
    PublisherConfig config = no_waiting();
    config.max_objects = 4;
    Sender sender(net, config);
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    publish_numbered(video, 0, 28, 100);
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle({&receiver}, 5);
    publish(video, "delta", false);
    settle({&receiver}, 5);
    net.cut_all();
    publish(video, "delta", false);
    settle({&receiver}, 100);
    publish(video, "keyframe", true);
    settle({&receiver}, 5);
    EXPECT_EQ(receiver.tracks["video"].objects, std::vector<std::string>{"keyframe"});
    EXPECT_EQ(receiver.tracks["video"].lost, 2u);
}

// Whoever is overtaken in the middle of a frame, as the slow nearly always are, is not cut off for that: it
// would come back to the oldest group there is, and be overtaken again.
TEST_F(CornerCases, BeingOvertakenInMidFrameBreaksNothing) {
    PublisherConfig config = no_waiting();
    config.max_objects = 20;
    config.slow_client_policy = SlowClientPolicy::Drop;
    Sender sender(net, config);
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    net.faults(io::Direction::ToCaller).capacity = 5000;
    SubscriberConfig small;
    small.max_queue_bytes = 1000;
    Receiver receiver(net, small);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle({&receiver}, 5);
    for (int i = 0; i < 300; ++i) {
        publish(video, std::string(i % 7 == 0 ? 100'000 : 3000, 'v'), i % 10 == 0);
        net.run_until_idle();
        if (i % 100 == 0) receiver.take();
    }
    settle({&receiver}, 200);
    EXPECT_TRUE(receiver.recoveries.empty());
    EXPECT_TRUE(sender.removed.empty());
    EXPECT_GT(receiver.tracks["video"].lost, 0u);
    EXPECT_EQ(receiver.tracks["video"].objects.size() + receiver.tracks["video"].lost, 300u);
    EXPECT_EQ(sender.publisher.stats().skipped, receiver.tracks["video"].lost);
}

// What has arrived is not what was handed on: EOS waits for the latter also after a cut.
TEST_F(CornerCases, AReceiverThatComesBackHasNotHandedOnWhatItHas) {
    Sender sender(net, no_waiting());
    auto& video = static_cast<PublisherTrack&>(sender.track("video"));
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle({&receiver}, 5);
    publish_numbered(video, 0, 10);
    net.advance(100ms);
    net.cut_all();
    net.advance(1s);
    EXPECT_EQ(receiver.states.back(), "streaming");
    EXPECT_EQ(video.progress(0).for_drain(), 0u);
    settle({&receiver});
    sender.publisher.set_live(false);
    net.advance(100ms);
    EXPECT_EQ(video.progress(0).for_drain(), 10u);
}

// Acknowledgements that a cut swallowed are told again.
TEST_F(CornerCases, AnAcknowledgementLostInACutIsRepeated) {
    Sender sender(net, no_waiting());
    auto& video = static_cast<PublisherTrack&>(sender.track("video"));
    ASSERT_TRUE(sender.publisher.start().ok());
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    settle({&receiver}, 5);
    publish_numbered(video, 0, 10);
    net.run_until_idle();
    receiver.take();
    net.open_connection()->freeze(io::Direction::ToListener);
    net.advance(1s);
    net.cut_all();
    for (int i = 0; i < 100; ++i) net.advance(20ms);
    sender.publisher.set_live(false);
    net.advance(100ms);
    EXPECT_EQ(video.progress(0).for_drain(), 10u);
}

TEST_F(CornerCases, AListeningReceiverUsesItsOwnLivenessAndMeasuresTheRoundTrip) {
    SubscriberConfig first;
    first.link.mode = Mode::Listener;
    first.link.stream = "/other";
    first.link.liveness.peer_timeout = 100s;
    SubscriberConfig second;
    second.link.mode = Mode::Listener;
    second.link.liveness.peer_timeout = 1s;
    Receiver other(net, first, 5);
    Receiver receiver(net, second);
    ASSERT_TRUE(other.subscriber.start().ok());
    ASSERT_TRUE(receiver.subscriber.start().ok());
    PublisherConfig calling = no_waiting();
    calling.link.mode = Mode::Caller;
    Sender sender(net, calling);
    sender.track("video");
    for (const auto direction : {io::Direction::ToCaller, io::Direction::ToListener})
        net.faults(direction).latency = 5ms;
    ASSERT_TRUE(sender.publisher.start().ok());
    net.advance(900ms);
    EXPECT_GE(receiver.subscriber.stats().rtt, 10'000'000u);
    net.open_connection()->freeze();
    net.advance(2s);
    EXPECT_EQ(receiver.states.back(), "listening");
}

// An object that is too large is told once, and ends what is under way.
TEST_F(CornerCases, FailingTwiceFailsOnce) {
    PublisherConfig config = no_waiting();
    config.link.mode = Mode::Caller;
    config.link.max_object_size = 10;
    Sender sender(net, config);
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    EXPECT_EQ(publish(video, std::string(11, 'x')), PublishResult::Failed);
    EXPECT_EQ(publish(video, std::string(11, 'x')), PublishResult::Failed);
    net.advance(1s);
    EXPECT_EQ(sender.failures.size(), 1u);
    EXPECT_EQ(sender.states.back(), "failed");
    sender.publisher.stop();
    EXPECT_EQ(sender.states.back(), "idle");
}

}  // namespace
}  // namespace hawser::session
