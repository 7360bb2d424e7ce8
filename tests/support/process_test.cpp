#include "tests/support/process.h"

#include <gtest/gtest.h>

#include <csignal>

namespace hawser::test {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

TEST(Process, GivesLinesOfBothOutputsAndTheExitCode) {
    Process process({"sh", "-c", "echo one; echo two >&2; exit 3"});
    EXPECT_EQ(process.wait_exit(5s), 3) << process.output();
    EXPECT_EQ(process.matching("one").size(), 1u);
    ASSERT_EQ(process.matching("two").size(), 1u);
    EXPECT_FALSE(process.running());
}

TEST(Process, WaitsForLinesWhileItRuns) {
    Process process({"sh", "-c", "echo ready 1; read x < /dev/zero; sleep 100"});
    const auto line = process.wait_for_line("ready [0-9]", 5s);
    ASSERT_TRUE(line);
    EXPECT_EQ(line->text, "ready 1");
    EXPECT_FALSE(process.wait_for_line("never", 20ms));
    EXPECT_GT(process.rss(), 0u);
    process.signal(SIGKILL);
    EXPECT_EQ(process.wait_exit(5s), -SIGKILL);
}

TEST(Process, TellsThatItCannotStart) {
    Process process({"/nonexistent/program"});
    EXPECT_EQ(process.wait_exit(5s), 127);
}

TEST(Process, SplitsDescriptionsAsAShellDoes) {
    const auto argv = Process::gst_launch("fakesrc ! 'video/x-raw, width=1' ! fakesink", {"-v"});
    const std::vector<std::string> want{"gst-launch-1.0",       "-v", "fakesrc", "!",
                                        "video/x-raw, width=1", "!",  "fakesink"};
    EXPECT_EQ(argv, want);
}

}  // namespace
}  // namespace hawser::test
