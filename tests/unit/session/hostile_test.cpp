// Peers that break the protocol on purpose: whatever they say, nothing crashes, nothing hangs, memory stays
// bounded, and the connection ends with a reason that says what was wrong.
#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/session/pair.h"
#include "tests/unit/session/raw_peer.h"

namespace hawser::session {
namespace {

using wire::FrameType;

constexpr std::uint64_t kEpoch = 77;

std::string hello(wire::Role role, std::uint64_t session = 5, std::uint32_t generation = 1) {
    wire::Hello message;
    message.set_min_version(1);
    message.set_max_version(1);
    message.set_role(role);
    message.set_stream("/cam");
    message.set_session(session);
    message.set_generation(generation);
    message.set_epoch(role == wire::ROLE_PUBLISHER ? kEpoch : 0);
    return std::string(wire::kPreamble) + message_frame(FrameType::Hello, message);
}

using Tracks = std::vector<std::pair<std::uint32_t, std::string>>;

std::string announce(const Tracks& tracks, std::uint64_t epoch = kEpoch) {
    wire::Announce message;
    message.set_epoch(epoch);
    for (const auto& [id, name] : tracks) {
        auto& track = *message.add_tracks();
        track.set_id(id);
        track.set_name(name);
    }
    return message_frame(FrameType::Announce, message);
}

struct At {
    std::uint32_t track = 1;
    std::uint64_t start = 0, head = 0, lost = 0;
};

std::string subscribe_ok(const std::vector<At>& tracks, std::uint64_t epoch = kEpoch) {
    wire::SubscribeOk message;
    message.set_epoch(epoch);
    for (const At& at : tracks) {
        auto& start = *message.add_tracks();
        start.set_track(at.track);
        start.set_start(at.start);
        start.set_head(at.head);
        start.set_lost_objects(at.lost);
    }
    return message_frame(FrameType::SubscribeOk, message);
}

std::string gap(std::uint64_t first, std::uint64_t next, std::uint64_t lost, std::uint16_t track = 1) {
    wire::Gap message;
    message.set_first(first);
    message.set_next(next);
    message.set_lost_objects(lost);
    return message_frame(FrameType::Gap, message, track, first);
}

std::string event(std::uint64_t sequence, const std::string& text = "text", std::uint8_t flags = 0,
                  std::uint16_t track = 1) {
    wire::Event message;
    message.set_kind(wire::Event::CUSTOM);
    message.set_text(text);
    return message_frame(FrameType::Event, message, track, sequence, flags);
}

wire::ObjectHeader lengths(std::uint32_t payload, std::uint32_t extension = 0) {
    wire::ObjectHeader header;
    header.payload_length = payload;
    header.extension_length = extension;
    return header;
}

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

// --- A hostile subscriber calls a listening sender
struct HostileSubscriber : testing::Test {
    io::LoopbackReactor net;
    RawPeer peer{net};
    std::unique_ptr<Sender> sender;
    TrackWriter* video = nullptr;

    void SetUp() override { begin(); }
    void begin() {
        sender.reset();
        sender = std::make_unique<Sender>(net, no_waiting());
        video = &sender->track("video");
        ASSERT_TRUE(sender->publisher.start().ok());
        for (int i = 0; i < 10; ++i) publish(*video, "object", true, 1000u * static_cast<unsigned>(i));
        peer.call("host", 7000);
        peer.say(hello(wire::ROLE_SUBSCRIBER));
    }
    std::string subscribe(std::uint64_t next, std::uint64_t objects = 0) {
        wire::Subscribe message;
        message.set_epoch(sender->publisher.epoch());
        auto& position = *message.add_resume();
        position.set_track(1);
        position.set_next(next);
        position.set_objects(objects);
        return message_frame(FrameType::Subscribe, message);
    }
    void expect_refused(const std::string& why) {
        net.advance(100ms);
        EXPECT_TRUE(peer.closed()) << why;
        const auto error = peer.last<wire::Error>(FrameType::Error);
        EXPECT_NE(error.text().find(why), std::string::npos) << error.text();
        Receiver honest(net);
        ASSERT_TRUE(honest.subscriber.start().ok());
        net.advance(100ms);
        honest.take();
        EXPECT_FALSE(honest.tracks["video"].objects.empty());
        EXPECT_TRUE(sender->failures.empty());
    }
};

TEST_F(HostileSubscriber, FramesOfTheOtherRole) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {announce({{1, "video"}}), "ANNOUNCE"},
        {subscribe_ok({{}}), "SUBSCRIBE_OK"},
        {object_frame("x", 1, 0), "OBJECT"},
        {fragment_frame(0, "x", 1, 0), "FRAGMENT"},
        {event(0), "EVENT"},
        {gap(0, 1, 1), "GAP"},
        {frame_bytes(FrameType::Subscribe, "") + frame_bytes(FrameType::Subscribe, ""), "second SUBSCRIBE"},
        {frame_bytes(FrameType::Subscribe, "\xff"), "malformed SUBSCRIBE"},
        {frame_bytes(FrameType::Ack, "\xff"), "malformed ACK"},
        {frame_bytes(FrameType::NewGroup, "\xff"), "malformed NEW_GROUP"},
        {hello(wire::ROLE_SUBSCRIBER).substr(8), "second handshake"},
    };
    for (const auto& [bytes, why] : cases) {
        SCOPED_TRACE(why);
        begin();
        peer.say(bytes);
        expect_refused(why);
    }
}

TEST_F(HostileSubscriber, ResumesBeyondTheHead) {
    for (const std::uint64_t next : {std::uint64_t{10}, std::uint64_t{11}, ~std::uint64_t{0}}) {
        begin();
        peer.say(subscribe(next, ~0ull));
        const auto answer = peer.last<wire::SubscribeOk>(FrameType::SubscribeOk);
        EXPECT_TRUE(answer.resumed());
        ASSERT_EQ(answer.tracks_size(), 1);
        EXPECT_EQ(answer.tracks(0).start(), 10u);
        EXPECT_EQ(answer.tracks(0).head(), 10u);
        EXPECT_EQ(answer.tracks(0).lost_objects(), 0u);
        publish(*video, "new");
        net.run_until_idle();
        EXPECT_EQ(peer.frames().back().prefix.sequence, 10u);
    }
}

TEST_F(HostileSubscriber, AcknowledgesTheFuture) {
    peer.say(subscribe(0));
    wire::Ack ack;
    for (const std::uint32_t track : {1u, 2u, 65537u, 0u}) {
        auto& position = *ack.add_tracks();
        position.set_track(track);
        position.set_next(~0ull);
    }
    peer.say(message_frame(FrameType::Ack, ack));
    net.advance(100ms);
    EXPECT_FALSE(peer.closed());
    // What is published later is not acknowledged by that.
    auto* track = static_cast<PublisherTrack*>(video);
    publish(*video, "new");
    net.run_until_idle();
    sender->publisher.set_live(true);
    net.run_until_idle();
    EXPECT_EQ(track->drain_acked.load(), 10u);
}

TEST_F(HostileSubscriber, AcknowledgesAndAsksBeforeItHasSubscribed) {
    wire::Ack ack;
    ack.add_tracks()->set_track(1);
    wire::NewGroup group;
    group.set_track(1);
    peer.say(message_frame(FrameType::Ack, ack) + message_frame(FrameType::NewGroup, group));
    EXPECT_FALSE(peer.closed());
    EXPECT_TRUE(sender->groups_wanted.empty());
}

TEST_F(HostileSubscriber, AStormOfKeyframeRequestsReachesTheEncoderOnce) {
    peer.say(subscribe(0));
    wire::NewGroup group;
    group.set_track(1);
    group.set_count(~0u);
    std::string storm;
    for (int i = 0; i < 10000; ++i) storm += message_frame(FrameType::NewGroup, group);
    peer.say(storm);
    EXPECT_EQ(sender->groups_wanted.size(), 1u);
}

TEST_F(HostileSubscriber, ResumesMoreTracksThanThereCanBe) {
    wire::Subscribe message;
    for (int i = 0; i < 100000; ++i) message.add_resume()->set_track(1);
    peer.say(message_frame(FrameType::Subscribe, message));
    expect_refused("more tracks than there can be");
}

TEST_F(HostileSubscriber, PingsWithAnAnswerAlwaysLeftOver) {
    peer.say(subscribe(0));
    net.faults(io::Direction::ToCaller).capacity = 1024;
    std::string storm;
    for (int i = 0; i < 1000; ++i) storm += frame_bytes(FrameType::Ping, "");
    for (int i = 0; i < 200; ++i) peer.say(storm);
    EXPECT_FALSE(peer.closed());
    EXPECT_EQ(peer.names().back(), "PONG");
}

// --- Before the handshake is done
struct HostileCaller : HostileSubscriber {
    void say_first(const std::string& bytes) {
        peer.call("host", 7000);
        peer.say(bytes);
        net.advance(100ms);
    }
};

TEST_F(HostileCaller, IsToldWhatIsWrongWithItsHello) {
    const auto refused = [&](const std::string& bytes, wire::ErrorCode code, const std::string& why) {
        SCOPED_TRACE(why);
        say_first(bytes);
        EXPECT_TRUE(peer.closed());
        const auto error = peer.last<wire::Error>(FrameType::Error);
        EXPECT_EQ(error.code(), code) << error.text();
        EXPECT_NE(error.text().find(why), std::string::npos) << error.text();
    };
    const std::string preamble(wire::kPreamble);
    wire::Hello future;
    future.set_min_version(2);
    future.set_max_version(9);
    refused(preamble + message_frame(FrameType::Hello, future), wire::ERROR_VERSION, "speaks 2 to 9");
    refused(hello(wire::ROLE_PUBLISHER), wire::ERROR_ROLE, "hawsersrc");
    refused(hello(wire::ROLE_UNKNOWN), wire::ERROR_ROLE, "hawsersrc");
    wire::Hello other;
    other.set_min_version(1);
    other.set_max_version(1);
    other.set_role(wire::ROLE_SUBSCRIBER);
    other.set_stream("/\x1b[31m");
    refused(preamble + message_frame(FrameType::Hello, other), wire::ERROR_UNKNOWN_STREAM, "\\x1b[31m");
    refused(preamble + frame_bytes(FrameType::Hello, "\xff"), wire::ERROR_BAD_FRAME, "malformed HELLO");
    refused(preamble + frame_bytes(FrameType::Hello, std::string(4097, 'x')), wire::ERROR_BAD_FRAME, "4 KiB");
    refused(preamble + frame_bytes(FrameType::Welcome, ""), wire::ERROR_BAD_FRAME, "WELCOME");
    refused(preamble + frame_bytes(FrameType::Ping, ""), wire::ERROR_BAD_FRAME, "before the handshake");
    refused(preamble + object_frame("x", 1, 0), wire::ERROR_BAD_FRAME, "before the handshake");
    refused(preamble + frame_bytes(static_cast<FrameType>(99), ""), wire::ERROR_BAD_FRAME,
            "before the handshake");
    refused("GET / HTTP/1.1\r\n\r\n", wire::ERROR_BAD_FRAME, "does not speak Hawser");
    RawPeer newer(net);
    newer.call("host", 7000);
    newer.say(hello(wire::ROLE_SUBSCRIBER, 6, 2));
    refused(hello(wire::ROLE_SUBSCRIBER, 6, 1), wire::ERROR_BUSY, "newer connection");
    refused(hello(wire::ROLE_SUBSCRIBER, 6, 2), wire::ERROR_BUSY, "newer connection");
}

TEST_F(HostileCaller, MayNotBeSilentForLong) {
    for (const std::string& bytes :
         {std::string(), std::string("HAWS"), hello(wire::ROLE_SUBSCRIBER).substr(0, 30)}) {
        say_first(bytes);
        net.advance(4s);
        EXPECT_FALSE(peer.closed());
        net.advance(2s);
        EXPECT_TRUE(peer.closed());
    }
}

TEST_F(HostileCaller, SaysGoodbyeBeforeHello) {
    wire::Goaway goaway;
    goaway.set_reason(wire::GOAWAY_ENDED);
    say_first(std::string(wire::kPreamble) + message_frame(FrameType::Goaway, goaway));
    EXPECT_TRUE(peer.closed());
}

// --- A hostile listener answers a calling receiver
TEST(HostileListener, IsGivenUpOrTriedAgainButNeverTrusted) {
    wire::Welcome good;
    good.set_version(1);
    good.set_role(wire::ROLE_PUBLISHER);
    good.set_epoch(kEpoch);
    wire::Welcome future = good;
    future.set_version(2);
    wire::Welcome same = good;
    same.set_role(wire::ROLE_SUBSCRIBER);
    wire::Error refusal;
    refusal.set_code(wire::ERROR_UNKNOWN_STREAM);
    refusal.set_text("none here");
    const std::string preamble(wire::kPreamble);
    const std::vector<std::pair<std::string, std::string>> cases{
        {"SSH-2.0-OpenSSH_9.2\r\n", "does not speak Hawser"},
        {preamble + message_frame(FrameType::Welcome, future), "version 2"},
        {preamble + message_frame(FrameType::Welcome, same), "same role"},
        {preamble + frame_bytes(FrameType::Welcome, "\xff"), "malformed WELCOME"},
        {hello(wire::ROLE_PUBLISHER), "HELLO with HELLO"},
        {preamble + announce({{1, "video"}}), "before the handshake"},
        {preamble + message_frame(FrameType::Error, refusal), "none here"},
        {preamble, "does not answer"},
        {"", "does not answer"},
    };
    for (const auto& [bytes, why] : cases) {
        SCOPED_TRACE(why);
        io::LoopbackReactor net;
        RawPeer peer(net);
        peer.listen("host", 7000);
        Receiver receiver(net);
        ASSERT_TRUE(receiver.subscriber.start().ok());
        for (int i = 0, calls = 0; i < 200 && receiver.failures.empty(); ++i) {
            net.advance(100ms);
            if (std::exchange(calls, peer.calls()) != peer.calls()) peer.say(bytes);
        }
        ASSERT_EQ(receiver.failures.size(), 1u);
        EXPECT_NE(receiver.failures[0].find(why), std::string::npos) << receiver.failures[0];
        EXPECT_EQ(receiver.states.back(), "failed");
    }
}

TEST(HostileListener, AWelcomeThenEvilIsTriedAgainForEver) {
    io::LoopbackReactor net;
    RawPeer peer(net);
    peer.listen("host", 7000);
    Receiver receiver(net);
    ASSERT_TRUE(receiver.subscriber.start().ok());
    wire::Welcome welcome;
    welcome.set_version(1);
    welcome.set_role(wire::ROLE_PUBLISHER);
    welcome.set_epoch(kEpoch);
    int evil = 0;
    for (int i = 0, calls = 0; i < 600; ++i) {
        net.advance(100ms);
        if (std::exchange(calls, peer.calls()) == peer.calls()) continue;
        peer.say(std::string(wire::kPreamble) + message_frame(FrameType::Welcome, welcome) +
                 subscribe_ok({{}}));
        ++evil;
    }
    EXPECT_TRUE(receiver.failures.empty());
    EXPECT_GT(evil, 30);
    EXPECT_LT(evil, 200);  // the back-off holds
}

}  // namespace
}  // namespace hawser::session
