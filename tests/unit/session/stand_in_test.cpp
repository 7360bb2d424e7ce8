// A subscriber's streaming thread reads the socket itself where that is possible, and nobody is left waiting
// where it is not.
#include "runtime/session/stand_in.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "runtime/base/fd.h"
#include "tests/unit/session/threads.h"

namespace hawser::session {
namespace {

struct StandInTest : testing::Test {
    // Of their own, as in two processes: the publisher's work does not keep the reader out.
    std::shared_ptr<io::Reactor> sending = *io::EpollReactor::create();
    std::shared_ptr<io::Reactor> receiving = *io::EpollReactor::create();

    static PublisherConfig blocking() {
        PublisherConfig config;
        config.slow_client_policy = SlowClientPolicy::Block;
        return config;
    }
};

TEST_F(StandInTest, TheReaderReadsForItself) {
    Source source(sending, blocking());
    TrackWriter& video = source.track("video");
    ASSERT_TRUE(source.publisher->start().ok());
    Sink sink(receiving, source.publisher->port());
    ASSERT_TRUE(sink.subscriber->start().ok());
    // One at a time, so that the reader finds its queue empty before each.
    for (int i = 0; i < 200; ++i) {
        ASSERT_EQ(publish(video, numbered(i, i % 10 == 0 ? 200'000 : 100)), PublishResult::Published);
        ASSERT_TRUE(sink.said.wait([&] { return sink.objects["video"].size() == std::size_t(i) + 1; })) << i;
    }
    expect_sequence(sink.objects["video"], 200);
    sink.said.set([&] { EXPECT_GT(sink.by_reader, sink.by_reactor); });
}

// Without a descriptor to be woken by, the reader cannot wait at the socket.
TEST_F(StandInTest, TheReactorReadsWhereDescriptorsHaveRunOut) {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "UBSan needs a pipe to look at an object's type, and takes its lack for a wrong type";
#endif
    Source source(sending, blocking());
    TrackWriter& video = source.track("video");
    ASSERT_TRUE(source.publisher->start().ok());
    Sink sink(receiving, source.publisher->port());
    std::vector<Fd> others;
    for (int i = 0; i < 64; ++i) others.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit low = before;
    low.rlim_cur = static_cast<rlim_t>(others.back().get()) + 1 + 2;  // the connection's two ends
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
    EXPECT_TRUE(sink.subscriber->start().ok());
    EXPECT_TRUE(sink.said.wait([&] { return sink.streaming > 0; }));
    for (int i = 0; i < 50; ++i) {
        EXPECT_EQ(publish(video, numbered(i, 100)), PublishResult::Published);
        if (!sink.said.wait([&] { return sink.objects["video"].size() == std::size_t(i) + 1; }, 1s)) break;
    }
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_EQ(sink.got("video"), 50u);
    EXPECT_EQ(sink.streaming, 1);
}

TEST_F(StandInTest, TheReactorReadsWhileTheReaderIsAway) {
    Source source(sending, blocking());
    TrackWriter& video = source.track("video");
    ASSERT_TRUE(source.publisher->start().ok());
    SubscriberConfig config;
    config.link.liveness.peer_timeout = 300ms;
    Sink sink(receiving, source.publisher->port(), config);
    ASSERT_TRUE(sink.subscriber->start().ok());
    for (int i = 0; i < 20; ++i) {
        ASSERT_EQ(publish(video, numbered(i, 100)), PublishResult::Published);
        ASSERT_TRUE(sink.said.wait([&] { return sink.objects["video"].size() == std::size_t(i) + 1; })) << i;
    }
    // It holds one; the next are there all the same, and the connection lives on its PINGs.
    sink.hold(true);
    int before = 0;
    sink.said.set([&] { before = sink.by_reactor; });
    for (int i = 20; i < 23; ++i) {
        ASSERT_EQ(publish(video, numbered(i, 100)), PublishResult::Published);
        // The first on its own: what comes together is read together.
        EXPECT_TRUE(sink.said.wait([&] { return sink.by_reactor + sink.by_reader == i + 1; }));
    }
    sink.said.set([&] { EXPECT_GT(sink.by_reactor, before); });
    EXPECT_FALSE(sink.said.wait([&] { return sink.streaming > 1; }, 1s)) << "it had to come back";
    sink.hold(false);
    EXPECT_TRUE(sink.said.wait([&] { return sink.objects["video"].size() == 23; }));
    expect_sequence(sink.objects["video"], 23);
}

TEST_F(StandInTest, ASecondTrackGivesTheSocketBack) {
    Source source(sending, blocking());
    TrackWriter& video = source.track("video");
    ASSERT_TRUE(source.publisher->start().ok());
    Sink sink(receiving, source.publisher->port());
    ASSERT_TRUE(sink.subscriber->start().ok());
    ASSERT_EQ(publish(video, numbered(0, 100)), PublishResult::Published);
    ASSERT_TRUE(sink.said.wait([&] { return sink.objects["video"].size() == 1; }));
    TrackWriter& audio = source.track("audio");
    for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(publish(audio, numbered(i, 100)), PublishResult::Published);
        ASSERT_TRUE(sink.said.wait([&] { return sink.objects["audio"].size() == std::size_t(i) + 1; })) << i;
        ASSERT_EQ(publish(video, numbered(i + 1, 100)), PublishResult::Published);
        ASSERT_TRUE(sink.said.wait([&] { return sink.objects["video"].size() == std::size_t(i) + 2; })) << i;
    }
}

TEST_F(StandInTest, AnEndIsAcknowledgedAtOnce) {
    Source source(sending, blocking());
    TrackWriter& video = source.track("video");
    ASSERT_TRUE(source.publisher->start().ok());
    Sink sink(receiving, source.publisher->port());
    ASSERT_TRUE(sink.subscriber->start().ok());
    ASSERT_EQ(publish(video, numbered(0, 100)), PublishResult::Published);
    send_event(video, wire::Event::EOS, "");
    EXPECT_TRUE(video.drain());
}

// Connections break, the reader is unlocked, others ask: whatever the moment, all arrives once and in order.
TEST_F(StandInTest, NothingIsLostWhateverHappensMeanwhile) {
    for (const bool same_reactor : {false, true}) {
        Source source(sending, blocking());
        TrackWriter& video = source.track("video");
        ASSERT_TRUE(source.publisher->start().ok());
        SubscriberConfig config;
        config.max_queue_bytes = 256 << 10;
        Sink sink(same_reactor ? sending : receiving, source.publisher->port(), config);
        ASSERT_TRUE(sink.subscriber->start().ok());
        constexpr int kObjects = 20'000;
        std::thread writer([&] {
            for (int i = 0; i < kObjects; ++i)
                if (publish(video, numbered(i, i % 100 == 0 ? 150'000 : 100)) != PublishResult::Published)
                    return;
        });
        std::atomic<bool> over{false};
        std::thread breaker([&] {
            while (!over) {
                sink.said.wait([] { return false; }, 5ms);
                sink.subscriber->reconnect();
                sink.said.wait([] { return false; }, 2ms);
                (void)sink.subscriber->stats();
                sink.said.wait([] { return false; }, 1ms);
                sink.hold(true);
                sink.said.wait([] { return false; }, 15ms);
                sink.hold(false);
            }
        });
        writer.join();
        EXPECT_TRUE(sink.said.wait([&] { return sink.objects["video"].size() >= kObjects; }, 60s));
        over = true;
        breaker.join();
        expect_sequence(sink.objects["video"], kObjects);
        EXPECT_EQ(sink.lost, 0u);
    }
}

// What rests, naps or is left to somebody else is not left there until more comes.
TEST_F(StandInTest, EveryBurstArrivesAsAWhole) {
    Source source(sending, blocking());
    TrackWriter& video = source.track("video");
    ASSERT_TRUE(source.publisher->start().ok());
    Sink sink(receiving, source.publisher->port());
    ASSERT_TRUE(sink.subscriber->start().ok());
    int count = 0;
    for (int burst = 0; burst < 200; ++burst) {
        for (int i = 0; i < burst * 3 + 1; ++i)
            ASSERT_EQ(publish(video, numbered(count++, 1300)), PublishResult::Published);
        ASSERT_TRUE(sink.said.wait([&] { return sink.objects["video"].size() == std::size_t(count); }))
            << "burst " << burst;
    }
    expect_sequence(sink.objects["video"], count);
}

TEST_F(StandInTest, StopsAtAnyMoment) {
    Source source(sending, {});
    TrackWriter& video = source.track("video");
    ASSERT_TRUE(source.publisher->start().ok());
    std::atomic<bool> over{false};
    std::thread writer([&] {
        for (int i = 0; !over && publish(video, numbered(i, 1000)) == PublishResult::Published; ++i) {
            if (i % 16 == 0) std::this_thread::yield();
        }
    });
    for (int round = 0; round < 60; ++round) {
        Sink sink(receiving, source.publisher->port());
        ASSERT_TRUE(sink.subscriber->start().ok());
        EXPECT_TRUE(sink.said.wait([&] { return sink.objects["video"].size() > std::size_t(round); }));
    }
    over = true;
    video.unlock();
    writer.join();
}

}  // namespace
}  // namespace hawser::session
