#include "runtime/control/posix_launcher.h"

#include <gtest/gtest.h>

#include <fstream>
#include <optional>

#include <sys/stat.h>

namespace hawser::control {
namespace {

using namespace std::chrono_literals;

struct Listener final : supervise::WorkerListener {
    void on_report(const Report& report) override { reports.push_back(report); }
    void on_output(const std::string& line) override { lines.push_back(line); }
    void on_exit(const supervise::ExitStatus& status) override {
        exit = status;
        lines_before_exit = lines.size();
    }
    std::vector<Report> reports;
    std::vector<std::string> lines;
    std::optional<supervise::ExitStatus> exit;
    std::size_t lines_before_exit = 0;
};

// A shell script in the worker's place: what matters here is what a process is given and how it ends.
class PosixLauncherTest : public testing::Test {
  protected:
    std::unique_ptr<supervise::WorkerProcess> start(const std::string& script) {
        path_ = testing::TempDir() + "/worker-" + std::to_string(getpid()) + ".sh";
        std::ofstream(path_) << "#!/bin/sh\n" << script << "\n";
        chmod(path_.c_str(), 0755);
        launcher_ = std::make_unique<PosixLauncher>(loop_, WorkerProgram{path_, {{"COLOUR", "blue"}}});
        auto process = launcher_->launch({{}, "/the/counters"}, listener_);
        EXPECT_TRUE(process.ok());
        return std::move(process).value();
    }
    void wait_for_exit() {
        const TimePoint end = SteadyClock::instance().now() + 20s;
        while (!listener_.exit && SteadyClock::instance().now() < end) loop_.run_once(1s);
        ASSERT_TRUE(listener_.exit.has_value());
    }
    void wait_for_line() {
        const TimePoint end = SteadyClock::instance().now() + 20s;
        while (listener_.lines.empty() && SteadyClock::instance().now() < end) loop_.run_once(1s);
        ASSERT_FALSE(listener_.lines.empty());
    }
    void TearDown() override { std::remove(path_.c_str()); }

    EventLoop loop_;
    Listener listener_;
    std::unique_ptr<PosixLauncher> launcher_;
    std::string path_;
};

TEST_F(PosixLauncherTest, OutputComesByLinesAndBeforeTheExit) {
    const auto process = start("echo one; echo two >&2; printf three; exit 3");
    wait_for_exit();
    EXPECT_EQ(listener_.lines, (std::vector<std::string>{"one", "two", "three"}));
    EXPECT_EQ(listener_.lines_before_exit, 3u);
    EXPECT_EQ(listener_.exit->text(), "exited with 3");
    EXPECT_FALSE(listener_.exit->in_order());
}

TEST_F(PosixLauncherTest, AWorkerHasDescriptors0To3AndNoOther) {
    const auto process = start("ls /proc/self/fd | tr '\\n' ' '");  // 4: what ls itself opens
    wait_for_exit();
    ASSERT_EQ(listener_.lines.size(), 1u);
    EXPECT_EQ(listener_.lines[0], "0 1 2 3 4 ");
}

TEST_F(PosixLauncherTest, AWorkerHasItsEnvironmentAndNoBlockedSignals) {
    const auto process =
        start("echo $COLOUR $HAWSER_COUNTERS; grep SigBlk /proc/self/status | tr -d 'SigBlk:\\t0'");
    wait_for_exit();
    ASSERT_EQ(listener_.lines.size(), 2u);
    EXPECT_EQ(listener_.lines[0], "blue /the/counters");
    EXPECT_EQ(listener_.lines[1], "");
}

TEST_F(PosixLauncherTest, ASignalEndsItAndIsNamed) {
    const auto process = start("echo up; exec sleep 60");
    wait_for_line();
    process->signal(SIGKILL);
    wait_for_exit();
    EXPECT_EQ(listener_.exit->text(), "was killed by SIGKILL");
}

TEST_F(PosixLauncherTest, DestroyingItKillsIt) {
    auto process = start("echo up; exec sleep 60");
    wait_for_line();
    const pid_t pid = process->pid();
    process.reset();
    EXPECT_EQ(kill(pid, 0), -1) << "it was waited for, too";
    EXPECT_FALSE(listener_.exit.has_value());
}

TEST_F(PosixLauncherTest, AProgramThatIsNotThereIsAnExit) {
    launcher_ = std::make_unique<PosixLauncher>(loop_, WorkerProgram{"/nowhere/hawser-worker", {}});
    auto process = launcher_->launch({}, listener_);
    ASSERT_TRUE(process.ok());
    wait_for_exit();
    EXPECT_EQ(listener_.exit->text(), "exited with 127");
}

}  // namespace
}  // namespace hawser::control
