#include "runtime/base/random.h"

#include <gtest/gtest.h>

#include <array>

namespace hawser {
namespace {

// Reference values of SplitMix64 for seed 1234567.
TEST(SeededRandomTest, IsSplitMix64) {
    SeededRandom random(1234567);
    EXPECT_EQ(random.next(), 6457827717110365317u);
    EXPECT_EQ(random.next(), 3203168211198807973u);
    EXPECT_EQ(random.next(), 9817491932198370423u);
}

TEST(RandomTest, BelowKeepsTheBound) {
    SeededRandom random(1);
    EXPECT_EQ(random.below(0), 0u);
    EXPECT_EQ(random.below(1), 0u);
    std::array<int, 10> counts{};
    for (int i = 0; i < 10000; ++i) ++counts.at(random.below(10));
    for (const int count : counts) EXPECT_NEAR(count, 1000, 200);
}

TEST(RandomTest, AnIdIsNeverZero) {
    struct : Random {
        std::uint64_t next() override { return calls++ < 2 ? 0 : 42; }
        int calls = 0;
    } random;
    EXPECT_EQ(random_id(random), 42u);
    EXPECT_NE(random_id(SystemRandom::instance()), random_id(SystemRandom::instance()));
}

}  // namespace
}  // namespace hawser
