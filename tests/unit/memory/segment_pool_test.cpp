#include "runtime/memory/segment_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "runtime/ring/spsc.h"

namespace hawser::memory {
namespace {

constexpr SegmentPoolConfig kSmall{.segment_size = 1024, .max_bytes = 4096, .max_idle_bytes = 2048};

TEST(SegmentPoolTest, ConsecutiveAllocationsAreAdjacent) {
    SegmentPool pool(kSmall);
    SegmentWriter writer(pool);
    const auto first = writer.allocate(10);
    const auto second = writer.allocate(7);
    const auto third = writer.allocate(100);
    ASSERT_TRUE(first && second && third);
    EXPECT_EQ(first.bytes.data() + 10, second.bytes.data());
    EXPECT_EQ(second.bytes.data() + 7, third.bytes.data());
    EXPECT_EQ(pool.stats().used_bytes, 1024u);
}

TEST(SegmentPoolTest, ASegmentIsFilledToTheLastByte) {
    SegmentPool pool(kSmall);
    SegmentWriter writer(pool);
    const auto whole = writer.allocate(pool.segment_capacity());
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole.bytes.size(), 1024u - 64u);
    const auto next = writer.allocate(1);
    EXPECT_EQ(next.segment.bytes().data(), whole.bytes.data());
}

TEST(SegmentPoolTest, LargeObjectsThatDoNotFitGetTheirOwnBlock) {
    SegmentPool pool({.segment_size = 1024, .max_bytes = 64 * 1024, .max_idle_bytes = 2048});
    SegmentWriter writer(pool);
    const auto before = writer.allocate(900);
    const auto large = writer.allocate(400);
    const auto huge = writer.allocate(10'000);
    const auto after = writer.allocate(60);
    ASSERT_TRUE(large && huge);
    EXPECT_EQ(large.bytes.size(), 400u);
    EXPECT_EQ(huge.bytes.size(), 10'000u);
    EXPECT_EQ(before.bytes.data() + 900, after.bytes.data()) << "the current segment goes on behind them";
    EXPECT_EQ(pool.stats().used_bytes, 1024u + 464u + 10'064u);
}

// What is dropped in order takes a reference a segment: the first that is allocated in the next one has it.
TEST(SegmentPoolTest, ASegmentGoesWithTheFirstOfTheNext) {
    SegmentPool pool({.segment_size = 1024, .max_bytes = 64 * 1024, .max_idle_bytes = 2048});
    SegmentWriter writer(pool);
    EXPECT_FALSE(writer.allocate(500).segment);
    EXPECT_FALSE(writer.allocate(400).segment);
    auto own = writer.allocate(400);
    EXPECT_EQ(own.segment.bytes().data(), own.bytes.data()) << "a block of its own, which goes with it";
    auto next = writer.allocate(100);
    ASSERT_TRUE(next.segment);
    EXPECT_NE(next.segment.bytes().data(), next.bytes.data());
    EXPECT_EQ(pool.stats().used_bytes, 1024u + 464u + 1024u);
    own.segment.reset();
    next.segment.reset();
    EXPECT_EQ(pool.stats().used_bytes, 1024u) << "the one that is being filled";
    writer.reset();
    EXPECT_EQ(pool.stats().used_bytes, 0u);
}

TEST(SegmentPoolTest, MemoryComesBackWithTheLastReference) {
    SegmentPool pool(kSmall);
    SegmentRef copy = pool.take();
    EXPECT_EQ(pool.stats().used_bytes, 1024u);
    SegmentRef moved = std::move(copy);
    copy = moved;
    moved.reset();
    EXPECT_EQ(pool.stats().used_bytes, 1024u);
    copy.reset();
    EXPECT_EQ(pool.stats().used_bytes, 0u);
    EXPECT_EQ(pool.stats().idle_bytes, 1024u);
    EXPECT_TRUE(pool.take());
    EXPECT_EQ(pool.stats().reused, 1u);
}

TEST(SegmentPoolTest, BoundsWhatIsUsedAndWhatIsIdle) {
    SegmentPool pool(kSmall);
    std::vector<SegmentRef> all(4);
    for (SegmentRef& each : all) each = pool.take();
    EXPECT_FALSE(pool.take_oversized(SIZE_MAX));
    EXPECT_TRUE(all.back());
    EXPECT_FALSE(pool.take());
    EXPECT_FALSE(pool.take_oversized(1));
    EXPECT_EQ(pool.stats().refused, 2u);
    all.clear();
    EXPECT_EQ(pool.stats().used_bytes, 0u);
    EXPECT_EQ(pool.stats().idle_bytes, 2048u);
    // Idle segments make room for a block of another size.
    const SegmentRef large = pool.take_oversized(4096 - 64);
    EXPECT_TRUE(large);
    EXPECT_EQ(pool.stats().idle_bytes, 0u);
}

TEST(SegmentPoolTest, AnExhaustedWriterRecovers) {
    SegmentPool pool(kSmall);
    SegmentWriter writer(pool);
    std::vector<SegmentWriter::Allocation> held;
    for (;;) {
        auto allocation = writer.allocate(200);
        if (!allocation) break;
        held.push_back(std::move(allocation));
    }
    EXPECT_EQ(held.size(), 16u);
    EXPECT_TRUE(writer.allocate(100)) << "what fits into the rest still does";
    held.clear();
    EXPECT_TRUE(writer.allocate(200));
}

TEST(SegmentPoolTest, ReferencesOutliveThePool) {
    SegmentRef left;
    {
        SegmentPool pool(kSmall);
        left = pool.take();
        pool.take();
    }
    std::ranges::fill(left.bytes(), std::byte{1});
    left.reset();
}

// The reference count alone orders a reader's last look before the next use of the bytes: the flag orders
// nothing. Only ThreadSanitizer can see this fail.
TEST(SegmentPoolTest, DroppingAReferenceOrdersWhatWasReadBefore) {
    SegmentPool pool(kSmall);
    SegmentRef own = pool.take();
    own.bytes()[0] = std::byte{1};
    std::atomic<bool> dropped{false};
    std::byte seen{};
    std::thread reader([&seen, &dropped, theirs = own]() mutable {
        seen = theirs.bytes()[0];
        theirs.reset();
        dropped.store(true, std::memory_order_relaxed);
    });
    while (!dropped.load(std::memory_order_relaxed)) std::this_thread::yield();
    own.reset();
    own = pool.take();
    own.bytes()[0] = std::byte{2};
    reader.join();
    EXPECT_EQ(pool.stats().reused, 1u);
    EXPECT_EQ(seen, std::byte{1});
}

// One thread writes objects, the other checks and drops them: the last reference often dies on the other
// thread.
TEST(SegmentPoolTest, StressAcrossThreads) {
    struct Message {
        std::span<std::byte> bytes;
        SegmentRef segment;
        unsigned char fill = 0;
    };
    SegmentPool pool({.segment_size = 4096, .max_bytes = 64 * 1024, .max_idle_bytes = 8192});
    ring::SpscRing<Message> ring(64);
    constexpr int kMessages = 50'000;
    std::thread reader([&] {
        for (int i = 0; i < kMessages; ++i) {
            Message message;
            while (!ring.try_pop(message)) std::this_thread::yield();
            const auto wrong = std::ranges::count_if(
                message.bytes, [&](std::byte b) { return b != static_cast<std::byte>(message.fill); });
            ASSERT_EQ(wrong, 0);
        }
    });
    SegmentWriter writer(pool);
    for (int i = 0; i < kMessages; ++i) {
        const std::size_t size = i % 500 == 0 ? 5000 : static_cast<std::size_t>(i % 97) + 1;
        SegmentWriter::Allocation allocation;
        while (!(allocation = writer.allocate(size))) std::this_thread::yield();
        const auto fill = static_cast<unsigned char>(i);
        std::memset(allocation.bytes.data(), fill, allocation.bytes.size());
        Message message{allocation.bytes, std::move(allocation.segment), fill};
        // A refused item is untouched. NOLINTNEXTLINE(bugprone-use-after-move)
        while (!ring.try_push(std::move(message))) std::this_thread::yield();
    }
    reader.join();
    writer.reset();
    EXPECT_EQ(pool.stats().used_bytes, 0u);
    EXPECT_LE(pool.stats().idle_bytes, 8192u);
}

}  // namespace
}  // namespace hawser::memory
