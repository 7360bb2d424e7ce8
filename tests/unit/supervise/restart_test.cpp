#include "runtime/supervise/restart.h"

#include <gtest/gtest.h>

namespace hawser::supervise {
namespace {

using namespace std::chrono_literals;

graph::RestartPolicy policy(graph::RestartPolicy::Policy kind, std::uint32_t count = 3,
                            std::uint64_t window_ms = 10'000) {
    graph::RestartPolicy p;
    p.set_policy(kind);
    p.set_backoff_min_ms(200);
    p.set_backoff_max_ms(4'000);
    p.set_intensity_count(count);
    p.set_intensity_window_ms(window_ms);
    return p;
}

class RestartTest : public testing::Test {
  protected:
    RestartTracker::Decision fail_after(RestartTracker& tracker, Duration life, bool flowed = true) {
        const TimePoint started = clock_.now();
        clock_.advance(life);
        return tracker.failed(clock_.now(), started, flowed, random_);
    }
    ManualClock clock_;
    SeededRandom random_{1};
};

TEST_F(RestartTest, NeverMeansNever) {
    RestartTracker tracker(policy(graph::RestartPolicy::NEVER));
    EXPECT_FALSE(fail_after(tracker, 1s).retry_in.has_value());
    EXPECT_EQ(tracker.restarts(), 0u);
}

TEST_F(RestartTest, HangingAtTheStartForLongIsGivenUpAsWell) {
    RestartTracker tracker(policy(graph::RestartPolicy::ON_FAILURE));
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(fail_after(tracker, 12s, false).retry_in.has_value()) << i;
    EXPECT_FALSE(fail_after(tracker, 12s, false).retry_in.has_value());
}

TEST_F(RestartTest, MoreRestartsThanTheIntensityWithinItsWindowIsGivenUp) {
    RestartTracker tracker(policy(graph::RestartPolicy::ON_FAILURE));
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(fail_after(tracker, 100ms).retry_in.has_value()) << i;
    const auto fourth = fail_after(tracker, 100ms);
    EXPECT_FALSE(fourth.retry_in.has_value());
    EXPECT_EQ(fourth.why, "; given up after 3 restarts within 10.0 s");
}

TEST_F(RestartTest, FailuresFarApartAreForgiven) {
    RestartTracker tracker(policy(graph::RestartPolicy::ALWAYS));
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(fail_after(tracker, 4s).retry_in.has_value()) << i;
    EXPECT_EQ(tracker.restarts(), 50u);
}

TEST_F(RestartTest, DelaysStayWithinThePolicyAndGrow) {
    RestartTracker tracker(policy(graph::RestartPolicy::ALWAYS, 1000));
    Duration longest{};
    for (int i = 0; i < 100; ++i) {
        const auto decision = fail_after(tracker, 1ms);
        ASSERT_TRUE(decision.retry_in.has_value());
        EXPECT_GE(*decision.retry_in, 200ms);
        EXPECT_LE(*decision.retry_in, 4s);
        if (i == 0) {
            EXPECT_EQ(*decision.retry_in, 200ms);
        }
        longest = std::max(longest, *decision.retry_in);
    }
    EXPECT_GT(longest, 2s);
}

TEST_F(RestartTest, ALongLifeStartsTheSeriesAnew) {
    RestartTracker tracker(policy(graph::RestartPolicy::ALWAYS, 1000));
    for (int i = 0; i < 20; ++i) (void)fail_after(tracker, 1ms);
    EXPECT_EQ(fail_after(tracker, 31s).retry_in, 200ms);
}

TEST_F(RestartTest, AnEmptyPolicyHasDefaults) {
    RestartTracker tracker{graph::RestartPolicy()};
    for (int i = 0; i < 5; ++i) EXPECT_GE(fail_after(tracker, 1ms).retry_in, 250ms);
    EXPECT_FALSE(fail_after(tracker, 1ms).retry_in.has_value());
}

}  // namespace
}  // namespace hawser::supervise
