// Subscribers, callers and listeners that break the protocol on purpose; publishers are in hostile_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "tests/unit/session/hostile.h"

namespace hawser::session {
namespace {

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
    EXPECT_EQ(track->progress(0).for_drain(), 10u);
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

// Its place is for somebody else then.
TEST_F(HostileSubscriber, NeverSubscribes) {
    const auto ping = [&] {
        wire::Ping message;
        peer.say(message_frame(FrameType::Ping, message));
        net.advance(1s);
    };
    for (int i = 0; i < 4; ++i) ping();
    EXPECT_FALSE(peer.closed());
    EXPECT_EQ(sender->publisher.stats().clients.size(), 1u);
    for (int i = 0; i < 2; ++i) ping();
    EXPECT_EQ(sender->publisher.stats().clients.size(), 0u);
    expect_refused("SUBSCRIBE in time");
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

// A flood of connections that say nothing: no more are kept than there may be receivers, the oldest go, and
// who has something to say gets in.
TEST(SilentCallers, KeepNobodyOutAndAreBounded) {
    io::LoopbackReactor net;
    PublisherConfig config = no_waiting();
    config.max_clients = 600;
    Sender sender(net, config);
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    publish(video, "object");
    std::vector<std::unique_ptr<RawPeer>> silent;
    const auto open = [&silent] {
        return std::count_if(silent.begin(), silent.end(), [](const auto& peer) { return !peer->closed(); });
    };
    for (int i = 0; i < 600; ++i) {
        silent.push_back(std::make_unique<RawPeer>(net));
        silent.back()->call("host", 7000);
    }
    EXPECT_EQ(open(), 600);
    EXPECT_EQ(sender.publisher.stats().turned_away, 0u);
    for (int i = 0; i < 50; ++i) {
        silent.push_back(std::make_unique<RawPeer>(net));
        silent.back()->call("host", 7000);
    }
    net.advance(10ms);
    EXPECT_EQ(open(), 600);
    EXPECT_TRUE(silent[49]->closed());
    EXPECT_FALSE(silent[50]->closed());
    EXPECT_EQ(sender.publisher.stats().turned_away, 50u);
    Receiver honest(net);
    ASSERT_TRUE(honest.subscriber.start().ok());
    net.advance(10ms);
    honest.take();
    EXPECT_EQ(honest.tracks["video"].objects.size(), 1u);
    net.advance(6s);
    EXPECT_EQ(open(), 0) << "handshake-timeout";
}

TEST(TurnedAway, AreCounted) {
    io::LoopbackReactor net;
    PublisherConfig config = no_waiting();
    config.max_clients = 1;
    Sender sender(net, config);
    sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    RawPeer first(net), second(net);
    first.call("host", 7000);
    first.say(hello(wire::ROLE_SUBSCRIBER, 5));
    second.call("host", 7000);
    second.say(hello(wire::ROLE_SUBSCRIBER, 6));
    EXPECT_NE(second.last<wire::Error>(FrameType::Error).text().find("max-clients"), std::string::npos);
    EXPECT_EQ(sender.publisher.stats().turned_away, 1u);
    EXPECT_EQ(sender.publisher.num_clients(), 1u);
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
