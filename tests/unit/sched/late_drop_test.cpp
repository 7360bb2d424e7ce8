#include "runtime/sched/late_drop.h"

#include <gtest/gtest.h>

namespace hawser::sched {
namespace {

TimePoint at(int ms) {
    return TimePoint(std::chrono::milliseconds(ms));
}

constexpr bool kDelta = true;
constexpr bool kKey = false;

TEST(LateDropTest, KeepsWhatIsInTime) {
    LateDrop drop;
    EXPECT_FALSE(drop.judge(at(10), at(10), kKey));
    EXPECT_FALSE(drop.judge(at(10), at(11), kDelta));
    EXPECT_FALSE(drop.judge(at(10), TimePoint::max(), kDelta));
}

TEST(LateDropTest, WhatDependsOnALateUnitGoesWithIt) {
    LateDrop drop;
    EXPECT_FALSE(drop.judge(at(0), at(10), kKey));
    EXPECT_EQ(drop.judge(at(20), at(11), kDelta), DropReason::Late);
    EXPECT_TRUE(drop.broken());
    EXPECT_EQ(drop.judge(at(20), at(100), kDelta), DropReason::Dependent);
    EXPECT_EQ(drop.judge(at(20), TimePoint::max(), kDelta), DropReason::Dependent);
    EXPECT_FALSE(drop.judge(at(20), at(100), kKey));
    EXPECT_FALSE(drop.judge(at(20), at(100), kDelta));
    EXPECT_FALSE(drop.broken());
}

TEST(LateDropTest, ALateKeyframeTakesItsGroupAlong) {
    LateDrop drop;
    EXPECT_EQ(drop.judge(at(20), at(1), kKey), DropReason::Late);
    EXPECT_EQ(drop.judge(at(20), at(100), kDelta), DropReason::Dependent);
    EXPECT_EQ(drop.judge(at(20), at(2), kKey), DropReason::Late);
    EXPECT_FALSE(drop.judge(at(20), at(100), kKey));
}

TEST(LateDropTest, WhereEachStandsByItselfOnlyTheLateGo) {
    LateDrop drop;
    EXPECT_EQ(drop.judge(at(20), at(1), kKey), DropReason::Late);
    EXPECT_FALSE(drop.judge(at(20), at(30), kKey));
    EXPECT_EQ(drop.judge(at(40), at(30), kKey), DropReason::Late);
    drop.reset();
    EXPECT_FALSE(drop.judge(at(40), at(50), kDelta));
}

}  // namespace
}  // namespace hawser::sched
