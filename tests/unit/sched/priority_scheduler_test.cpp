#include "runtime/sched/priority_scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace hawser::sched {
namespace {

using testing::ElementsAre;

TimePoint at(int ms) {
    return TimePoint(std::chrono::milliseconds(ms));
}

TEST(PrioritySchedulerTest, NothingFromNothing) {
    EXPECT_EQ(PriorityScheduler().pick({}), std::nullopt);
}

TEST(PrioritySchedulerTest, ClassesAreStrict) {
    PriorityScheduler scheduler;
    const Candidate candidates[] = {{4, 0, at(1)}, {0, 1}, {7, 2, at(0)}};
    for (int i = 0; i < 10; ++i) EXPECT_EQ(scheduler.pick(candidates), 1u);
}

TEST(PrioritySchedulerTest, EarliestDeadlineInAClassAndNoneComesLast) {
    PriorityScheduler scheduler;
    const Candidate candidates[] = {{4, 0}, {4, 1, at(20)}, {4, 2, at(10)}};
    EXPECT_EQ(scheduler.pick(candidates), 2u);
    EXPECT_EQ(scheduler.pick(std::span(candidates).first(2)), 1u);
}

TEST(PrioritySchedulerTest, RoundRobinAmongEquals) {
    PriorityScheduler scheduler;
    const std::vector<Candidate> candidates = {{4, 3}, {4, 0}, {4, 7}};
    std::vector<int> tracks(7);
    for (int& track : tracks) track = candidates[*scheduler.pick(candidates)].track;
    EXPECT_THAT(tracks, ElementsAre(0, 3, 7, 0, 3, 7, 0));
}

TEST(PrioritySchedulerTest, AHigherClassBetweenDoesNotDisturbTheRound) {
    PriorityScheduler scheduler;
    const std::vector<Candidate> equals = {{4, 0}, {4, 1}};
    const std::vector<Candidate> urgent = {{4, 0}, {4, 1}, {0, 2}};
    EXPECT_EQ(scheduler.pick(equals), 0u);
    EXPECT_EQ(scheduler.pick(urgent), 2u);
    EXPECT_EQ(scheduler.pick(equals), 1u);
    EXPECT_EQ(scheduler.pick(urgent), 2u);
    EXPECT_EQ(scheduler.pick(equals), 0u);
}

TEST(PrioritySchedulerTest, ATrackThatComesAndGoesCostsNobodyATurn) {
    PriorityScheduler scheduler;
    const std::vector<Candidate> all = {{4, 0}, {4, 1}, {4, 2}};
    EXPECT_EQ(scheduler.pick(all), 0u);
    EXPECT_EQ(scheduler.pick(std::vector<Candidate>{{4, 0}, {4, 2}}), 1u);  // track 2: 1 has nothing
    EXPECT_EQ(scheduler.pick(all), 0u);
    EXPECT_EQ(scheduler.pick(all), 1u);
}

TEST(PrioritySchedulerTest, TheHighestTrackNumberWrapsAround) {
    PriorityScheduler scheduler;
    const std::vector<Candidate> ends = {{4, 0xffff}, {4, 0}};
    EXPECT_EQ(scheduler.pick(ends), 1u);
    EXPECT_EQ(scheduler.pick(ends), 0u);
    EXPECT_EQ(scheduler.pick(ends), 1u);
}

TEST(PrioritySchedulerTest, UnknownClassesCountAsTheLowest) {
    PriorityScheduler scheduler;
    const std::vector<Candidate> candidates = {{200, 0}, {7, 1}};
    EXPECT_EQ(scheduler.pick(candidates), 0u);
    EXPECT_EQ(scheduler.pick(candidates), 1u);
}

}  // namespace
}  // namespace hawser::sched
