#include "runtime/ring/mpsc.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace hawser::ring {
namespace {

TEST(MpscQueueTest, FirstInFirstOut) {
    MpscQueue<std::unique_ptr<int>> queue;
    EXPECT_TRUE(queue.empty());
    EXPECT_FALSE(queue.try_pop());
    for (int i = 0; i < 10; ++i) queue.push(std::make_unique<int>(i));
    EXPECT_FALSE(queue.empty());
    for (int i = 0; i < 10; ++i) EXPECT_EQ(**queue.try_pop(), i);
    EXPECT_TRUE(queue.empty());
}

TEST(MpscQueueTest, APoppedItemIsNotKept) {
    const auto counted = std::make_shared<int>(0);
    MpscQueue<std::shared_ptr<int>> queue;
    queue.push(counted);
    queue.push(counted);
    EXPECT_EQ(counted.use_count(), 3);
    queue.try_pop();
    EXPECT_EQ(counted.use_count(), 2);
}

TEST(MpscQueueTest, WhatIsLeftDiesWithTheQueue) {
    const auto counted = std::make_shared<int>(0);
    {
        MpscQueue<std::shared_ptr<int>> queue;
        for (int i = 0; i < 5; ++i) queue.push(counted);
    }
    EXPECT_EQ(counted.use_count(), 1);
}

TEST(MpscQueueTest, StressKeepsTheOrderOfEachProducer) {
    constexpr int kProducers = 3;
    constexpr int kItems = 30'000;
    MpscQueue<std::pair<int, int>> queue;
    std::vector<std::thread> producers;
    producers.reserve(kProducers);
    for (int p = 0; p < kProducers; ++p)
        producers.emplace_back([&queue, p] {
            for (int i = 0; i < kItems; ++i) queue.push({p, i});
        });
    int next[kProducers] = {};
    int wrong = 0;
    for (int i = 0; i < kProducers * kItems;) {
        const auto item = queue.try_pop();
        if (!item) {
            std::this_thread::yield();
            continue;
        }
        wrong += item->second != next[item->first]++;
        ++i;
    }
    for (auto& producer : producers) producer.join();
    EXPECT_EQ(wrong, 0);
    EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace hawser::ring
