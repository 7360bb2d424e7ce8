// `hawser` with pipelines that are linked, and what breaks between them.
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <memory>
#include <regex>

#include "tests/support/process.h"

namespace hawser::test {
namespace {

constexpr Milliseconds kBound{40'000};

class RunLinksTest : public testing::Test {
  protected:
    static std::string camera(int buffers, const std::string& more = "") {
        return "  camera:\n    launch: videotestsrc is-live=true num-buffers=" + std::to_string(buffers) +
               " ! video/x-raw,width=64,height=48,framerate=50/1 ! out.video\n" + more;
    }
    static std::string recorder(const std::string& name, const std::string& location,
                                const std::string& more = "") {
        return "  " + name + ":\n    launch: in.video ! filesink location=" + location + "\n" + more;
    }
    Process& hawser(const std::string& pipelines, const std::string& rest,
                    std::vector<std::string> options = {}) {
        const std::string path = dir_.path("graph.yaml");
        std::ofstream(path) << "hawser: 1\npipelines:\n" << pipelines << rest;
        std::vector<std::string> arguments{HAWSER_PROGRAM, "run", "--json", path};
        arguments.insert(arguments.end(), options.begin(), options.end());
        process_ = std::make_unique<Process>(std::move(arguments), Process::Environment{}, false);
        return *process_;
    }
    // The pid of the `nth` process of a pipeline.
    pid_t worker_pid(const std::string& pipeline, std::size_t nth = 1) {
        const auto line = process_->wait_for_nth_line(
            nth, "\"event\":\"worker-started\",\"pipeline\":\"" + pipeline + "\"", kBound);
        std::smatch match;
        if (!line || !std::regex_search(line->text, match, std::regex("\"pid\":([0-9]+)"))) return -1;
        return std::stoi(match[1]);
    }
    std::size_t starts(const std::string& pipeline) {
        return process_->matching("\"event\":\"worker-started\",\"pipeline\":\"" + pipeline + "\"").size();
    }
    bool wait_state(const std::string& pipeline, const std::string& state, std::size_t nth = 1) {
        return process_
            ->wait_for_nth_line(
                nth, "\"event\":\"state\",\"pipeline\":\"" + pipeline + "\".*\"to\":\"" + state + "\"",
                kBound)
            .has_value();
    }
    // Media goes over the link: a progress report of the receiver with objects in it.
    bool wait_flow(const std::string& pipeline) {
        return process_
            ->wait_for_line("\"event\":\"progress\",\"pipeline\":\"" + pipeline + "\".*\"objects\":[1-9]",
                            kBound)
            .has_value();
    }
    int exit_code() {
        const auto code = process_->wait_exit(kBound);
        EXPECT_TRUE(code.has_value()) << "it still runs\n" << process_->output();
        return code.value_or(-1000);
    }
    // A member of the `nth` books event of the link to `to`.
    long figure(const std::string& to, const std::string& member, std::size_t nth = 1) {
        const auto books = process_->matching("\"event\":\"books\",.*\"to\":\"" + to + "\"");
        std::smatch match;
        if (books.size() < nth ||
            !std::regex_search(books[nth - 1], match, std::regex("\"" + member + "\":(-?[0-9]+)"))) {
            ADD_FAILURE() << "no " << member << " in the " << nth << ". books of " << to << "\n"
                          << process_->output();
            return -1;
        }
        return std::stol(match[1]);
    }

    TempDir dir_;
    std::unique_ptr<Process> process_;
};

const std::string kLink = "links:\n  - { from: camera, to: recorder, mode: lossless, resume: 30s }\n";

TEST_F(RunLinksTest, TheDrillCutsTwiceAndKillsOnceAndTheBooksBalance) {
    auto& run = hawser(camera(150) + recorder("recorder", dir_.path("out.raw")),
                       kLink +
                           "drill:\n"
                           "  - { at: 500ms, cut: recorder }\n"
                           "  - { at: 1s, cut: recorder }\n"
                           "  - { at: 1500ms, kill: camera }\n",
                       {"--drill"});
    EXPECT_EQ(exit_code(), 0) << run.output();
    EXPECT_EQ(starts("camera"), 2u);
    EXPECT_EQ(starts("recorder"), 1u) << "it goes on in place";
    EXPECT_EQ(run.matching("\"event\":\"fault\"").size(), 3u);
    EXPECT_EQ(run.matching("\"event\":\"recovered\".*\"cause\":\"connection cut by the drill\"").size(), 2u)
        << run.output();
    EXPECT_EQ(
        run.matching("\"event\":\"recovered\".*\"new_epoch\":true.*camera was killed by SIGKILL").size(), 1u);

    ASSERT_EQ(run.matching("\"event\":\"books\"").size(), 2u) << run.output();
    EXPECT_EQ(figure("recorder", "sent", 1),
              figure("recorder", "received", 1) + figure("recorder", "lost_with_sender", 1));
    EXPECT_EQ(figure("recorder", "lost", 1), 0);
    EXPECT_EQ(figure("recorder", "sent", 2), 150);
    // A live sender does not wait for its receiver.
    EXPECT_EQ(figure("recorder", "received", 2) + figure("recorder", "before_joining", 2), 150);
    EXPECT_FALSE(
        run.matching("\"event\":\"end\",\"exit_code\":0,\"balanced\":true,.*\"faults_done\":3").empty());
}

TEST_F(RunLinksTest, CtrlCBringsEverythingThatWasSentAcross) {
    auto& run = hawser(camera(100'000) + recorder("recorder", dir_.path("out.raw")), kLink);
    ASSERT_TRUE(wait_flow("recorder")) << run.output();
    run.signal(SIGINT);
    EXPECT_EQ(exit_code(), 0) << run.output();
    EXPECT_GT(figure("recorder", "sent"), 0);
    EXPECT_EQ(figure("recorder", "sent"),
              figure("recorder", "received") + figure("recorder", "before_joining"));
    EXPECT_TRUE(wait_state("camera", "COMPLETED")) << run.output();
    EXPECT_TRUE(wait_state("recorder", "COMPLETED")) << run.output();
}

TEST_F(RunLinksTest, AKilledReceiverComesBackAndTheSenderGoesOn) {
    auto& run = hawser(camera(100'000) + recorder("recorder", dir_.path("out.raw")), kLink);
    ASSERT_TRUE(wait_flow("recorder")) << run.output();
    kill(worker_pid("recorder"), SIGKILL);
    EXPECT_GT(worker_pid("recorder", 2), 0);
    ASSERT_TRUE(wait_state("recorder", "RUNNING", 2)) << run.output();
    run.signal(SIGINT);
    EXPECT_EQ(exit_code(), 0) << run.output();
    EXPECT_EQ(starts("camera"), 1u);
}

TEST_F(RunLinksTest, AFrozenSenderIsStartedAgainAndTheReceiverGoesOnInPlace) {
    auto& run = hawser(camera(100'000, "    health: { stall: 1s }\n") +
                           recorder("recorder", dir_.path("out.raw"), "    health: { stall: 1s }\n"),
                       kLink);
    ASSERT_TRUE(wait_flow("recorder")) << run.output();
    kill(worker_pid("camera"), SIGSTOP);
    ASSERT_TRUE(wait_state("camera", "STALLED")) << run.output();
    ASSERT_TRUE(wait_state("camera", "RUNNING", 2)) << run.output();
    ASSERT_TRUE(run.wait_for_line("\"event\":\"recovered\".*\"new_epoch\":true", kBound)) << run.output();
    run.signal(SIGINT);
    EXPECT_EQ(exit_code(), 0) << run.output();
    EXPECT_EQ(starts("recorder"), 1u);
}

TEST_F(RunLinksTest, AFrozenReceiverIsStartedAgainAndTheSenderIsNotBlamed) {
    auto& run = hawser(camera(100'000, "    health: { stall: 1s }\n") +
                           recorder("recorder", dir_.path("out.raw"), "    health: { stall: 1s }\n"),
                       kLink);
    ASSERT_TRUE(wait_flow("recorder")) << run.output();
    kill(worker_pid("recorder"), SIGSTOP);
    ASSERT_TRUE(wait_state("recorder", "STALLED")) << run.output();
    ASSERT_TRUE(wait_state("recorder", "RUNNING", 2)) << run.output();
    run.signal(SIGINT);
    EXPECT_EQ(exit_code(), 0) << run.output();
    EXPECT_EQ(starts("camera"), 1u);
}

TEST_F(RunLinksTest, TwoReceiversOfOneSenderBothGetAll) {
    auto& run = hawser(
        camera(100) + recorder("left", dir_.path("left.raw")) + recorder("right", dir_.path("right.raw")),
        "links:\n"
        "  - { from: camera, to: left, mode: live }\n"
        "  - { from: camera, to: right, mode: live }\n");
    EXPECT_EQ(exit_code(), 0) << run.output();
    for (const char* to : {"left", "right"})
        EXPECT_EQ(figure(to, "sent"), figure(to, "received") + figure(to, "before_joining")) << run.output();
}

TEST_F(RunLinksTest, ARelayPassesOnWhatItReceives) {
    auto& run = hawser(camera(100) + "  relay:\n    launch: in.video ! out.video\n" +
                           recorder("recorder", dir_.path("out.raw")),
                       "links:\n"
                       "  - { from: camera, to: relay }\n"
                       "  - { from: relay, to: recorder }\n");
    EXPECT_EQ(exit_code(), 0) << run.output();
    EXPECT_EQ(figure("relay", "received") + figure("relay", "before_joining"), 100);
    EXPECT_EQ(figure("recorder", "sent"), figure("relay", "received"));
    EXPECT_EQ(figure("recorder", "received") + figure("recorder", "before_joining"),
              figure("recorder", "sent"));
}

// A source that fails sends EOS behind its error; that must not be the end of the recording.
TEST_F(RunLinksTest, ASenderThatFailsIsWaitedForUntilItIsGivenUp) {
    auto& run = hawser(
        "  camera:\n"
        "    launch: videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=50/1 ! "
        "identity error-after=50 ! out.video\n"
        "    restart: { policy: on-failure, intensity: 2/60s }\n" +
            recorder("recorder", dir_.path("out.raw")),
        kLink);
    EXPECT_EQ(exit_code(), 1) << run.output();
    EXPECT_EQ(starts("camera"), 3u);
    EXPECT_EQ(starts("recorder"), 1u);
    EXPECT_TRUE(wait_state("camera", "QUARANTINED"));
    EXPECT_TRUE(wait_state("recorder", "COMPLETED")) << "its file is finished" << run.output();
    EXPECT_EQ(run.matching("\"event\":\"books\",.*\"balances\":true").size(), 3u) << run.output();
}

}  // namespace
}  // namespace hawser::test
