#include "tests/perf/process.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>

namespace hawser::perf {
namespace {

struct Block {
    std::atomic<std::uint64_t> value{0};
    std::atomic<bool> stop{false};
};

TEST(Role, SharesMemoryAndExitCode) {
    Shared<Block> block;
    Role role([&] {
        block->value = 42;
        return 3;
    });
    EXPECT_EQ(role.wait(10), 3);
    EXPECT_EQ(block->value, 42U);
    EXPECT_FALSE(role.running());
}

TEST(Role, KnowsItsCpuTimeWhileItRunsAndAfterwards) {
    Shared<Block> block;
    Role role([&] {
        while (!block->stop) block->value.fetch_add(1);
        return 0;
    });
    ASSERT_TRUE(wait_until(10, [&] { return role.cpu_seconds() > 0.02; }));
    EXPECT_GT(role.rss(), 0U);
    EXPECT_GT(role.private_bytes(), 0U);
    block->stop = true;
    EXPECT_EQ(role.wait(10), 0);
    EXPECT_GE(role.cpu_seconds(), 0.015);
}

TEST(Role, TellsTheSignalThatEndedIt) {
    Role role([] {
        sleep_for(60);
        return 0;
    });
    EXPECT_FALSE(role.wait(0.01));
    role.signal(SIGKILL);
    EXPECT_EQ(role.wait(10), -SIGKILL);
}

TEST(WaitUntil, GivesUp) {
    EXPECT_FALSE(wait_until(0.002, [] { return false; }));
}

}  // namespace
}  // namespace hawser::perf
