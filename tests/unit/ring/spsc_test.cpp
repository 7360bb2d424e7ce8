#include "runtime/ring/spsc.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

namespace hawser::ring {
namespace {

TEST(SpscRingTest, CapacityIsAPowerOfTwo) {
    EXPECT_EQ(SpscRing<int>(0).capacity(), 2u);
    EXPECT_EQ(SpscRing<int>(5).capacity(), 8u);
    EXPECT_EQ(SpscRing<int>(8).capacity(), 8u);
}

TEST(SpscRingTest, FirstInFirstOutManyTimesAround) {
    SpscRing<int> ring(4);
    int next = 0;
    for (int i = 0; i < 1000; ++i) {
        ASSERT_TRUE(ring.try_push(i));
        if (i % 3 == 0) continue;
        int got = -1;
        ASSERT_TRUE(ring.try_pop(got));
        ASSERT_EQ(got, next++);
        if (ring.size_approx() == 3) {
            ASSERT_EQ(*ring.front(), next++);
            ring.pop();
        }
    }
}

TEST(SpscRingTest, FullAndEmpty) {
    SpscRing<std::unique_ptr<int>> ring(2);
    std::unique_ptr<int> item;
    EXPECT_EQ(ring.front(), nullptr);
    EXPECT_FALSE(ring.try_pop(item));
    EXPECT_TRUE(ring.try_push(std::make_unique<int>(1)));
    EXPECT_TRUE(ring.try_push(std::make_unique<int>(2)));
    auto third = std::make_unique<int>(3);
    EXPECT_FALSE(ring.try_push(std::move(third)));
    ASSERT_NE(third, nullptr) << "what was not taken is not lost";
    EXPECT_EQ(ring.size_approx(), 2u);
    EXPECT_TRUE(ring.try_pop(item));
    EXPECT_EQ(*item, 1);
    EXPECT_TRUE(ring.try_push(std::move(third)));
}

TEST(SpscRingTest, WhatIsLeftDiesWithTheRing) {
    const auto counted = std::make_shared<int>(0);
    {
        SpscRing<std::shared_ptr<int>> ring(8);
        for (int i = 0; i < 5; ++i) ring.try_push(counted);
        std::shared_ptr<int> one;
        ring.try_pop(one);
        EXPECT_EQ(counted.use_count(), 6);
    }
    EXPECT_EQ(counted.use_count(), 1);
}

TEST(SpscRingTest, Stress) {
    constexpr int kItems = 200'000;
    SpscRing<std::unique_ptr<int>> ring(32);
    std::thread producer([&] {
        for (int i = 0; i < kItems; ++i) {
            auto item = std::make_unique<int>(i);
            while (!ring.try_push(std::move(item))) std::this_thread::yield();
        }
    });
    int wrong = 0;
    for (int i = 0; i < kItems; ++i) {
        std::unique_ptr<int> item;
        while (!ring.try_pop(item)) std::this_thread::yield();
        wrong += *item != i;
        ASSERT_LE(ring.size_approx(), ring.capacity());
    }
    producer.join();
    EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace hawser::ring
