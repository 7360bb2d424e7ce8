#include "runtime/sched/timer_wheel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "runtime/base/random.h"

namespace hawser::sched {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using testing::ElementsAre;

class TimerWheelTest : public testing::Test {
  protected:
    std::uint64_t add(Duration after, int tag) {
        return wheel.add(start + after, [this, tag] { ran.push_back(tag); });
    }
    std::size_t advance_to(Duration after) { return wheel.advance(start + after); }

    const TimePoint start{Duration(1'234'567'891)};  // not on a tick of the clock's own
    TimerWheel wheel{start};
    std::vector<int> ran;
};

TEST_F(TimerWheelTest, RunsInOrderOfTimeThenOfAddition) {
    add(milliseconds(7), 1);
    add(milliseconds(3), 2);
    add(milliseconds(700), 3);
    add(milliseconds(3), 4);
    EXPECT_EQ(advance_to(milliseconds(1000)), 4u);
    EXPECT_THAT(ran, ElementsAre(2, 4, 1, 3));
    EXPECT_TRUE(wheel.empty());
}

TEST_F(TimerWheelTest, NeverEarlyAndAtMostATickLate) {
    add(milliseconds(5) + nanoseconds(1), 1);
    EXPECT_EQ(advance_to(milliseconds(5)), 0u);
    EXPECT_EQ(advance_to(milliseconds(6) - nanoseconds(1)), 0u);
    EXPECT_EQ(wheel.next_expiry(), start + milliseconds(6));
    EXPECT_EQ(advance_to(milliseconds(6)), 1u);
}

TEST_F(TimerWheelTest, PastTimersRunAtTheNextAdvance) {
    advance_to(milliseconds(100));
    add(milliseconds(50), 1);
    EXPECT_LE(*wheel.next_expiry(), start + milliseconds(100));
    EXPECT_EQ(advance_to(milliseconds(100)), 1u);
}

TEST_F(TimerWheelTest, EachLevelAndTheOverflowKeepTheirTime) {
    const Duration times[] = {milliseconds(1),      milliseconds(63),      milliseconds(64),
                              milliseconds(65),     milliseconds(4095),    milliseconds(4096),
                              milliseconds(262144), milliseconds(1 << 24), milliseconds(1 << 24) + hours(30)};
    for (const Duration time : times) add(time, static_cast<int>(time / milliseconds(1)));
    for (const Duration time : times) {
        EXPECT_EQ(wheel.next_expiry(), start + time);
        EXPECT_EQ(advance_to(time - nanoseconds(1)), 0u) << time / milliseconds(1);
        EXPECT_EQ(advance_to(time), 1u) << time / milliseconds(1);
        EXPECT_EQ(ran.back(), time / milliseconds(1));
    }
    EXPECT_EQ(wheel.next_expiry(), std::nullopt);
}

TEST_F(TimerWheelTest, TheEndOfTimeIsAcceptable) {
    const auto id = wheel.add(TimePoint::max(), [this] { ran.push_back(1); });
    ASSERT_TRUE(wheel.next_expiry().has_value());
    EXPECT_GT(*wheel.next_expiry(), start + hours(24 * 365));
    EXPECT_EQ(advance_to(hours(24)), 0u);
    EXPECT_TRUE(wheel.cancel(id));
}

TEST_F(TimerWheelTest, CancelledTimersNeverRunAndIdsAreNotReused) {
    EXPECT_FALSE(wheel.cancel(0));
    EXPECT_FALSE(wheel.cancel(12345));
    const auto first = add(milliseconds(5), 1);
    EXPECT_NE(first, 0u);
    EXPECT_TRUE(wheel.cancel(first));
    EXPECT_FALSE(wheel.cancel(first));
    EXPECT_EQ(wheel.next_expiry(), std::nullopt);
    const auto second = add(milliseconds(5), 2);
    EXPECT_NE(first, second);
    EXPECT_FALSE(wheel.cancel(first));
    EXPECT_EQ(advance_to(milliseconds(5)), 1u);
    EXPECT_FALSE(wheel.cancel(second));
    EXPECT_THAT(ran, ElementsAre(2));
}

TEST_F(TimerWheelTest, ACallbackMayCancelOthersOfItsTick) {
    std::uint64_t third = 0;
    std::uint64_t first = 0;
    first = wheel.add(start + milliseconds(5), [&] {
        EXPECT_FALSE(wheel.cancel(first));
        EXPECT_TRUE(wheel.cancel(third));
    });
    add(milliseconds(5), 2);
    third = add(milliseconds(5), 3);
    EXPECT_EQ(advance_to(milliseconds(9)), 2u);
    EXPECT_THAT(ran, ElementsAre(2));
}

TEST_F(TimerWheelTest, ACallbackThatAddsPastTimersDoesNotLoop) {
    std::function<void()> again = [&] {
        ran.push_back(0);
        wheel.add(start, again);
    };
    wheel.add(start + milliseconds(1), again);
    EXPECT_EQ(advance_to(milliseconds(3)), 1u);
    EXPECT_EQ(advance_to(milliseconds(3)), 1u);
}

TEST_F(TimerWheelTest, APeriodicTimerCatchesUpWithinOneAdvance) {
    TimePoint next = start + milliseconds(10);
    std::function<void()> again = [&] {
        ran.push_back(static_cast<int>((next - start) / milliseconds(1)));
        next += milliseconds(10);
        wheel.add(next, again);
    };
    wheel.add(next, again);
    EXPECT_EQ(advance_to(milliseconds(35)), 3u);
    EXPECT_THAT(ran, ElementsAre(10, 20, 30));
    EXPECT_EQ(wheel.next_expiry(), start + milliseconds(40));
}

// Against the obvious implementation: a sorted map.
TEST_F(TimerWheelTest, AgreesWithASortedMap) {
    SeededRandom random(7);
    struct Expected {
        TimePoint when;
        std::uint64_t id;
    };
    std::map<int, Expected> pending;
    TimePoint now = start;
    for (int step = 0; step < 20000; ++step) {
        const auto choice = random.below(10);
        if (choice < 5) {
            // All magnitudes up to some 38 hours, a few in the past.
            const Duration ahead(static_cast<std::int64_t>(random.next() >> (17 + random.below(40))));
            const TimePoint when = now + ahead - milliseconds(1);
            pending[step] = {when, add(when - start, step)};
        } else if (choice < 7 && !pending.empty()) {
            const auto victim = std::next(pending.begin(), static_cast<long>(random.below(pending.size())));
            EXPECT_TRUE(wheel.cancel(victim->second.id));
            pending.erase(victim);
        } else {
            now += Duration(static_cast<std::int64_t>(random.next() >> (20 + random.below(35))));
            const auto tick = start + (now - start) / milliseconds(1) * milliseconds(1);
            ran.clear();
            wheel.advance(now);
            for (const int tag : ran) {
                ASSERT_TRUE(pending.count(tag));
                ASSERT_LE(pending[tag].when, now);
                pending.erase(tag);
            }
            TimePoint earliest = TimePoint::max();
            for (const auto& [tag, timer] : pending) {
                ASSERT_GT(timer.when, tick) << "timer " << tag << " should have run";
                earliest = std::min(earliest, timer.when);
            }
            ASSERT_EQ(wheel.next_expiry().has_value(), !pending.empty());
            if (!pending.empty()) {
                ASSERT_LT(*wheel.next_expiry() - milliseconds(1), earliest) << "would wake too late";
                ASSERT_GT(*wheel.next_expiry(), now) << "would spin";
            }
        }
        ASSERT_EQ(wheel.size(), pending.size());
    }
}

}  // namespace
}  // namespace hawser::sched
