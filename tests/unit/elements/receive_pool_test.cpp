#include "elements/receive_pool.h"

#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "elements/gst_ptr.h"
#include "runtime/base/random.h"

namespace hawser::elements {
namespace {

constexpr std::size_t kMega = 1 << 20;

class ReceivePoolTest : public testing::Test {
  protected:
    static void SetUpTestSuite() { gst_init(nullptr, nullptr); }

    // As land() does it.
    Ptr<GstBuffer> take(std::size_t size) {
        const ReceivePool::Received received = pool_.acquire(size);
        EXPECT_TRUE(received.buffer);
        data_ = received.data;
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data_) % 64, 0u);
        EXPECT_EQ(gst_buffer_get_size(received.buffer), size);
        return Ptr<GstBuffer>::adopt(received.buffer);
    }

    ReceivePool pool_{kMega};
    std::byte* data_ = nullptr;
};

TEST_F(ReceivePoolTest, WhatComesBackGoesOutAgain) {
    for (const std::size_t size : {1u, 64u, 256u, 257u, 1316u, 65536u, 100000u, 700000u}) {
        auto buffer = take(size);
        std::memset(data_, 7, size);
        const GstBuffer* before = buffer.get();
        buffer = {};
        EXPECT_GT(pool_.idle_bytes(), 0u);
        buffer = take(size);
        EXPECT_EQ(buffer.get(), before) << size;
        EXPECT_TRUE(gst_buffer_is_writable(buffer.get()));
        EXPECT_TRUE(gst_buffer_is_all_memory_writable(buffer.get()));
    }
}

TEST_F(ReceivePoolTest, TheLastOneBackIsTheFirstToGo) {
    auto first = take(1000), second = take(1000);
    const GstBuffer* last = first.get();
    second = {};
    first = {};
    EXPECT_EQ(take(900).get(), last) << "warm, and of the same size class";
}

TEST_F(ReceivePoolTest, NothingSticksToIt) {
    auto buffer = take(64 * 48 * 3 / 2);
    gst_buffer_add_video_meta(buffer.get(), GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_I420, 64, 48);
    GST_BUFFER_FLAG_SET(buffer.get(), GST_BUFFER_FLAG_DISCONT | GST_BUFFER_FLAG_DELTA_UNIT);
    gst_buffer_resize(buffer.get(), 100, 50);
    const GstBuffer* before = buffer.get();
    buffer = {};
    buffer = take(64 * 48 * 3 / 2);
    EXPECT_EQ(buffer.get(), before);
    EXPECT_EQ(GST_BUFFER_FLAGS(buffer.get()), 0u);
    EXPECT_FALSE(gst_buffer_get_video_meta(buffer.get()));
    GstMapInfo map;
    ASSERT_TRUE(gst_buffer_map(buffer.get(), &map, GST_MAP_READWRITE));
    EXPECT_EQ(map.data, reinterpret_cast<guint8*>(data_));
    gst_buffer_unmap(buffer.get(), &map);
}

TEST_F(ReceivePoolTest, WhatWasTamperedWithIsDropped) {
    const auto spoiled = [this](const char* what, auto tamper) {
        auto buffer = take(5000);
        tamper(buffer.get());
        buffer = {};
        EXPECT_EQ(pool_.idle_bytes(), 0u) << what;
    };
    spoiled("another memory", [](GstBuffer* buffer) {
        gst_buffer_replace_all_memory(buffer, gst_allocator_alloc(nullptr, 10, nullptr));
    });
    spoiled("one more memory", [](GstBuffer* buffer) {
        gst_buffer_append_memory(buffer, gst_allocator_alloc(nullptr, 10, nullptr));
    });
    spoiled("data that hangs on it", [](GstBuffer* buffer) {
        gst_mini_object_set_qdata(GST_MINI_OBJECT_CAST(buffer), g_quark_from_static_string("test"),
                                  g_strdup("text"), g_free);
    });
    EXPECT_EQ(pool_.bytes(), 0u);

    GstMemory* kept = nullptr;
    spoiled("a memory that somebody keeps",
            [&](GstBuffer* buffer) { kept = gst_buffer_get_memory(buffer, 0); });
    EXPECT_GT(pool_.bytes(), 0u);
    gst_memory_unref(kept);
    EXPECT_EQ(pool_.bytes(), 0u);
}

TEST_F(ReceivePoolTest, PartsShareItsMemory) {
    auto buffer = take(1000);
    for (int i = 0; i < 1000; ++i) data_[i] = static_cast<std::byte>(i);
    auto part = Ptr<GstBuffer>::adopt(gst_buffer_copy_region(buffer.get(), GST_BUFFER_COPY_MEMORY, 100, 200));
    auto rest = Ptr<GstBuffer>::adopt(gst_buffer_copy_region(buffer.get(), GST_BUFFER_COPY_MEMORY, 300, 700));
    auto copy = Ptr<GstBuffer>::adopt(gst_buffer_copy_deep(buffer.get()));
    buffer = {};
    EXPECT_EQ(pool_.idle_bytes(), 0u) << "the parts have it still";
    EXPECT_EQ(gst_buffer_memcmp(part.get(), 0, data_ + 100, 200), 0);
    EXPECT_EQ(gst_buffer_memcmp(rest.get(), 0, data_ + 300, 700), 0);
    EXPECT_EQ(gst_buffer_memcmp(copy.get(), 0, data_, 1000), 0);
    // Next to each other, so that one map shows both without a copy.
    auto joined = Ptr<GstBuffer>::adopt(gst_buffer_append(part.leak(), rest.leak()));
    GstMapInfo map;
    ASSERT_TRUE(gst_buffer_map(joined.get(), &map, GST_MAP_READ));
    EXPECT_EQ(map.data, reinterpret_cast<guint8*>(data_ + 100));
    gst_buffer_unmap(joined.get(), &map);
    joined = {};
    EXPECT_EQ(pool_.bytes(), 0u);
}

TEST_F(ReceivePoolTest, IdleMemoryIsBounded) {
    std::vector<Ptr<GstBuffer>> out;
    for (int i = 0; i < 50; ++i) out.push_back(take(100000));
    EXPECT_GT(pool_.bytes(), 4 * kMega);
    out.clear();
    EXPECT_LE(pool_.bytes(), kMega);
    EXPECT_GT(pool_.idle_bytes(), kMega / 2);
    // One size makes room for another.
    for (int i = 0; i < 10; ++i) out.push_back(take(60000));
    EXPECT_LE(pool_.bytes(), kMega);
    out.clear();
    EXPECT_LE(pool_.idle_bytes(), kMega);
}

TEST_F(ReceivePoolTest, BuffersOutliveIt) {
    Ptr<GstBuffer> buffer;
    {
        ReceivePool other(kMega);
        ReceivePool::Received received = other.acquire(2000);
        std::memset(received.data, 3, 2000);
        buffer = Ptr<GstBuffer>::adopt(received.buffer);
        gst_buffer_unref(other.acquire(2000).buffer);  // and one idle
    }
    EXPECT_EQ(gst_buffer_get_size(buffer.get()), 2000u);
}

// One thread takes, others let go, while its content is checked; at the end the pool dies under them.
TEST_F(ReceivePoolTest, TakenByOneThreadAndLetGoByOthers) {
    auto pool = std::make_unique<ReceivePool>(kMega);
    struct Lane {
        std::mutex mutex;
        std::deque<GstBuffer*> buffers;
        bool over = false;
    };
    std::array<Lane, 3> lanes;
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (Lane& lane : lanes)
        threads.emplace_back([&lane, &wrong] {
            for (;;) {
                GstBuffer* buffer = nullptr;
                {
                    const std::lock_guard lock(lane.mutex);
                    if (lane.buffers.empty() && lane.over) return;
                    if (!lane.buffers.empty()) {
                        buffer = lane.buffers.front();
                        lane.buffers.pop_front();
                    }
                }
                if (!buffer) {
                    std::this_thread::yield();
                    continue;
                }
                const guint64 expected = GST_BUFFER_OFFSET(buffer);
                if (gst_buffer_memcmp(buffer, 0, &expected, sizeof expected) != 0) ++wrong;
                gst_buffer_unref(buffer);
            }
        });
    SeededRandom random(1);
    for (guint64 i = 0; i < 30000; ++i) {
        const ReceivePool::Received received = pool->acquire(random.below(2) ? 64 : 3000);
        std::memcpy(received.data, &i, sizeof i);
        GST_BUFFER_OFFSET(received.buffer) = i;
        Lane& lane = lanes[random.below(lanes.size())];
        const std::lock_guard lock(lane.mutex);
        lane.buffers.push_back(received.buffer);
    }
    pool.reset();
    for (Lane& lane : lanes) {
        const std::lock_guard lock(lane.mutex);
        lane.over = true;
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace hawser::elements
