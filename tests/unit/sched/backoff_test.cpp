#include "runtime/sched/backoff.h"

#include <gtest/gtest.h>

namespace hawser::sched {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Draws the ceiling itself: below(ceiling + 1) is next() % (ceiling + 1).
class Highest final : public Random {
  public:
    explicit Highest(Duration ceiling) : ceiling_(ceiling) {}
    std::uint64_t next() override { return static_cast<std::uint64_t>(ceiling_.count()); }

  private:
    Duration ceiling_;
};

TEST(BackoffTest, FirstAtOnceThenTheCeilingDoublesUpToTheCap) {
    Backoff backoff({.base = milliseconds(100), .cap = seconds(1)});
    SeededRandom random(3);
    EXPECT_EQ(backoff.next(random), Duration::zero());
    for (const int ceiling : {100, 200, 400, 800, 1000, 1000, 1000}) {
        Highest highest{milliseconds(ceiling)};
        EXPECT_EQ(backoff.next(highest), milliseconds(ceiling));
    }
    EXPECT_EQ(backoff.attempts(), 8u);
}

TEST(BackoffTest, JitterIsFull) {
    SeededRandom random(5);
    Duration least = seconds(9), most{}, sum{};
    constexpr int kRuns = 2000;
    for (int i = 0; i < kRuns; ++i) {
        Backoff backoff({.base = seconds(1), .cap = seconds(1)});
        backoff.next(random);
        const Duration delay = backoff.next(random);
        least = std::min(least, delay);
        most = std::max(most, delay);
        sum += delay;
    }
    EXPECT_GE(least, Duration::zero());
    EXPECT_LT(least, milliseconds(20));
    EXPECT_LE(most, seconds(1));
    EXPECT_GT(most, milliseconds(980));
    EXPECT_NEAR(static_cast<double>((sum / kRuns).count()), 0.5e9, 0.03e9);
}

TEST(BackoffTest, ManyAttemptsDoNotOverflow) {
    Backoff backoff({.base = milliseconds(100), .cap = std::chrono::hours(24 * 365 * 200)});
    SeededRandom random(11);
    for (int i = 0; i < 1000; ++i) {
        const Duration delay = backoff.next(random);
        ASSERT_GE(delay, Duration::zero());
        ASSERT_LE(delay, std::chrono::hours(24 * 365 * 200));
    }
}

TEST(BackoffTest, OnlyAStableConnectionResets) {
    SeededRandom random(1);
    Backoff backoff;
    const TimePoint start{seconds(1)};
    backoff.next(random);
    backoff.next(random);
    backoff.stable_since(start);
    backoff.lost(start + seconds(29));
    EXPECT_EQ(backoff.attempts(), 2u);
    backoff.lost(start + seconds(31));  // nothing was up any more
    EXPECT_EQ(backoff.attempts(), 2u);
    backoff.stable_since(start);
    backoff.lost(start + seconds(30));
    EXPECT_EQ(backoff.attempts(), 0u);
    EXPECT_EQ(backoff.next(random), Duration::zero());
}

}  // namespace
}  // namespace hawser::sched
