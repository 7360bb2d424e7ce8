#include "runtime/session/coalescing.h"

#include <gtest/gtest.h>

namespace hawser::session {
namespace {

using namespace std::chrono_literals;

// A reactor that works `percent` of the time, for `turns` turns of 20 ms with one object each.
struct Load {
    Coalescing coalescing{-1ns};
    TimePoint now{1s};
    std::uint64_t busy = 0, objects = 0;
    Duration rest{};

    void turns(int count, std::uint64_t percent) {
        for (int i = 0; i < count; ++i) {
            now += 20ms;
            busy += 200'000 * percent;
            rest = coalescing.rest(now, busy, ++objects);
        }
    }
};

TEST(Coalescing, AFixedRestIsWhatWasAskedFor) {
    Coalescing coalescing(100ms);
    EXPECT_EQ(coalescing.rest(TimePoint{1s}, 0, 1), 100ms);
    EXPECT_EQ(Coalescing(0ms).rest(TimePoint{1s}, 0, 1'000'000), 0ms);
}

TEST(Coalescing, NothingWhileThereIsTimeToSpare) {
    Load load;
    load.turns(100, 40);
    EXPECT_EQ(load.rest, 0ns);
}

TEST(Coalescing, GrowsWhileTheReactorCannotKeepUpAndShrinksAgain) {
    Load load;
    load.turns(5, 100);
    EXPECT_GT(load.rest, 0ns);
    const Duration before = load.rest;
    load.turns(1, 100);
    EXPECT_GT(load.rest, before);
    load.turns(100, 100);
    EXPECT_EQ(load.rest, 50ms);
    load.turns(10, 80);
    EXPECT_EQ(load.rest, 50ms);  // as it is, it is well
    load.turns(100, 10);
    EXPECT_EQ(load.rest, 0ns);
}

TEST(Coalescing, AStreamOfManySmallObjectsIsWorthAMoment) {
    Coalescing coalescing(-1ns);
    coalescing.rest(TimePoint{1s}, 0, 0);
    EXPECT_GT(coalescing.rest(TimePoint{1s + 1ms}, 0, 100), 0ns);
    EXPECT_EQ(coalescing.rest(TimePoint{1s + 2ms}, 0, 101), 0ns);  // and a single object is not
}

TEST(Coalescing, AWriterWhoComesAgainIsWaitedForLonger) {
    Coalescing coalescing(-1ns);
    coalescing.rest(TimePoint{1s}, 0, 0);
    const Duration rest = coalescing.rest(TimePoint{1s + 1ms}, 0, 100);
    EXPECT_GT(coalescing.rest(TimePoint{1s + 2ms}, 0, 200, true), rest);
    EXPECT_EQ(coalescing.rest(TimePoint{1s + 3ms}, 0, 300), rest);
    EXPECT_EQ(coalescing.rest(TimePoint{1s + 4ms}, 0, 301, true), 0ns);  // not dense
    EXPECT_EQ(Coalescing(900us).rest(TimePoint{1s}, 0, 1000, true), 900us);
}

TEST(Coalescing, SoIsAStreamOfWhichEachTurnSeesOneObject) {
    Coalescing coalescing(-1ns);
    TimePoint now{1s};
    coalescing.rest(now, 0, 0);
    std::uint64_t objects = 0;
    const auto come = [&](int count, Duration apart) {
        Duration rest{};
        for (int i = 0; i < count; ++i) rest = coalescing.rest(now += apart, 0, ++objects);
        return rest;
    };
    EXPECT_EQ(come(2, 5us), 0ns);  // picture and sound, together
    EXPECT_EQ(come(1, 20ms), 0ns);
    EXPECT_GT(come(10, 5us), 0ns);
    EXPECT_EQ(come(1, 20ms), 0ns);
    EXPECT_EQ(come(1, 5us), 0ns);
}

}  // namespace
}  // namespace hawser::session
