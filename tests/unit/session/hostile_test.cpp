// Publishers that break the protocol on purpose: whatever they say, nothing crashes, nothing hangs, memory
// stays bounded, and the connection ends with a reason that says what was wrong.
#include <gtest/gtest.h>

#include "tests/unit/session/hostile.h"

namespace hawser::session {
namespace {

// --- A hostile publisher calls a listening receiver
struct HostilePublisher : testing::Test {
    io::LoopbackReactor net;
    RawPeer peer{net};
    std::unique_ptr<Receiver> receiver;

    void SetUp() override { begin(); }
    void begin(SubscriberConfig config = {}) {
        receiver.reset();
        config.link.mode = Mode::Listener;
        receiver = std::make_unique<Receiver>(net, config);
        ASSERT_TRUE(receiver->subscriber.start().ok());
        peer.call("host", 7000);
        peer.say(hello(wire::ROLE_PUBLISHER));
    }
    void stream(const Tracks& tracks = {{1, "video"}}) {
        peer.say(announce(tracks));
        std::vector<At> starts;
        for (const auto& track : tracks) starts.push_back({.track = track.first});
        peer.say(subscribe_ok(starts));
        ASSERT_EQ(receiver->states.back(), "streaming");
    }
    // What was said last ended the connection, and the peer was told why.
    void expect_refused(const std::string& why) {
        net.advance(100ms);
        EXPECT_TRUE(peer.closed()) << why;
        const auto error = peer.last<wire::Error>(FrameType::Error);
        EXPECT_EQ(error.code(), wire::ERROR_BAD_FRAME);
        EXPECT_NE(error.text().find(why), std::string::npos) << error.text();
        // The receiver is as good as new.
        RawPeer honest(net);
        honest.call("host", 7000);
        honest.say(hello(wire::ROLE_PUBLISHER) + announce({{1, "video"}}, kEpoch + 1) +
                   subscribe_ok({{}}, kEpoch + 1) + object_frame("still there", 1, 0));
        EXPECT_EQ(receiver->states.back(), "streaming");
        receiver->take();
        ASSERT_FALSE(receiver->tracks["video"].objects.empty()) << why;
        EXPECT_EQ(receiver->tracks["video"].objects.back(), "still there");
        EXPECT_TRUE(receiver->failures.empty());
    }
};

TEST_F(HostilePublisher, BeforeSubscription) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {subscribe_ok({{}}), "SUBSCRIBE_OK"},
        {object_frame("x", 1, 0), "not subscribed"},
        {announce({{1, "video"}}) + object_frame("x", 1, 0), "not subscribed"},
        {announce({{1, "video"}}) + event(0), "not subscribed"},
        {announce({{1, "video"}}) + event(0, "x", wire::kSnapshot), "not subscribed"},
        {announce({{1, "video"}}) + gap(0, 1, 1), "not subscribed"},
        {announce({{1, "video"}}) + fragment_frame(0, "x", 1, 0), "not subscribed"},
        {announce({{1, "video"}}) + subscribe_ok({{.track = 2}}), "not announced"},
        {announce({{1, "video"}}) + subscribe_ok({{.track = 65537}}), "not announced"},
        {announce({{1, "video"}}) + subscribe_ok({{}, {}}), "contradicts itself"},
        {announce({{1, "video"}}) + subscribe_ok({{.start = 5, .head = 4}}), "contradicts itself"},
        {announce({{1, "video"}}) + subscribe_ok({{}}, kEpoch + 9), "another epoch"},
        {announce({{1, "video"}}) + subscribe_ok({{}}) + subscribe_ok({{}}), "SUBSCRIBE_OK"},
        {announce({{1, "video"}}, 0), "without an epoch"},
        {announce({{1, "video"}, {1, "audio"}}), "twice"},
        {announce({{1, "video"}, {2, "video"}}), "twice"},
        {announce({{0, "video"}}), "bad id or name"},
        {announce({{65536, "video"}}), "bad id or name"},
        {announce({{1, ""}}), "bad id or name"},
        {announce({{1, std::string(257, 'x')}}), "bad id or name"},
        {frame_bytes(FrameType::Announce, "\xff\xff\xff"), "malformed ANNOUNCE"},
        {frame_bytes(FrameType::Subscribe, ""), "SUBSCRIBE"},
        {frame_bytes(FrameType::Ack, ""), "ACK"},
        {frame_bytes(FrameType::NewGroup, ""), "NEW_GROUP"},
        {frame_bytes(static_cast<FrameType>(99), "new", 0, 0, wire::kCritical), "critical"},
        {hello(wire::ROLE_PUBLISHER).substr(8), "second handshake"},
        {frame_bytes(FrameType::Welcome, ""), "second handshake"},
    };
    for (const auto& [bytes, why] : cases) {
        SCOPED_TRACE(why);
        begin();
        peer.say(bytes);
        expect_refused(why);
    }
}

TEST_F(HostilePublisher, WhileStreaming) {
    using wire::kMore;
    const std::vector<std::pair<std::string, std::string>> cases{
        {object_frame("x", 2, 0), "not subscribed"},
        {object_frame("x", 1, 1), "out of sequence"},
        {object_frame("x", 1, ~0ull), "out of sequence"},
        {fragment_frame(0, "x", 1, 0), "does not continue"},
        {object_frame(lengths(4), "longer than it says", 1, 0), "contradict each other"},
        {object_frame(lengths(100), "short", 1, 0), "contradict each other"},
        {object_frame(lengths(5), "whole", 1, 0, kMore), "contradict each other"},
        {object_frame(lengths(100), "part", 1, 0, kMore) + object_frame("next", 1, 0), "complete"},
        {object_frame(lengths(100), "part", 1, 0, kMore) + event(0), "complete"},
        {object_frame(lengths(100), "part", 1, 0, kMore) + fragment_frame(3, "x", 1, 0, kMore),
         "does not continue"},
        {object_frame(lengths(100), "part", 1, 0, kMore) + fragment_frame(~0ull, "x", 1, 0, kMore),
         "does not continue"},
        {object_frame(lengths(100), "part", 1, 0, kMore) + fragment_frame(4, "x", 1, 1, kMore),
         "does not continue"},
        {object_frame(lengths(100), "part", 1, 0, kMore) + fragment_frame(4, "x", 1, 0), "does not continue"},
        {object_frame(lengths(6), "part", 1, 0, kMore) + fragment_frame(4, "much more", 1, 0),
         "does not continue"},
        {object_frame(lengths(10, 0xffffffff), "x", 1, 0, kMore), "max-object-size"},
        {object_frame(lengths(10, 2 << 20), "x", 1, 0, kMore), "extension"},
        {event(1), "out of sequence"},
        {frame_bytes(FrameType::Event, "\xff\xff", 1, 0), "malformed EVENT"},
        {gap(1, 2, 1), "out of sequence"},
        {gap(0, 0, 0), "out of sequence"},
        {object_frame("x", 1, 0) + gap(0, 1, 1), "out of sequence"},
        {object_frame("x", 1, 0) + gap(1, 0, 0), "out of sequence"},
        {gap(0, 10, 11), "out of sequence"},
        {gap(0, ~0ull, ~0ull) + gap(~0ull, 0, 0), "out of sequence"},
        {announce({{1, "audio"}}), "another name"},
        {announce({{1, "video"}}, kEpoch + 1), "another epoch"},
        {frame_bytes(FrameType::Event, "", 0, 0), "track 0"},
        {frame_bytes(FrameType::Object, std::string(79, 'x'), 1, 0), "shorter than its header"},
        {frame_bytes(FrameType::Object, std::string(80 + 65537, 'x'), 1, 0), "64 KiB"},
        {frame_bytes(FrameType::Fragment, std::string(8, 'x'), 1, 0), "empty FRAGMENT"},
    };
    for (const auto& [bytes, why] : cases) {
        SCOPED_TRACE(why);
        begin();
        stream();
        peer.say(bytes);
        if (why == "max-object-size") {
            net.advance(100ms);
            EXPECT_TRUE(peer.closed());
            ASSERT_EQ(receiver->failures.size(), 1u);
            EXPECT_NE(receiver->failures[0].find(why), std::string::npos);
            continue;
        }
        expect_refused(why);
    }
}

TEST_F(HostilePublisher, TenThousandTracks) {
    Tracks tracks;
    for (std::uint32_t id = 1; id <= 10000; ++id) tracks.emplace_back(id, "t" + std::to_string(id));
    peer.say(announce(tracks));
    expect_refused("more than 256 tracks");
}

TEST_F(HostilePublisher, EverNewTracks) {
    stream();
    for (std::uint32_t round = 0; round < 300 && !peer.closed(); ++round)
        peer.say(announce({{1, "video"}, {round + 2, "t" + std::to_string(round)}}));
    EXPECT_TRUE(peer.closed());
    EXPECT_LE(receiver->readers.size(), wire::kMaxTracks);
}

TEST_F(HostilePublisher, TracksThatComeAndGoDoNotOverflowTheQueue) {
    stream();
    for (std::uint32_t round = 2; round < 20000 && !peer.closed(); ++round) {
        peer.say(announce({{round, "video"}}));
        if (round % 1000 == 0) receiver->take();
    }
    receiver->take();
    EXPECT_TRUE(receiver->failures.empty());
}

TEST_F(HostilePublisher, AnExtensionInPiecesSmallerThanItself) {
    stream();
    const std::string extension(200, 'e');
    peer.say(object_frame(lengths(5, 200), extension.substr(0, 50), 1, 0, wire::kMore));
    peer.say(fragment_frame(50, extension.substr(50, 50), 1, 0, wire::kMore));
    peer.say(fragment_frame(100, extension.substr(100) + "hello", 1, 0));
    peer.say(object_frame(lengths(0, 30), std::string(10, 'e'), 1, 1, wire::kMore));
    peer.say(fragment_frame(10, std::string(20, 'e'), 1, 1));
    receiver->take();
    EXPECT_EQ(receiver->tracks["video"].objects, (std::vector<std::string>{"hello", ""}));
}

TEST_F(HostilePublisher, ATrackThatSubscribeOkLeftOut) {
    for (const std::string& evil :
         {object_frame("x", 2, 0), event(0, "x", 0, 2), gap(0, 1, 1, 2), event(0, "x", wire::kSnapshot, 2)}) {
        begin();
        peer.say(announce({{1, "video"}, {2, "audio"}}) + subscribe_ok({{}}) + evil);
        expect_refused("not subscribed");
    }
}

TEST_F(HostilePublisher, ATrackThatTheNextSubscribeOkLeavesOut) {
    stream({{1, "video"}, {2, "audio"}});
    peer.say(object_frame("x", 2, 0));
    peer.hang_up();
    net.advance(10ms);
    peer.call("host", 7000);
    peer.say(hello(wire::ROLE_PUBLISHER) + announce({{1, "video"}, {2, "audio"}}, kEpoch + 1) +
             subscribe_ok({{}}, kEpoch + 1) + object_frame("x", 2, 1));
    EXPECT_TRUE(peer.closed());
}

TEST_F(HostilePublisher, AResumptionThatLosesMoreThanThereIs) {
    stream();
    peer.say(object_frame("x", 1, 0));
    peer.hang_up();
    net.advance(10ms);
    peer.call("host", 7000);
    peer.say(hello(wire::ROLE_PUBLISHER) + announce({{1, "video"}}) +
             subscribe_ok({{.start = 5, .head = 5, .lost = 5}}));
    expect_refused("contradicts itself");
}

TEST_F(HostilePublisher, WhatIsThereAlreadyIsNotDeliveredTwice) {
    stream();
    peer.say(object_frame("one", 1, 0) + object_frame("two", 1, 1));
    peer.hang_up();
    net.advance(10ms);
    peer.call("host", 7000);
    peer.say(hello(wire::ROLE_PUBLISHER) + announce({{1, "video"}}) +
             subscribe_ok({{.start = 0, .head = 2}}) + object_frame("one", 1, 0) +
             object_frame(lengths(3), "t", 1, 1, wire::kMore) + fragment_frame(1, "wo", 1, 1) +
             object_frame("three", 1, 2));
    receiver->take();
    EXPECT_EQ(receiver->tracks["video"].objects, (std::vector<std::string>{"one", "two", "three"}));
    EXPECT_EQ(receiver->subscriber.stats().doubled, 2u);
}

TEST_F(HostilePublisher, ANameThatGoesToAnotherTrackWhileAway) {
    stream();
    for (std::uint64_t i = 0; i < 5; ++i) peer.say(object_frame("old", 1, i));
    peer.hang_up();
    net.advance(10ms);
    peer.call("host", 7000);
    peer.say(hello(wire::ROLE_PUBLISHER) + announce({{2, "video"}}));
    EXPECT_EQ(peer.last<wire::Subscribe>(FrameType::Subscribe).resume_size(), 0);
    peer.say(subscribe_ok({{.track = 2}}) + object_frame("new", 2, 0));
    receiver->take();
    EXPECT_EQ(receiver->tracks["video"].objects.back(), "new");
}

TEST_F(HostilePublisher, EventsCountAgainstTheQueue) {
    SubscriberConfig config;
    config.max_queue_bytes = 4 << 20;
    begin(config);
    stream();
    const std::string large(1 << 19, 'e');
    for (std::uint64_t i = 0; i < 100; ++i) peer.say(event(i, large));
    EXPECT_LE(receiver->subscriber.stats().queued_bytes, config.max_queue_bytes + wire::kMaxControl);
    net.advance(60s);
    EXPECT_FALSE(peer.closed());
}

TEST_F(HostilePublisher, PingsNobodyReadsTheAnswersOf) {
    stream();
    peer.stop_listening_to_it();
    std::string storm;
    for (int i = 0; i < 1000; ++i) storm += frame_bytes(FrameType::Ping, "");
    for (int i = 0; i < 1000 && receiver->states.back() == "streaming"; ++i) peer.say(storm);
    EXPECT_EQ(receiver->states.back(), "listening");
    EXPECT_NE(receiver->last_reason.find("does not read"), std::string::npos) << receiver->last_reason;
}

TEST_F(HostilePublisher, PongFromTheFuture) {
    stream();
    wire::Pong pong;
    pong.set_sent(~0ull);
    peer.say(message_frame(FrameType::Pong, pong));
    expect_refused("PONG");
}

TEST_F(HostilePublisher, AStormOfErrorsIsAnsweredByNone) {
    stream();
    wire::Error error;
    error.set_code(wire::ERROR_INTERNAL);
    error.set_text("no\x1b[31m good");
    std::string storm;
    for (int i = 0; i < 1000; ++i) storm += message_frame(FrameType::Error, error);
    peer.say(storm);
    net.advance(10ms);
    EXPECT_TRUE(peer.closed());
    for (const std::string& name : peer.names()) EXPECT_NE(name, "ERROR");
    EXPECT_NE(receiver->last_reason.find("no\\x1b[31m good"), std::string::npos) << receiver->last_reason;
}

TEST_F(HostilePublisher, ALongFrameThatIsOnlyPromised) {
    stream();
    std::string promise = frame_bytes(FrameType::Announce, "");
    promise[0] = 0;
    promise[2] = 0x10;  // 1 MiB
    peer.say(promise + "a little");
    EXPECT_EQ(receiver->states.back(), "streaming");
    promise[2] = 0x11;  // more
    begin();
    stream();
    peer.say(promise);
    expect_refused("1 MiB");
}

TEST_F(HostilePublisher, RandomFramesAfterAnHonestBeginning) {
    SeededRandom random(7);
    for (int round = 0; round < 300; ++round) {
        begin();
        stream({{1, "video"}, {2, "audio"}});
        std::uint64_t next[3] = {};
        for (int i = 0; i < 40 && !peer.closed(); ++i) {
            const auto track = static_cast<std::uint16_t>(1 + random.below(2));
            std::uint64_t& sequence = next[track];
            switch (random.below(8)) {
                case 0:
                    peer.say(event(sequence, "x", random.below(2) ? wire::kSnapshot : 0, track));
                    break;
                case 1:
                    peer.say(gap(sequence, sequence + random.below(3), random.below(3), track));
                    break;
                case 2:
                    peer.say(object_frame(lengths(static_cast<std::uint32_t>(random.below(40)),
                                                  static_cast<std::uint32_t>(random.below(40))),
                                          std::string(random.below(80), 'x'), track, sequence,
                                          random.below(2) ? wire::kMore : 0));
                    break;
                case 3:
                    peer.say(fragment_frame(random.below(40), std::string(1 + random.below(40), 'x'), track,
                                            sequence, random.below(2) ? wire::kMore : 0));
                    break;
                case 4: {
                    std::string bytes = announce({{1, "video"}, {2 + random.below(2), "audio"}});
                    bytes[random.below(bytes.size())] = static_cast<char>(random.next());
                    peer.say(bytes);
                    break;
                }
                default:
                    peer.say(object_frame("fine", track, sequence++));
            }
            receiver->take();
        }
        peer.hang_up();
        net.advance(10ms);
    }
}

}  // namespace
}  // namespace hawser::session
