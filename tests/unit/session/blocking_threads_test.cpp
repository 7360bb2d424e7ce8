// Publisher and subscriber on real sockets and real threads: what blocks, what wakes it, and cuts at any
// moment.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/session/threads.h"

namespace hawser::session {
namespace {

struct BlockingThreads : testing::Test {
    std::shared_ptr<io::Reactor> reactor = *io::EpollReactor::create();

    // Nobody reads much ahead: back-pressure comes soon.
    static SubscriberConfig narrow() {
        SubscriberConfig config;
        config.max_queue_bytes = 64 << 10;
        return config;
    }
    static PublisherConfig blocking() {
        PublisherConfig config;
        config.slow_client_policy = SlowClientPolicy::Block;
        config.max_bytes = 256 << 10;
        return config;
    }
    // Publishes until publish() says something else than Published, or `limit` objects are in.
    struct Flood {
        Flood(TrackWriter& track, std::size_t size, int limit = 1'000'000)
            : thread([this, &track, size, limit] {
                  PublishResult result = PublishResult::Published;
                  for (int i = 0; i < limit && result == PublishResult::Published; ++i) {
                      result = publish(track, numbered(i, size));
                      if (result == PublishResult::Published) ++count;
                  }
                  said.set([&] { ended = result; });
              }) {}
        ~Flood() { thread.join(); }
        bool wait(Duration limit = kLong) {
            return said.wait([this] { return ended.has_value(); }, limit);
        }
        Said said;
        std::optional<PublishResult> ended;
        std::atomic<int> count{0};
        std::thread thread;
    };
    // Waits until a flood stands still, which is what a block looks like from outside.
    static bool stalled(const Flood& flood) {
        const auto end = std::chrono::steady_clock::now() + kLong;
        Said never;
        for (int last = -1; std::chrono::steady_clock::now() < end;) {
            const int now = flood.count;
            if (now == last && now > 0) return true;
            last = now;
            never.wait([] { return false; }, 300ms);
        }
        return false;
    }
};

// Nothing can be sent to anybody: then nothing is to be done for what is published, either.
TEST_F(BlockingThreads, NoReactorIsWokenWhileAllSocketsAreFull) {
    const std::shared_ptr<io::Reactor> receiving = *io::EpollReactor::create();
    PublisherConfig config;
    config.slow_client_policy = SlowClientPolicy::Drop;
    config.max_bytes = 4 << 20;
    Source source(reactor, config);
    TrackWriter& video = source.track("video");
    ASSERT_TRUE(source.publisher->start().ok());
    std::vector<std::unique_ptr<Sink>> sinks;  // so many that the streaming thread does not send by itself
    for (int i = 0; i < 6; ++i) {
        sinks.push_back(std::make_unique<Sink>(receiving, source.publisher->port(), narrow()));
        sinks.back()->hold(true);
        ASSERT_TRUE(sinks.back()->subscriber->start().ok());
    }
    ASSERT_TRUE(source.said.wait([&] { return source.added == 6; }));
    const auto all = [&](const auto& done) {
        return std::all_of(sinks.begin(), sinks.end(),
                           [&](const auto& sink) { return sink->said.wait([&] { return done(*sink); }); });
    };
    ASSERT_TRUE(all([](const Sink& sink) { return sink.streaming > 0; }));
    // Until nobody takes any more.
    int index = 0;
    const auto publish_some = [&] {
        const std::uint64_t before = reactor->turn_stats().writes;
        for (int i = 0; i < 20; ++i) publish(video, numbered(index++, 100'000));
        for (int i = 0; i < 3; ++i) reactor->run([] {});
        return reactor->turn_stats().writes - before;
    };
    int quiet = 0;
    for (int round = 0; round < 2000 && quiet < 5; ++round) quiet = publish_some() == 0 ? quiet + 1 : 0;
    ASSERT_EQ(quiet, 5);
    const std::uint64_t before = reactor->turn_stats().turns;
    for (int i = 0; i < 2000; ++i) {
        publish(video, numbered(index++, 100));
        if (i % 8 == 0) std::this_thread::yield();
    }
    EXPECT_LT(reactor->turn_stats().turns - before, 50u);  // timers, PINGs
    // And as soon as they have room, they get what there is.
    for (const auto& sink : sinks) sink->hold(false);
    EXPECT_TRUE(all([last = numbered(index - 1, 0)](Sink& sink) {
        const auto& got = sink.objects["video"];
        return !got.empty() && got.back() == last;
    }));
}

// A source that can wait is not let 64 MiB ahead of a receiver that takes nothing…
TEST_F(BlockingThreads, ASourceThatCanWaitKeepsPaceWithTheSocket) {
    Source source(reactor, {});
    TrackWriter& video = source.track("video");
    ASSERT_TRUE(source.publisher->start().ok());
    source.publisher->set_live(false);
    Sink sink(reactor, source.publisher->port(), narrow());
    sink.hold(true);
    ASSERT_TRUE(sink.subscriber->start().ok());
    Flood flood(video, 100'000, 600);  // which the ring alone would hold
    EXPECT_TRUE(stalled(flood));
    EXPECT_LT(flood.count, 400);  // most of it in the sockets
    sink.hold(false);
    EXPECT_TRUE(flood.wait());
    EXPECT_TRUE(sink.said.wait([&] { return sink.objects["video"].size() == 600; }));
    EXPECT_EQ(sink.lost, 0u);
}

// … but where it goes away, the ring is there to be filled.
TEST_F(BlockingThreads, ASourceThatKeepsPaceGoesOnWhenItsReceiverGoes) {
    Source source(reactor, {});
    TrackWriter& video = source.track("video");
    ASSERT_TRUE(source.publisher->start().ok());
    source.publisher->set_live(false);
    auto sink = std::make_unique<Sink>(reactor, source.publisher->port(), narrow());
    sink->hold(true);
    ASSERT_TRUE(sink->subscriber->start().ok());
    Flood flood(video, 100'000, 600);
    EXPECT_TRUE(stalled(flood));
    sink.reset();
    EXPECT_TRUE(flood.wait());
    EXPECT_EQ(flood.count, 600);
}

TEST_F(BlockingThreads, WaitForConnectionWaitsForASubscriberOrUnlock) {
    Source source(reactor, {});
    TrackWriter& video = source.track("video");
    ASSERT_TRUE(source.publisher->start().ok());
    {
        Flood flood(video, 100, 1);
        EXPECT_FALSE(flood.wait(100ms));
        video.unlock();
        EXPECT_TRUE(flood.wait());
        EXPECT_EQ(flood.ended, PublishResult::Unlocked);
        video.unlock_stop();
    }
    Flood flood(video, 100, 10);
    EXPECT_FALSE(flood.wait(100ms));
    Sink sink(reactor, source.publisher->port());
    ASSERT_TRUE(sink.subscriber->start().ok());
    EXPECT_TRUE(flood.wait());
    EXPECT_TRUE(sink.said.wait([&] { return sink.objects["video"].size() == 10; }));
}

TEST_F(BlockingThreads, StopEndsAWaitForConnection) {
    Source source(reactor, {});
    TrackWriter& video = source.track("video");
    ASSERT_TRUE(source.publisher->start().ok());
    Flood flood(video, 100, 1);
    EXPECT_FALSE(flood.wait(50ms));
    source.publisher->stop();
    EXPECT_TRUE(flood.wait());
    EXPECT_EQ(flood.ended, PublishResult::Unlocked);
}

TEST_F(BlockingThreads, BlockWaitsForASlowReaderAndGoesOn) {
    Source source(reactor, blocking());
    TrackWriter& video = source.track("video");
    ASSERT_TRUE(source.publisher->start().ok());
    Sink sink(reactor, source.publisher->port(), narrow());
    sink.hold(true);
    ASSERT_TRUE(sink.subscriber->start().ok());
    Flood flood(video, 20'000, 2000);
    ASSERT_TRUE(stalled(flood));
    EXPECT_LT(flood.count, 2000);
    sink.hold(false);
    EXPECT_TRUE(flood.wait());
    EXPECT_TRUE(video.drain());
    EXPECT_TRUE(sink.said.wait([&] { return sink.objects["video"].size() == 2000; }));
    expect_sequence(sink.objects["video"], 2000);
    EXPECT_EQ(sink.lost, 0u);
    EXPECT_TRUE(source.warnings.empty());
}

TEST_F(BlockingThreads, MaxBlockEndsTheWaitWithAWarningAndTheLossIsReported) {
    PublisherConfig config = blocking();
    config.max_block = 300ms;
    Source source(reactor, config);
    TrackWriter& video = source.track("video");
    ASSERT_TRUE(source.publisher->start().ok());
    Sink sink(reactor, source.publisher->port(), narrow());
    sink.hold(true);
    ASSERT_TRUE(sink.subscriber->start().ok());
    Flood flood(video, 20'000, 2000);
    EXPECT_TRUE(source.said.wait([&] { return !source.warnings.empty(); }));
    EXPECT_NE(source.warnings[0].find("max-block"), std::string::npos);
    EXPECT_TRUE(flood.wait());
    sink.hold(false);
    EXPECT_TRUE(sink.said.wait([&] { return sink.objects["video"].size() + sink.lost == 2000; }));
    EXPECT_GT(sink.lost, 0u);
}

TEST_F(BlockingThreads, UnlockAndStopEndABlockedPublish) {
    Source source(reactor, blocking());
    TrackWriter& video = source.track("video");
    ASSERT_TRUE(source.publisher->start().ok());
    Sink sink(reactor, source.publisher->port(), narrow());
    sink.hold(true);
    ASSERT_TRUE(sink.subscriber->start().ok());
    {
        Flood flood(video, 20'000);
        ASSERT_TRUE(stalled(flood));
        video.unlock();
        EXPECT_TRUE(flood.wait());
        EXPECT_EQ(flood.ended, PublishResult::Unlocked);
        video.unlock_stop();
    }
    Flood flood(video, 20'000);
    EXPECT_FALSE(flood.wait(100ms));
    const auto before = std::chrono::steady_clock::now();
    source.publisher->stop();
    EXPECT_LT(std::chrono::steady_clock::now() - before, 2s);
    EXPECT_TRUE(flood.wait());
    EXPECT_EQ(flood.ended, PublishResult::Unlocked);
}

TEST_F(BlockingThreads, DrainWaitsUntilAllIsHandedOn) {
    Source source(reactor, {});
    TrackWriter& video = source.track("video");
    ASSERT_TRUE(source.publisher->start().ok());
    Sink sink(reactor, source.publisher->port());
    sink.hold(true);
    ASSERT_TRUE(sink.subscriber->start().ok());
    Flood(video, 1000, 100).wait();
    Said said;
    std::optional<bool> drained;
    std::thread drain([&] {
        const bool result = video.drain();
        said.set([&] { drained = result; });
    });
    EXPECT_FALSE(said.wait([&] { return drained.has_value(); }, 300ms));
    sink.hold(false);
    EXPECT_TRUE(said.wait([&] { return drained.has_value(); }));
    EXPECT_EQ(drained, true);
    EXPECT_EQ(sink.got("video"), 100u);
    drain.join();
    // Unlocked, it returns at once and says no.
    sink.hold(true);
    publish(video, "more");
    std::thread again([&] {
        const bool result = video.drain();
        said.set([&] { drained = result; });
    });
    said.set([&] { drained.reset(); });
    video.unlock();
    EXPECT_TRUE(said.wait([&] { return drained.has_value(); }, 2s));
    EXPECT_EQ(drained, false);
    again.join();
}

TEST_F(BlockingThreads, DrainOutlastsACut) {
    Source source(reactor, {});
    TrackWriter& video = source.track("video");
    ASSERT_TRUE(source.publisher->start().ok());
    Sink sink(reactor, source.publisher->port());
    sink.hold(true);
    ASSERT_TRUE(sink.subscriber->start().ok());
    Flood(video, 1000, 100).wait();
    Said said;
    std::optional<bool> drained;
    std::thread drain([&] {
        const bool result = video.drain();
        said.set([&] { drained = result; });
    });
    for (int cut = 0; cut < 3; ++cut) {
        source.publisher->reconnect();
        EXPECT_FALSE(said.wait([&] { return drained.has_value(); }, 100ms));
    }
    sink.hold(false);
    EXPECT_TRUE(said.wait([&] { return drained.has_value(); }));
    EXPECT_EQ(drained, true);
    drain.join();
    EXPECT_EQ(sink.got("video"), 100u);
}

TEST_F(BlockingThreads, AHundredCutsWhileTwoThreadsPublishLoseNothing) {
    Source source(reactor, blocking());
    TrackWriter& video = source.track("video");
    TrackWriter& audio = source.track("audio");
    ASSERT_TRUE(source.publisher->start().ok());
    Sink sink(reactor, source.publisher->port(), narrow());
    ASSERT_TRUE(sink.subscriber->start().ok());
    std::atomic<bool> done{false};
    const auto write = [&done](TrackWriter& track, std::size_t size, int& count) {
        while (!done)
            if (publish(track, numbered(count, size)) == PublishResult::Published)
                ++count;
            else
                break;
    };
    int videos = 0, audios = 0;
    std::thread one([&] { write(video, 100'000, videos); });
    std::thread two([&] { write(audio, 300, audios); });
    for (int cut = 1; cut <= 100; ++cut) {
        ASSERT_TRUE(sink.said.wait([&] { return sink.streaming >= cut; })) << cut;
        if (cut % 2)
            source.publisher->reconnect();
        else
            sink.subscriber->reconnect();
    }
    done = true;
    one.join();
    two.join();
    EXPECT_TRUE(video.drain());
    EXPECT_TRUE(audio.drain());
    EXPECT_GT(videos, 0);
    EXPECT_GT(audios, 0);
    expect_sequence(sink.objects["video"], videos);
    expect_sequence(sink.objects["audio"], audios);
    EXPECT_EQ(sink.lost, 0u);
    EXPECT_EQ(sink.subscriber->stats().doubled, 0u);
}

// Leaving reads what is under way, and a sender that never pauses must not keep it there.
TEST_F(BlockingThreads, AReceiverStopsWhileItsSenderFloods) {
    auto other = std::shared_ptr<io::Reactor>(*io::EpollReactor::create());
    PublisherConfig config;
    config.slow_client_policy = SlowClientPolicy::Drop;
    config.max_bytes = 8 << 20;
    Source source(other, config);
    TrackWriter& video = source.track("video");
    ASSERT_TRUE(source.publisher->start().ok());
    auto sink = std::make_unique<Sink>(reactor, source.publisher->port());
    ASSERT_TRUE(sink->subscriber->start().ok());
    Flood flood(video, 50'000);
    EXPECT_TRUE(sink->said.wait([&] { return sink->objects["video"].size() > 10; }));
    const auto before = std::chrono::steady_clock::now();
    sink->subscriber->stop();
    EXPECT_LT(std::chrono::steady_clock::now() - before, 5s);
    sink.reset();
    source.publisher->stop();
    EXPECT_TRUE(flood.wait());
}

TEST_F(BlockingThreads, APortThatIsTakenIsAnError) {
    Source source(reactor, {});
    ASSERT_TRUE(source.publisher->start().ok());
    auto other = std::shared_ptr<io::Reactor>(*io::EpollReactor::create());
    PublisherConfig config;
    config.link.mode = Mode::Listener;
    config.link.address = {"127.0.0.1", source.publisher->port()};
    const auto second = Publisher::create({other}, config, source);
    const auto started = second->start();
    ASSERT_FALSE(started.ok());
    EXPECT_EQ(started.error().code, Errc::AddressInUse);
}

}  // namespace
}  // namespace hawser::session
