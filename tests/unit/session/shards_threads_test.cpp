// One publisher on several reactors: receivers are handed from the one that accepts to the one that serves
// them, on real sockets and real threads.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "runtime/io/shared_reactor.h"
#include "tests/unit/session/threads.h"

namespace hawser::session {
namespace {

struct ShardsThreads : testing::TestWithParam<io::Engine> {
    void SetUp() override {
        for (int i = 0; i < 3; ++i) {
            auto made = io::make_reactor(GetParam());
            if (!made) GTEST_SKIP() << made.error().message;
            reactors.push_back(std::move(*made));
        }
    }
    std::vector<std::unique_ptr<Sink>> sinks(const Source& source, int count) {
        std::vector<std::unique_ptr<Sink>> made;
        for (int i = 0; i < count; ++i) {
            made.push_back(std::make_unique<Sink>(receiving, source.publisher->port()));
            EXPECT_TRUE(made.back()->subscriber->start().ok());
        }
        return made;
    }

    std::shared_ptr<io::Reactor> receiving = *io::EpollReactor::create();
    std::vector<std::shared_ptr<io::Reactor>> reactors;
};

TEST_P(ShardsThreads, CutsAndHandOversLoseNothing) {
    constexpr int kSinks = 8, kCuts = 12;
    PublisherConfig config;
    config.slow_client_policy = SlowClientPolicy::Block;
    config.max_bytes = 256 << 10;
    Source source(reactors, config);
    TrackWriter& video = source.track("video");
    TrackWriter& audio = source.track("audio");
    ASSERT_TRUE(source.publisher->start().ok());
    const auto all = sinks(source, kSinks);
    for (const auto& sink : all) ASSERT_TRUE(sink->said.wait([&] { return sink->streaming > 0; }));
    std::atomic<bool> done{false};
    const auto write = [&done](TrackWriter& track, std::size_t size, int& count) {
        while (!done && publish(track, numbered(count, size)) == PublishResult::Published) ++count;
    };
    int videos = 0, audios = 0;
    std::thread one([&] { write(video, 20'000, videos); });
    std::thread two([&] { write(audio, 300, audios); });
    for (int cut = 1; cut <= kCuts; ++cut) {
        if (cut % 3 == 0) {
            source.publisher->reconnect();
        } else {
            for (const auto& sink : all) sink->subscriber->reconnect();
        }
        (void)source.publisher->stats();
        for (const auto& sink : all)
            ASSERT_TRUE(sink->said.wait([&] { return sink->streaming > cut / 2; })) << cut;
    }
    done = true;
    one.join();
    two.join();
    EXPECT_TRUE(video.drain());
    EXPECT_TRUE(audio.drain());
    EXPECT_GT(videos, 0);
    EXPECT_GT(audios, 0);
    for (const auto& sink : all) {
        EXPECT_TRUE(sink->said.wait([&] {
            return sink->objects["video"].size() == static_cast<std::size_t>(videos) &&
                   sink->objects["audio"].size() == static_cast<std::size_t>(audios);
        }));
        expect_sequence(sink->objects["video"], videos);
        expect_sequence(sink->objects["audio"], audios);
        EXPECT_EQ(sink->lost, 0u);
    }
}

// Whoever is on the way from one reactor to another then is neither forgotten nor kept.
TEST_P(ShardsThreads, StopsAndStartsWhileReceiversArrive) {
    PublisherConfig config;
    config.slow_client_policy = SlowClientPolicy::Drop;
    config.wait_for_connection = false;
    for (int round = 0; round < 8; ++round) {
        Source source(reactors, config);
        TrackWriter& video = source.track("video");
        ASSERT_TRUE(source.publisher->start().ok());
        std::atomic<bool> done{false};
        int count = 0;
        std::thread writing([&] {
            while (!done && publish(video, numbered(count, 300)) == PublishResult::Published) {
                ++count;
                std::this_thread::yield();
            }
        });
        {
            const auto all = sinks(source, 12);
            // The later the round, the more of them have arrived.
            ASSERT_TRUE(source.said.wait([&] { return source.added >= round; }));
            if (round % 2) {
                done = true;
                writing.join();
                source.publisher->remove_track(&video);
            }
            source.publisher->stop();
        }
        done = true;
        if (writing.joinable()) writing.join();
        source.said.set([&] { EXPECT_EQ(source.added, source.removed) << round; });
        EXPECT_EQ(source.publisher->num_clients(), 0u);
    }
}

INSTANTIATE_TEST_SUITE_P(Engines, ShardsThreads, testing::Values(io::Engine::Epoll, io::Engine::IoUring),
                         [](const auto& engine) {
                             return engine.param == io::Engine::Epoll ? "Epoll" : "IoUring";
                         });

}  // namespace
}  // namespace hawser::session
