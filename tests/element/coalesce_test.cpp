// max-coalesce, and buffers of an upstream that has only four of them.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/link.h"
#include "tests/support/load_end.h"

namespace hawser::test {
namespace {

std::string publishing(const std::string& more) {
    return "uri=hawser://127.0.0.1:0/load wait-for-connection=false slow-client-policy=drop " + more;
}

LoadOptions receivers(const Sender& sender, unsigned clients, unsigned never_read = 0) {
    LoadOptions options;
    options.port = static_cast<std::uint16_t>(sender.port());
    options.stream = "/load";
    options.clients = clients;
    options.never_read = never_read;
    return options;
}

class Coalesce : public ::testing::Test {
  protected:
    void begin(const std::string& properties) {
        init_gst();
        sender_ = std::make_unique<Sender>(publishing(properties));
        pad_ = &sender_->pad("sink_0");
        sender_->play();
        pad_->start();
        push();
        load_ = std::make_unique<LoadEnd>(receivers(*sender_, 1));
        ASSERT_TRUE(load_->wait_served(1, kSoon)) << load_->text();
    }
    void push(std::size_t size = 200) {
        ASSERT_EQ(pad_->push(load_buffer(size, pushed_, true)), GST_FLOW_OK);
        ++pushed_;
    }
    bool all_there(Milliseconds bound = kSoon) const {
        return load_->wait(bound, [&](const LoadCounters& all) { return all.objects >= pushed_; });
    }

    std::unique_ptr<Sender> sender_;
    std::unique_ptr<LoadEnd> load_;
    Feeder* pad_ = nullptr;
    std::uint64_t pushed_ = 0;
};

TEST_F(Coalesce, BunchesATrickle) {
    begin("max-coalesce=100000000");
    const std::uint64_t reads = (*load_)->reads;
    constexpr unsigned kTrickle = 120;
    auto due = std::chrono::steady_clock::now();
    for (unsigned i = 0; i < kTrickle; ++i) {
        push();
        due += std::chrono::milliseconds(5);
        std::this_thread::sleep_until(due);
    }
    EXPECT_TRUE(all_there()) << load_->text();
    // 600 ms: about six of them, and some answers to pings.
    EXPECT_LT((*load_)->reads - reads, kTrickle / 4) << load_->text();
    EXPECT_EQ((*load_)->lost, 0u);
    const auto delays = (*load_)->delays.counts();
    EXPECT_LT(Histogram::quantile(delays, 1.0), 2e9) << "ns";
}

TEST_F(Coalesce, KeepsTheFirstBackForNothingAndTheRestForNoLongerThanItMay) {
    // So long that nothing comes by its end within this test.
    begin("max-coalesce=10000000000");
    push();
    const bool second = all_there(Milliseconds(1));
    const std::uint64_t reads = (*load_)->reads;
    for (unsigned i = 0; i < 100; ++i) push();
    // Enough for a call of its own.
    push(200'000);
    EXPECT_TRUE(all_there()) << load_->text();
    EXPECT_LT((*load_)->reads - reads, 50u) << second;
}

// A ring that holds less than what comes within a rest.
TEST_F(Coalesce, LosesNothingOfASmallRing) {
    begin("max-coalesce=10000000000 max-size-buffers=16");
    for (unsigned i = 0; i < 200; ++i) {
        push();
        // At most half of the ring has not arrived yet.
        ASSERT_TRUE(load_->wait(
            kSoon, [&](const LoadCounters& all) { return all.objects + all.lost + 8 >= pushed_; }))
            << i << ": " << load_->text();
    }
    EXPECT_EQ((*load_)->lost, 0u) << load_->text();
}

TEST_F(Coalesce, ZeroWaitsForNothing) {
    begin("max-coalesce=0");
    // Each has arrived before the next is made: a wait of 100 ms would take 30 s.
    for (unsigned i = 0; i < 300; ++i) {
        push();
        ASSERT_TRUE(all_there()) << i << ": " << load_->text();
    }
    const auto delays = (*load_)->delays.counts();
    EXPECT_LT(Histogram::quantile(delays, 0.5), 50e6) << "ns";
}

TEST_F(Coalesce, DoesNotHoldBackTheEnd) {
    init_gst();
    Sender sender(publishing("max-coalesce=10000000000"));
    auto& pad = sender.pad("sink_0");
    sender.play();
    pad.start();
    pad.push_bytes(200, 0, 0);
    Receiver receiver("uri=" + sender.uri("/load"));
    receiver.play();
    const auto track = receiver.track("src_0");
    ASSERT_TRUE(track);
    ASSERT_TRUE(track->wait_count(1, kSoon));
    for (unsigned i = 1; i < 20; ++i) pad.push_bytes(200, i, i * GST_MSECOND);
    std::thread ending([&] { pad.eos(); });
    EXPECT_TRUE(track->wait_eos(kSoon)) << receiver.pipeline.log();
    ending.join();
    EXPECT_EQ(difference(pad.sent(), track->buffers()), "");
}

// --- A pool of four

struct Four {
    const char* name;
    std::size_t size;
    unsigned readers, stopped;
};

void PrintTo(const Four& four, std::ostream* out) {
    *out << four.name;
}

class PoolOfFour : public ::testing::TestWithParam<Four> {};

TEST_P(PoolOfFour, IsNeverStarved) {
    init_gst();
    const auto [name, size, readers, stopped] = GetParam();
    constexpr std::uint64_t kObjects = 300;
    Sender sender(publishing(""));
    auto& pad = sender.pad("sink_0");
    sender.play();
    pad.start();
    pad.push(load_buffer(size, 0));
    LoadEnd load(receivers(sender, readers + stopped, stopped));
    ASSERT_TRUE(load.wait(kSoon, [&](const LoadCounters& all) {
        return all.subscribed >= readers + stopped && all.served >= readers;
    })) << load.text();

    GstBufferPool* pool = gst_buffer_pool_new();
    GstStructure* config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, nullptr, static_cast<guint>(size), 4, 4);
    ASSERT_TRUE(gst_buffer_pool_set_config(pool, config));
    ASSERT_TRUE(gst_buffer_pool_set_active(pool, TRUE));
    std::atomic<std::uint64_t> pushed{1};
    std::thread pushing([&] {
        for (; pushed < kObjects; ++pushed) {
            GstBuffer* buffer = nullptr;
            if (gst_buffer_pool_acquire_buffer(pool, &buffer, nullptr) != GST_FLOW_OK) return;
            GstMapInfo map;
            gst_buffer_map(buffer, &map, GST_MAP_WRITE);
            write_load_object({reinterpret_cast<std::byte*>(map.data), map.size}, {1, pushed});
            gst_buffer_unmap(buffer, &map);
            GST_BUFFER_PTS(buffer) = pushed * GST_MSECOND;
            if (pad.push(buffer) != GST_FLOW_OK) return;
        }
    });
    EXPECT_TRUE(eventually(kLong, [&] { return pushed >= kObjects; }))
        << "stands still after " << pushed << "\n"
        << sender.stats().text();
    // While the ring still holds what they carried.
    std::vector<GstBuffer*> back;
    EXPECT_TRUE(eventually(kSoon,
                           [&] {
                               GstBufferPoolAcquireParams at_once{};
                               at_once.flags = GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT;
                               GstBuffer* buffer = nullptr;
                               while (back.size() < 4 &&
                                      gst_buffer_pool_acquire_buffer(pool, &buffer, &at_once) == GST_FLOW_OK)
                                   back.push_back(buffer);
                               return back.size() == 4;
                           }))
        << back.size() << " of 4 have come back";
    gst_buffer_pool_set_flushing(pool, TRUE);
    pushing.join();

    // Nobody saw one that was written again meanwhile.
    if (readers > 0) {
        EXPECT_TRUE(load.wait(kSoon, [&](const LoadCounters& all) {
            for (unsigned i = stopped; i < readers + stopped; ++i)
                if (all.connections[i].last_index + 1 < kObjects) return false;
            return true;
        })) << load.text();
    }
    load->read_on = true;
    EXPECT_TRUE(load.wait(kSoon, [&](const LoadCounters& all) {
        for (unsigned i = 0; i < readers + stopped; ++i)
            if (all.connections[i].last_index + 1 < kObjects) return false;
        return true;
    })) << load.text();
    EXPECT_EQ(load->wrong, 0u) << load.text();
    for (GstBuffer* buffer : back) gst_buffer_unref(buffer);
    gst_buffer_pool_set_active(pool, FALSE);
    gst_object_unref(pool);
}

INSTANTIATE_TEST_SUITE_P(Sizes, PoolOfFour,
                         ::testing::Values(Four{"SmallAndNobodyThere", 1000, 0, 0},
                                           Four{"LargeAndNobodyThere", 300'000, 0, 0},
                                           Four{"SmallAndOneStopped", 1000, 0, 1},
                                           Four{"LargeAndOneStopped", 300'000, 0, 1},
                                           Four{"LargeAndOneStoppedBesideOthers", 100'000, 3, 1}),
                         [](const auto& four) { return std::string(four.param.name); });

}  // namespace
}  // namespace hawser::test
