#include "runtime/ring/mpmc.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace hawser::ring {
namespace {

TEST(MpmcRingTest, FirstInFirstOutUpToItsCapacity) {
    MpmcRing<std::unique_ptr<int>> ring(5);
    EXPECT_EQ(ring.capacity(), 8u);
    std::unique_ptr<int> item;
    EXPECT_FALSE(ring.try_pop(item));
    for (int round = 0; round < 10; ++round) {
        for (int i = 0; i < 8; ++i) EXPECT_TRUE(ring.try_push(std::make_unique<int>(i)));
        EXPECT_EQ(ring.size_approx(), 8u);
        auto refused = std::make_unique<int>(9);
        EXPECT_FALSE(ring.try_push(std::move(refused)));
        EXPECT_TRUE(refused) << "what was refused is untouched";
        for (int i = 0; i < 8; ++i) {
            ASSERT_TRUE(ring.try_pop(item));
            EXPECT_EQ(*item, i);
        }
        EXPECT_FALSE(ring.try_pop(item));
        EXPECT_EQ(ring.size_approx(), 0u);
    }
}

TEST(MpmcRingTest, TheSmallestHoldsTwo) {
    MpmcRing<int> ring(0);
    const int one = 1;
    EXPECT_TRUE(ring.try_push(one));
    EXPECT_TRUE(ring.try_push(2));
    EXPECT_FALSE(ring.try_push(3));
    int item = 0;
    EXPECT_TRUE(ring.try_pop(item));
    EXPECT_EQ(item, 1);
    EXPECT_TRUE(ring.try_push(3));
    EXPECT_FALSE(ring.try_push(4));
}

TEST(MpmcRingTest, APoppedItemIsNotKeptAndWhatIsLeftDiesWithTheRing) {
    const auto counted = std::make_shared<int>(0);
    {
        MpmcRing<std::shared_ptr<int>> ring(4);
        for (int i = 0; i < 4; ++i) ring.try_push(counted);
        EXPECT_EQ(counted.use_count(), 5);
        std::shared_ptr<int> item;
        ring.try_pop(item);
        item.reset();
        EXPECT_EQ(counted.use_count(), 4);
    }
    EXPECT_EQ(counted.use_count(), 1);
}

// Nothing is lost, doubled or torn, and no consumer sees one producer's items out of order.
TEST(MpmcRingTest, StressKeepsTheOrderOfEachProducer) {
    struct Item {
        std::size_t producer = 0;
        std::uint64_t number = 0;
        std::unique_ptr<std::uint64_t> check;
    };
    constexpr std::size_t kProducers = 2, kConsumers = 2;
    constexpr std::uint64_t kItems = 20'000;
    MpmcRing<Item> ring(16);
    std::atomic<std::uint64_t> popped{0}, sum{0}, wrong{0};
    std::vector<std::thread> threads;
    for (std::size_t p = 0; p < kProducers; ++p)
        threads.emplace_back([&, p] {
            for (std::uint64_t i = 1; i <= kItems; ++i) {
                Item item{p, i, std::make_unique<std::uint64_t>(i)};
                while (!ring.try_push(std::move(item))) std::this_thread::yield();
            }
        });
    for (std::size_t c = 0; c < kConsumers; ++c)
        threads.emplace_back([&] {
            std::uint64_t last[kProducers] = {};
            Item item;
            while (popped.load() < kProducers * kItems) {
                if (!ring.try_pop(item)) {
                    std::this_thread::yield();
                    continue;
                }
                wrong += item.number <= last[item.producer] || *item.check != item.number;
                last[item.producer] = item.number;
                sum += item.number;
                ++popped;
            }
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0u);
    EXPECT_EQ(sum, kProducers * kItems * (kItems + 1) / 2);
    EXPECT_EQ(ring.size_approx(), 0u);
}

}  // namespace
}  // namespace hawser::ring
