#include "runtime/ring/fill_meter.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace hawser::ring {
namespace {

TEST(FillMeterTest, CountsTheDifference) {
    FillMeter meter;
    meter.restart(100);
    meter.put(1, 10, 150);
    meter.put(2, 30, 300);
    EXPECT_EQ(meter.level().items, 3u);
    EXPECT_EQ(meter.level().bytes, 40u);
    EXPECT_EQ(meter.level().time, 200u);
    meter.taken(1, 10, 150);
    EXPECT_EQ(meter.level().items, 2u);
    EXPECT_EQ(meter.level().bytes, 30u);
    EXPECT_EQ(meter.level().time, 150u);
    meter.taken(2, 30, 300);
    EXPECT_EQ(meter.level().items, 0u);
    EXPECT_EQ(meter.level().time, 0u);
    EXPECT_EQ(meter.total_in(), 3u);
    EXPECT_EQ(meter.total_bytes_out(), 40u);
}

TEST(FillMeterTest, WithoutAPositionThereIsNoTime) {
    FillMeter meter;
    meter.put(1, 1, 500);
    EXPECT_EQ(meter.level().time, 0u);
    meter.restart(-500);
    EXPECT_EQ(meter.level().time, 1000u);
    meter.put(1, 1, FillMeter::kNoTime);
    EXPECT_EQ(meter.level().time, 1000u);
    meter.taken(1, 1, 700);  // ahead of what was put in: times may go back
    EXPECT_EQ(meter.level().time, 0u);
    meter.forget_time();
    EXPECT_EQ(meter.position_in(), FillMeter::kNoTime);
    EXPECT_EQ(meter.level().time, 0u);
}

TEST(FillMeterTest, FullLooksAgainOnlyWhenItSeemsFull) {
    FillMeter meter;
    meter.restart(0);
    meter.put(2, 200, 20);
    EXPECT_TRUE(meter.full({2, 0, 0}));
    EXPECT_TRUE(meter.full({0, 200, 0}));
    EXPECT_TRUE(meter.full({0, 0, 20}));
    EXPECT_FALSE(meter.full({3, 201, 21}));
    EXPECT_FALSE(meter.full({0, 0, 0}));
    meter.taken(1, 100, 10);
    EXPECT_FALSE(meter.full({2, 0, 0}));
    EXPECT_FALSE(meter.full({0, 200, 0}));
    EXPECT_FALSE(meter.full({0, 0, 20}));
    EXPECT_TRUE(meter.full({1, 0, 0}));
}

// As after a flush, where running time begins anew.
TEST(FillMeterTest, FullLooksAgainWherePositionsHaveGoneBack) {
    constexpr Fill kSecond{0, 0, 1000};
    FillMeter meter;
    meter.restart(0);
    meter.put(1, 10, 50'000);
    EXPECT_TRUE(meter.full(kSecond));
    meter.taken(1, 10, 50'000);
    EXPECT_FALSE(meter.full(kSecond));
    meter.forget_time();
    EXPECT_FALSE(meter.full(kSecond));
    meter.restart(0);
    meter.put(1, 10, 999);
    EXPECT_FALSE(meter.full(kSecond));
    meter.put(1, 10, 1000);
    EXPECT_TRUE(meter.full(kSecond)) << "measured from where the consumer was before";
}

TEST(FillMeterTest, NeverSeemsNegativeFromOutside) {
    FillMeter meter;
    meter.restart(0);
    std::atomic<std::uint64_t> handed{0};
    constexpr std::uint64_t kItems = 100'000;
    std::thread producer([&] {
        for (std::uint64_t i = 1; i <= kItems; ++i) {
            meter.put(1, 10, static_cast<std::int64_t>(i));
            handed.store(i, std::memory_order_release);
            while (meter.full({8, 0, 0})) std::this_thread::yield();
        }
    });
    std::thread consumer([&] {
        for (std::uint64_t i = 1; i <= kItems; ++i) {
            while (handed.load(std::memory_order_acquire) < i) std::this_thread::yield();
            meter.taken(1, 10, static_cast<std::int64_t>(i));
        }
    });
    std::uint64_t most = 0;
    while (meter.total_out() < kItems) {
        most = std::max(most, meter.level().items);
        std::this_thread::yield();
    }
    producer.join();
    consumer.join();
    EXPECT_LE(most, kItems);  // a difference below zero would be huge
    EXPECT_EQ(meter.level().items, 0u);
    EXPECT_EQ(meter.level().bytes, 0u);
    EXPECT_EQ(meter.level().time, 0u);
}

}  // namespace
}  // namespace hawser::ring
