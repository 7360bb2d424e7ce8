#include "runtime/base/clock.h"

#include <gtest/gtest.h>

namespace hawser {
namespace {

TEST(TimePointTest, ForEverIsNotInThePast) {
    const TimePoint now{std::chrono::hours(1)};
    EXPECT_EQ(saturating_add(now, std::chrono::seconds(1)), now + std::chrono::seconds(1));
    EXPECT_EQ(saturating_add(now, -std::chrono::seconds(1)), now - std::chrono::seconds(1));
    EXPECT_EQ(saturating_add(now, Duration::max()), TimePoint::max());
    EXPECT_EQ(saturating_add(now, Duration::max() - std::chrono::minutes(30)), TimePoint::max());
    EXPECT_EQ(saturating_add(TimePoint::max(), Duration::max()), TimePoint::max());
}

TEST(ManualClockTest, StandsStillUntilMoved) {
    ManualClock clock;
    const TimePoint start = clock.now();
    EXPECT_EQ(clock.now(), start);
    clock.advance(std::chrono::milliseconds(5));
    EXPECT_EQ(clock.now() - start, std::chrono::milliseconds(5));
    clock.set(start + std::chrono::hours(1));
    EXPECT_EQ(clock.now() - start, std::chrono::hours(1));
}

TEST(SteadyClockTest, DoesNotGoBack) {
    const Clock& clock = SteadyClock::instance();
    TimePoint before = clock.now();
    for (int i = 0; i < 1000; ++i) {
        const TimePoint now = clock.now();
        ASSERT_LE(before, now);
        before = now;
    }
}

}  // namespace
}  // namespace hawser
