// `hawser` as its users run it.
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <regex>

#include "tests/support/process.h"

namespace hawser::test {
namespace {

constexpr Milliseconds kBound{30'000};

// Lives until it is told to end; a buffer each 20 ms.
const std::string kEndless =
    "fakesrc is-live=true do-timestamp=true format=time ! identity sleep-time=20000 ! fakesink";

// A process that is not our child, watched until it is gone.
class Watched {
  public:
    explicit Watched(pid_t pid) : fd_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))) {}
    ~Watched() { close(fd_); }
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;
    bool gone_within(Milliseconds bound) const {
        pollfd wait{fd_, POLLIN, 0};
        return poll(&wait, 1, static_cast<int>(bound.count())) == 1;
    }

  private:
    int fd_;
};

class RunTest : public testing::Test {
  protected:
    std::string file(const std::string& name, const std::string& text) {
        std::ofstream(dir_.path(name)) << text;
        return dir_.path(name);
    }
    // A description of one pipeline with `more` in its mapping.
    std::string description(const std::string& launch, const std::string& more = "") {
        return file("graph.yaml", "hawser: 1\npipelines:\n  alone:\n    launch: " + launch + "\n" + more);
    }
    Process& hawser(std::vector<std::string> arguments, const Process::Environment& extra = {}) {
        arguments.insert(arguments.begin(), HAWSER_PROGRAM);
        process_ = std::make_unique<Process>(std::move(arguments), extra, false);
        return *process_;
    }
    // The pid in the `nth` worker-started event.
    pid_t worker_pid(std::size_t nth) {
        const auto line = process_->wait_for_nth_line(nth, "\"event\":\"worker-started\"", kBound);
        std::smatch match;
        if (!line || !std::regex_search(line->text, match, std::regex("\"pid\":([0-9]+)"))) return -1;
        return std::stoi(match[1]);
    }
    bool wait_state(const std::string& state, std::size_t nth = 1) {
        return process_->wait_for_nth_line(nth, "\"to\":\"" + state + "\"", kBound).has_value();
    }
    int exit_code() {
        const auto code = process_->wait_exit(kBound);
        EXPECT_TRUE(code.has_value()) << "it still runs\n" << process_->output();
        return code.value_or(-1000);
    }

    TempDir dir_;
    std::unique_ptr<Process> process_;
};

TEST_F(RunTest, ALaunchFileRunsToItsEnd) {
    auto& run = hawser({"run", file("bars.launch", "videotestsrc num-buffers=10 ! fakesink")});
    EXPECT_EQ(exit_code(), 0) << run.output();
    EXPECT_FALSE(run.matching("bars +RUNNING").empty()) << run.output();
    EXPECT_FALSE(run.matching("bars +COMPLETED").empty()) << run.output();
}

TEST_F(RunTest, SeveralPipelinesRunSideBySide) {
    auto& run = hawser({"run", file("a.launch", "videotestsrc num-buffers=10 ! fakesink"),
                        file("b.launch", "audiotestsrc num-buffers=10 ! fakesink")});
    EXPECT_EQ(exit_code(), 0) << run.output();
    EXPECT_EQ(run.matching("^  [ab] +COMPLETED").size(), 2u) << run.output();
}

TEST_F(RunTest, WhatFailsIsStartedAgainThenQuarantined) {
    auto& run = hawser(
        {"run", "--json",
         description("fakesrc ! identity error-after=5 ! fakesink",
                     "    restart: { policy: on-failure, backoff: 50ms..100ms, intensity: 2/60s }\n")});
    EXPECT_EQ(exit_code(), 1) << run.output();
    EXPECT_EQ(run.matching("\"event\":\"worker-started\"").size(), 3u) << run.output();
    EXPECT_EQ(run.matching("\"to\":\"BACKOFF\"").size(), 2u);
    EXPECT_EQ(run.matching("\"to\":\"QUARANTINED\".*Failed after iterations.*2 restarts within").size(), 1u)
        << run.output();
    EXPECT_EQ(run.matching("\"event\":\"problem\".*\"fatal\":true").size(), 3u);
}

TEST_F(RunTest, AKilledWorkerIsStartedAgain) {
    auto& run = hawser({"run", "--json", description(kEndless)});
    const pid_t first = worker_pid(1);
    ASSERT_TRUE(wait_state("RUNNING")) << run.output();
    kill(first, SIGKILL);
    EXPECT_NE(worker_pid(2), first);
    ASSERT_TRUE(wait_state("RUNNING", 2)) << run.output();
    EXPECT_FALSE(run.matching("\"event\":\"worker-exited\".*\"signal\":9").empty());
    run.signal(SIGINT);
    EXPECT_EQ(exit_code(), 0) << run.output();
}

TEST_F(RunTest, AFrozenWorkerIsStalledAndStartedAgain) {
    auto& run = hawser({"run", "--json", description(kEndless, "    health: { stall: 1s }\n")});
    const pid_t first = worker_pid(1);
    ASSERT_TRUE(wait_state("RUNNING")) << run.output();
    kill(first, SIGSTOP);
    ASSERT_TRUE(wait_state("STALLED")) << run.output();
    ASSERT_TRUE(wait_state("RUNNING", 2)) << run.output();
    run.signal(SIGINT);
    EXPECT_EQ(exit_code(), 0) << run.output();
}

TEST_F(RunTest, APipelineThatStandsStillIsStalledAndStartedAgain) {
    // After 20 buffers the valve of this pipeline never opens again.
    auto& run =
        hawser({"run", "--json",
                description("fakesrc num-buffers=20 ! identity eos-after=100 sleep-time=10000 ! queue ! "
                            "concat name=c ! fakesink appsrc ! c.",
                            "    health: { stall: 1s }\n")});
    ASSERT_TRUE(wait_state("STALLED")) << run.output();
    EXPECT_TRUE(wait_state("RUNNING", 2)) << run.output();
    run.signal(SIGINT);
    (void)exit_code();
}

TEST_F(RunTest, CtrlCFinishesTheFile) {
    const std::string movie = dir_.path("movie.mp4");
    auto& run = hawser(
        {"run", "--json",
         description("videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=30/1 ! jpegenc "
                     "! qtmux ! filesink location=" +
                     movie)});
    ASSERT_TRUE(wait_state("RUNNING")) << run.output();
    run.signal(SIGINT);
    EXPECT_EQ(exit_code(), 0) << run.output();
    EXPECT_FALSE(run.matching("\"to\":\"COMPLETED\"").empty()) << run.output();
    EXPECT_FALSE(run.matching("\"event\":\"end\".*movie.mp4").empty()) << run.output();
    // Without its index, which is written last, nobody can read it.
    Process play(Process::gst_launch("filesrc location=" + movie + " ! qtdemux ! fakesink"));
    EXPECT_EQ(play.wait_exit(kBound), 0) << play.output();
}

TEST_F(RunTest, ASecondCtrlCEndsAtOnce) {
    // EOS waits behind a buffer that takes 20 s.
    auto& run = hawser({"run", "--json", description("fakesrc ! identity sleep-time=20000000 ! fakesink")});
    const pid_t pid = worker_pid(1);
    const Watched worker(pid);
    ASSERT_TRUE(run.wait_for_line("\"event\":\"progress\"", kBound)) << run.output();
    run.signal(SIGINT);
    ASSERT_TRUE(wait_state("DRAINING")) << run.output();
    run.signal(SIGINT);
    EXPECT_EQ(exit_code(), 130) << run.output();
    EXPECT_TRUE(worker.gone_within(Milliseconds(0)));
}

TEST_F(RunTest, DurationEndsItInOrder) {
    auto& run = hawser({"run", "--duration", "300ms", description(kEndless)});
    EXPECT_EQ(exit_code(), 0) << run.output();
}

TEST_F(RunTest, WorkersDieWithTheirSupervisor) {
    auto& run = hawser({"run", "--json", description(kEndless)});
    const Watched worker(worker_pid(1));
    ASSERT_TRUE(wait_state("RUNNING")) << run.output();
    run.signal(SIGKILL);
    EXPECT_TRUE(worker.gone_within(kBound));
}

TEST_F(RunTest, WhatAKilledRunHasLeftIsRemovedByTheNext) {
    const std::string tmp = dir_.path("tmp");
    std::filesystem::create_directory(tmp);
    const auto folders = [&tmp] {
        return std::distance(std::filesystem::directory_iterator(tmp), std::filesystem::directory_iterator());
    };
    auto& killed = hawser({"run", "--json", description(kEndless)}, {{"TMPDIR", tmp}});
    const Watched worker(worker_pid(1));
    ASSERT_TRUE(wait_state("RUNNING")) << killed.output();
    Process beside({HAWSER_PROGRAM, "run", file("b.launch", "videotestsrc num-buffers=3 ! fakesink")},
                   {{"TMPDIR", tmp}});
    EXPECT_EQ(beside.wait_exit(kBound), 0) << beside.output();
    EXPECT_EQ(folders(), 1) << "that of a run that lasts stays";
    killed.signal(SIGKILL);
    EXPECT_TRUE(worker.gone_within(kBound));
    ASSERT_TRUE(killed.wait_exit(kBound).has_value());
    EXPECT_EQ(folders(), 1);
    Process next({HAWSER_PROGRAM, "run", file("c.launch", "videotestsrc num-buffers=3 ! fakesink")},
                 {{"TMPDIR", tmp}});
    EXPECT_EQ(next.wait_exit(kBound), 0) << next.output();
    EXPECT_EQ(folders(), 0);
}

TEST_F(RunTest, AFrozenWorkerDoesNotHoldUpTheEnd) {
    auto& run = hawser({"run", "--json", description(kEndless, "    health: { stall: 60s }\n")});
    const pid_t pid = worker_pid(1);
    ASSERT_TRUE(wait_state("RUNNING")) << run.output();
    kill(pid, SIGSTOP);
    run.signal(SIGINT);
    EXPECT_EQ(exit_code(), 1) << run.output();
}

TEST_F(RunTest, EveryLineOfJsonIsAnObjectWithTimeAndEvent) {
    auto& run = hawser({"run", "--json", file("a.launch", "videotestsrc num-buffers=10 ! fakesink")});
    EXPECT_EQ(exit_code(), 0) << run.output();
    std::size_t objects = 0;
    for (const Line& line : run.lines()) {
        if (line.is_error) continue;
        google::protobuf::Struct object;
        ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(line.text, &object).ok()) << line.text;
        EXPECT_TRUE(object.fields().contains("time")) << line.text;
        EXPECT_TRUE(object.fields().contains("event")) << line.text;
        ++objects;
    }
    EXPECT_GT(objects, 5u);
    EXPECT_FALSE(run.matching("\"event\":\"end\",\"exit_code\":0").empty()) << run.output();
}

TEST_F(RunTest, ABrokenDescriptionIsReportedWholeAndNothingStarts) {
    const std::string broken = file("broken.yaml",
                                    "hawser: 1\n"
                                    "pipelines:\n"
                                    "  one: { launch: videotestsrcc ! fakesink }\n"
                                    "  two: { launch: videotestsrc patern=snow ! fakesink }\n"
                                    "links:\n"
                                    "  - { from: one, to: three }\n");
    auto& run = hawser({"run", broken});
    EXPECT_EQ(exit_code(), 2) << run.output();
    for (const char* wrong : {"videotestsrcc", "patern", "three"})
        EXPECT_FALSE(run.matching(std::string("broken.yaml:[0-9]+:[0-9]+.*") + wrong).empty())
            << wrong << "\n"
            << run.output();
    EXPECT_TRUE(run.matching("STARTING").empty());

    auto& check = hawser({"check", broken});
    EXPECT_EQ(exit_code(), 1) << check.output();
    EXPECT_GE(check.matching("error:").size(), 3u) << check.output();
    EXPECT_FALSE(check.matching("did you mean \"videotestsrc\"").empty()) << check.output();
}

TEST_F(RunTest, CheckSaysThatItIsFine) {
    auto& check = hawser({"check", description(kEndless)});
    EXPECT_EQ(exit_code(), 0) << check.output();
    EXPECT_FALSE(check.matching("graph.yaml: 1 pipeline, 0 links: fine").empty()) << check.output();
}

TEST_F(RunTest, AWrongCommandLineIsExitCode2) {
    for (const auto& arguments :
         std::vector<std::vector<std::string>>{{},
                                               {"fly"},
                                               {"run"},
                                               {"run", "--set", "x", "a.yaml"},
                                               {"run", "--duration", "soon", "a.yaml"},
                                               {"run", "nowhere.yaml"}}) {
        auto& run = hawser(arguments);
        EXPECT_EQ(exit_code(), 2) << run.output();
        EXPECT_FALSE(run.lines().empty());
    }
}

TEST_F(RunTest, AnErrorOnTheWayIsShownWithItsElement) {
    auto& run = hawser({"run", description("filesrc location=/nowhere/at/all ! fakesink",
                                           "    restart: { policy: never }\n")});
    EXPECT_EQ(exit_code(), 1) << run.output();
    EXPECT_FALSE(run.matching("error .*alone .*filesrc0: .*/nowhere/at/all").empty()) << run.output();
}

TEST_F(RunTest, GStreamersLogComesThroughOurs) {
    auto& run = hawser({"run", file("a.launch", "videotestsrc num-buffers=3 ! fakesink")},
                       {{"GST_DEBUG", "basesrc:5"}});
    EXPECT_EQ(exit_code(), 0) << run.output();
    EXPECT_FALSE(run.matching("debug .*a .*basesrc ").empty()) << run.output();
}

TEST_F(RunTest, ATerminalGetsStatusLines) {
    const std::string command = std::string(HAWSER_PROGRAM) + " run --duration 1s " + description(kEndless);
    process_ = std::make_unique<Process>(std::vector<std::string>{"script", "-qec", command, "/dev/null"},
                                         Process::Environment{{"TERM", "xterm"}, {"NO_COLOR", ""}}, false);
    EXPECT_EQ(exit_code(), 0) << process_->output();
    EXPECT_FALSE(process_->matching("\x1b\\[1malone\x1b\\[0m +\x1b\\[32mRUNNING").empty())
        << process_->output();
    EXPECT_FALSE(process_->matching("\x1b\\[1A").empty()) << "redrawn in place";
}

}  // namespace
}  // namespace hawser::test
