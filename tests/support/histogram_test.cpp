#include "tests/support/histogram.h"

#include <gtest/gtest.h>

namespace hawser::test {
namespace {

TEST(Histogram, BucketsAreInOrderAndNarrow) {
    std::size_t last = 0;
    for (std::int64_t value = 1; value < (std::int64_t{1} << 50); value += 1 + value / 50) {
        const std::size_t bucket = Histogram::bucket_of(value);
        ASSERT_GE(bucket, last) << value;
        ASSERT_LT(bucket, Histogram::kBuckets);
        ASSERT_NEAR(Histogram::middle_of(bucket), static_cast<double>(value),
                    0.5 + 0.03 * static_cast<double>(value));
        last = bucket;
    }
}

TEST(Histogram, TellsQuantilesOfWhatCameBetweenTwoLooks) {
    Histogram histogram;
    for (int i = 0; i < 100; ++i) histogram.add(1'000'000'000);
    const auto before = histogram.counts();
    for (int i = 1; i <= 1000; ++i) histogram.add(i * 1000);
    const auto counts = Histogram::between(before, histogram.counts());
    EXPECT_EQ(Histogram::total(counts), 1000U);
    EXPECT_NEAR(Histogram::quantile(counts, 0.5), 500e3, 20e3);
    EXPECT_NEAR(Histogram::quantile(counts, 0.99), 990e3, 35e3);
    EXPECT_DOUBLE_EQ(Histogram::curve(counts).back().second, 1);
}

TEST(Histogram, TakesWhatIsNegativeOrNothing) {
    Histogram histogram;
    EXPECT_EQ(Histogram::quantile(histogram.counts(), 0.5), 0);
    histogram.add(-5);
    EXPECT_EQ(Histogram::quantile(histogram.counts(), 0.5), 0);
    EXPECT_EQ(Histogram::total(histogram.counts()), 1U);
}

}  // namespace
}  // namespace hawser::test
