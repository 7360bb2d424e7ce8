#include "runtime/ring/adaptive_spin.h"

#include <gtest/gtest.h>

namespace hawser::ring {
namespace {

TEST(AdaptiveSpinTest, GivesUpWhereItIsInVainAndTriesAgainNowAndThen) {
    AdaptiveSpin spin(Duration(1000));
    int looks = 0;
    const auto never = [&looks] {
        ++looks;
        return false;
    };
    while (spin.pays()) EXPECT_FALSE(spin.spin(never));
    looks = 0;
    int waits = 0;
    while (spin.pays() || (looks == 0 && waits < 1000)) {
        EXPECT_FALSE(spin.spin(never));
        ++waits;
        if (looks > 0) break;
    }
    // On a machine with one processor it never looks at all.
    EXPECT_TRUE(looks == 0 || (waits >= 16 && waits <= 256)) << looks << " looks in " << waits << " waits";
}

TEST(AdaptiveSpinTest, OneSuccessBringsItBack) {
    AdaptiveSpin spin(Duration(1000));
    while (spin.pays()) spin.spin([] { return false; });
    bool found = false;
    for (int i = 0; i < 256 && !found; ++i) found = spin.spin([] { return true; });
    EXPECT_EQ(spin.pays(), found);
}

TEST(AdaptiveSpinTest, EndsInTime) {
    AdaptiveSpin spin(Duration(200'000));
    const TimePoint start = SteadyClock::instance().now();
    EXPECT_FALSE(spin.spin([] { return false; }));
    EXPECT_LT(SteadyClock::instance().now() - start, std::chrono::seconds(1));
}

}  // namespace
}  // namespace hawser::ring
