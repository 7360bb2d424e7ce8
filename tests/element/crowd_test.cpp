// One hawsersink and very many receivers.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/link.h"
#include "tests/support/load_end.h"

namespace hawser::test {
namespace {

constexpr std::size_t kSize = 1000;

LoadOptions all_at_once(const Sender& sender, unsigned clients) {
    LoadOptions options;
    options.port = static_cast<std::uint16_t>(sender.port());
    options.stream = "/load";
    options.clients = clients;
    options.at_a_time = 0;
    return options;
}

std::string publishing(const std::string& more) {
    return "uri=hawser://127.0.0.1:0/load wait-for-connection=false slow-client-policy=drop " + more;
}

// How many of this process' epoll descriptors watch at least `least` others: those that share the clients,
// whatever their threads are called.
std::size_t busy_epolls(std::size_t least) {
    std::size_t busy = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
        std::ifstream file(entry.path());
        std::size_t watched = 0;
        for (std::string line; std::getline(file, line);) watched += line.starts_with("tfd:");
        busy += watched >= least;
    }
    return busy;
}

// Why the engine cannot be had here; empty where it can.
std::string refused(const std::string& engine) {
    Sender sender(publishing("io-engine=" + engine));
    sender.pad("sink_0");
    if (sender.pipeline.set_state(GST_STATE_PAUSED) != GST_STATE_CHANGE_FAILURE) return "";
    const auto error = sender.pipeline.wait_error(kSoon);
    return error ? error->text + ": " + error->debug : "no error message";
}

struct Way {
    const char* name;
    const char* properties;
    unsigned threads;
};

void PrintTo(const Way& way, std::ostream* out) {
    *out << way.properties;
}

class Crowd : public ::testing::TestWithParam<Way> {};

TEST_P(Crowd, IsServedInFull) {
    init_gst();
    constexpr unsigned kClients = 2000;
    constexpr std::uint64_t kObjects = 25;
    if (!allow_files(2 * kClients + 500)) GTEST_SKIP() << "the system allows too few open files";
    if (std::string(GetParam().name) == "IoUring") {
        if (const auto why = refused("io-uring"); !why.empty()) {
            EXPECT_NE(why.find("io_uring"), std::string::npos) << "does not say what is refused: " << why;
            GTEST_SKIP() << why;
        }
    }
    Sender sender(publishing(GetParam().properties));
    auto& pad = sender.pad("sink_0");
    sender.play();
    pad.start();
    pad.push(load_buffer(kSize, 0));
    LoadEnd load(all_at_once(sender, kClients));
    ASSERT_TRUE(load.wait_served(kClients, kLong)) << load.text();
    EXPECT_TRUE(sender.wait_clients(kClients, kSoon));
    // Each has its share, and the load client has them all.
    EXPECT_EQ(busy_epolls(kClients / GetParam().threads * 8 / 10), GetParam().threads + 1);

    for (std::uint64_t i = 1; i < kObjects; ++i) EXPECT_EQ(pad.push(load_buffer(kSize, i)), GST_FLOW_OK);
    EXPECT_TRUE(load.wait(kLong, [](const LoadCounters& all) { return all.objects >= kClients * kObjects; }))
        << load.text();
    EXPECT_EQ(load->failed, 0u) << load.text();
    EXPECT_EQ(load->closed, 0u) << load.text();
    EXPECT_EQ(load->wrong, 0u) << load.text();
    EXPECT_EQ(load->lost, 0u) << load.text();
    std::uint64_t least = ~0ull, most = 0;
    for (unsigned i = 0; i < kClients; ++i) {
        const std::uint64_t bytes = load->connections[i].bytes;
        least = std::min(least, bytes);
        most = std::max(most, bytes);
    }
    EXPECT_EQ(most, kObjects * kSize);
    EXPECT_GE(static_cast<double>(least), 0.98 * static_cast<double>(most));

    const auto stats = sender.stats();
    EXPECT_EQ(stats.number("clients"), kClients);
    EXPECT_EQ(stats.number("clients-total"), kClients);
    EXPECT_EQ(stats.number("skipped"), 0u);
    const auto clients = stats.array("client-stats");
    EXPECT_EQ(clients.size(), kClients);
    std::uint64_t sent = 0;
    for (const auto& client : clients) sent += client.number("objects");
    EXPECT_EQ(sent, load->objects);

    load.stop();
    EXPECT_TRUE(sender.wait_clients(0, kSoon));
}

INSTANTIATE_TEST_SUITE_P(Ways, Crowd,
                         ::testing::Values(Way{"OneThread", "", 1}, Way{"ThreeThreads", "io-threads=3", 3},
                                           Way{"Epoll", "io-engine=epoll", 1},
                                           Way{"EpollThreeThreads", "io-engine=epoll io-threads=3", 3},
                                           Way{"IoUring", "io-engine=io-uring", 1}),
                         [](const auto& way) { return std::string(way.param.name); });

TEST(Shards, BringEveryReceiverBack) {
    init_gst();
    constexpr std::size_t kReceivers = 9, kEach = 75, kBreaks = 3, kObjects = kEach * (kBreaks + 1);
    Sender sender(publishing("io-threads=3"));
    auto& pad = sender.pad("sink_0");
    sender.play();
    pad.start();
    pad.push_bytes(kSize, 0, 0);
    std::vector<std::unique_ptr<Receiver>> receivers;
    for (std::size_t i = 0; i < kReceivers; ++i) {
        receivers.push_back(std::make_unique<Receiver>("uri=" + sender.uri("/load")));
        receivers.back()->play();
    }
    std::vector<std::shared_ptr<Recorder>> tracks;
    for (auto& receiver : receivers) {
        tracks.push_back(receiver->track("src_0"));
        ASSERT_TRUE(tracks.back()) << receiver->pipeline.log();
    }
    for (std::size_t i = 1; i < kObjects; ++i) {
        pad.push_bytes(kSize * 20, i, i * GST_MSECOND, i % 10 == 0);
        const std::size_t nth = i / kEach, at = i % kEach;
        if (nth == 0 || nth > kBreaks) continue;
        if (at == 0) g_signal_emit_by_name(sender.sink, "reconnect");
        // Objects flow again for each of them before the next break.
        if (at != kEach / 2) continue;
        for (auto& receiver : receivers)
            ASSERT_TRUE(receiver->pipeline.wait_element("hawser-recovered", kSoon, nth))
                << receiver->pipeline.log();
    }
    pad.eos();
    for (std::size_t i = 0; i < kReceivers; ++i) {
        SCOPED_TRACE(i);
        EXPECT_TRUE(tracks[i]->wait_eos(kLong)) << receivers[i]->pipeline.log();
        EXPECT_EQ(difference(pad.sent(), tracks[i]->buffers()), "");
        const auto stats = receivers[i]->stats();
        EXPECT_EQ(stats.number("lost"), 0u) << stats.text();
        EXPECT_EQ(stats.number("doubled"), 0u) << stats.text();
        EXPECT_EQ(stats.number("reconnects"), kBreaks) << stats.text();
    }
    const auto stats = sender.stats();
    EXPECT_EQ(stats.number("reconnects"), kReceivers * kBreaks) << stats.text();
    EXPECT_EQ(stats.number("skipped"), 0u) << stats.text();
}

// Some stream, some shake hands, some are in the listener's queue; and again, on the same element.
TEST(Shards, StopWhileReceiversStreamAndArrive) {
    init_gst();
    constexpr unsigned kClients = 600;
    if (!allow_files(2 * kClients + 500)) GTEST_SKIP() << "the system allows too few open files";
    Sender sender(publishing("io-threads=3 linger=0"));
    auto& pad = sender.pad("sink_0");
    for (unsigned round = 0; round < 3; ++round) {
        SCOPED_TRACE(round);
        sender.play();
        std::thread pushing([&] {
            pad.start();
            for (std::uint64_t i = 0; pad.push(load_buffer(kSize, i)) == GST_FLOW_OK; ++i)
                std::this_thread::yield();
        });
        auto options = all_at_once(sender, kClients);
        options.at_a_time = 16;
        LoadEnd load(options);
        EXPECT_TRUE(load.wait_served(kClients / 6, kLong)) << load.text();
        EXPECT_LT(sender.pipeline.stop(), kSoon);
        pushing.join();
        // Those that were connected are let go of.
        EXPECT_TRUE(load.wait(kSoon, [](const LoadCounters& all) {
            return all.closed + all.failed >= kClients;
        })) << load.text();
        EXPECT_EQ(load->wrong, 0u) << load.text();
    }
}

TEST(Shards, KeepToMaxClients) {
    init_gst();
    constexpr unsigned kMost = 50, kComing = 200;
    Sender sender(publishing("io-threads=3 max-clients=" + std::to_string(kMost)));
    auto& pad = sender.pad("sink_0");
    sender.play();
    pad.start();
    pad.push(load_buffer(kSize, 0));
    {
        LoadEnd load(all_at_once(sender, kComing));
        EXPECT_TRUE(load.wait(kLong, [](const LoadCounters& all) {
            return all.served >= kMost && all.closed >= kComing - kMost;
        })) << load.text();
        EXPECT_EQ(load->served, kMost) << load.text();
        EXPECT_EQ(load->closed, kComing - kMost) << load.text();
        EXPECT_NE(std::string(load->trouble.data()).find("max-clients"), std::string::npos) << load.text();
        EXPECT_EQ(property_text(sender.sink, "num-clients"), std::to_string(kMost));
        EXPECT_EQ(sender.stats().array("client-stats").size(), kMost);
    }
    // There is room again.
    EXPECT_TRUE(sender.wait_clients(0, kSoon));
    LoadEnd load(all_at_once(sender, kMost));
    EXPECT_TRUE(load.wait_served(kMost, kLong)) << load.text();
    EXPECT_EQ(load->closed, 0u) << load.text();
}

}  // namespace
}  // namespace hawser::test
