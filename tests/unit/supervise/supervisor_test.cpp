#include "runtime/supervise/supervisor.h"

#include <gtest/gtest.h>

#include <csignal>
#include <map>

#include "runtime/base/random.h"

namespace hawser::supervise {
namespace {

using namespace std::chrono_literals;
using hawser::control::Command;
using hawser::control::Report;

// A worker without a process: remembers what it was told; the test speaks for it.
class FakeWorker final : public WorkerProcess {
  public:
    FakeWorker(LaunchSpec spec, WorkerListener& listener, pid_t pid)
        : spec_(std::move(spec)), listener_(listener), pid_(pid) {}
    pid_t pid() const override { return pid_; }
    void send(const Command& command) override { commands.push_back(command); }
    void signal(int number) override { signals.push_back(number); }

    const std::string& name() const { return spec_.setup.pipeline(); }
    std::string uri(int end = 0) const { return spec_.setup.ends(end).uri(); }

    LaunchSpec spec_;
    WorkerListener& listener_;
    const pid_t pid_;
    std::vector<Command> commands;
    std::vector<int> signals;
};

class FakeLauncher final : public ProcessLauncher {
  public:
    Result<std::unique_ptr<WorkerProcess>> launch(const LaunchSpec& spec, WorkerListener& listener) override {
        auto worker = std::make_unique<FakeWorker>(spec, listener, ++launched);
        running[spec.setup.pipeline()] = worker.get();
        return std::unique_ptr<WorkerProcess>(std::move(worker));
    }
    std::map<std::string, FakeWorker*> running;
    int launched = 0;
};

struct Story final : Observer {
    void on_event(const RunEvent& event) override {
        if (const auto* state = std::get_if<StateChanged>(&event)) states.push_back(*state);
        if (const auto* recovery = std::get_if<RecoverySeen>(&event)) recoveries.push_back(*recovery);
        if (const auto* fault = std::get_if<FaultDone>(&event)) faults.push_back(*fault);
        if (const auto* line = std::get_if<WorkerLine>(&event)) lines.push_back(*line);
        if (const auto* drill = std::get_if<DrillUnfinished>(&event)) unfinished.push_back(to_string(*drill));
    }
    std::vector<StateChanged> states;
    std::vector<RecoverySeen> recoveries;
    std::vector<FaultDone> faults;
    std::vector<WorkerLine> lines;
    std::vector<std::string> unfinished;
};

class SupervisorTest : public testing::Test {
  protected:
    graph::Pipeline& pipeline(const std::string& name) {
        auto* p = graph_.add_pipelines();
        p->set_name(name);
        p->mutable_restart()->set_policy(graph::RestartPolicy::ON_FAILURE);
        p->mutable_restart()->set_backoff_min_ms(250);
        p->mutable_restart()->set_intensity_count(3);
        p->mutable_health()->set_stall_ms(2000);
        p->mutable_health()->set_start_ms(10'000);
        return *p;
    }
    void link(const std::string& from, const std::string& to) {
        auto* l = graph_.add_links();
        l->set_from(from);
        l->set_to(to);
    }
    void fault(graph::Fault::Kind kind, std::uint64_t at_ms, const std::string& name) {
        auto* f = graph_.add_drill();
        f->set_kind(kind);
        f->set_at_ms(at_ms);
        f->set_pipeline(name);
    }
    void start(bool drill = false) {
        SupervisorOptions options;
        options.drill = drill;
        supervisor_ = std::make_unique<Supervisor>(graph_, options, clock_, random_, launcher_, story_);
        supervisor_->start();
    }
    void camera_and_recorder() {
        pipeline("camera");
        pipeline("recorder");
        link("camera", "recorder");
    }
    void start_both(bool drill = false) {
        camera_and_recorder();
        start(drill);
        ready("camera", 4000);
        ready("recorder");
        progress("camera", 1);
        progress("recorder", 1);
        link_state("recorder", "in", "streaming");
        link_state("camera", "out", "streaming");
    }

    FakeWorker& worker(const std::string& name) { return *launcher_.running.at(name); }
    void report(const std::string& name, const Report& what) { worker(name).listener_.on_report(what); }
    void ready(const std::string& name, std::uint32_t port = 0) {
        Report what;
        auto* r = what.mutable_ready();
        if (port) {
            auto* p = r->add_ports();
            p->set_element("out");
            p->set_port(port);
        }
        report(name, what);
    }
    void progress(const std::string& name, std::uint64_t objects, std::uint32_t clients = 1) {
        Report what;
        what.mutable_progress()->set_objects(objects);
        what.mutable_progress()->set_clients(clients);
        report(name, what);
    }
    void link_state(const std::string& name, const std::string& end, const std::string& state) {
        Report what;
        what.mutable_link()->set_element(end);
        what.mutable_link()->set_state(state);
        report(name, what);
    }
    void exits(const std::string& name, ExitStatus status, bool eos = false) {
        if (eos) {
            Report what;
            what.mutable_ended()->set_eos(true);
            report(name, what);
        }
        WorkerListener& listener = worker(name).listener_;
        launcher_.running.erase(name);
        listener.on_exit(status);
    }
    void pass(Duration time) {
        const TimePoint end = clock_.now() + time;
        while (clock_.now() < end) {
            clock_.advance(50ms);
            supervisor_->tick();
        }
    }
    State state(const std::string& name) const {
        for (const auto* run : supervisor_->pipelines())
            if (run->spec->name() == name) return run->state;
        return State::Count_;
    }
    bool runs(const std::string& name) const { return launcher_.running.contains(name); }

    static constexpr ExitStatus kOk{false, 0}, kError{false, 1}, kKilled{true, SIGKILL};

    graph::Graph graph_;
    ManualClock clock_;
    SeededRandom random_{3};
    FakeLauncher launcher_;
    Story story_;
    std::unique_ptr<Supervisor> supervisor_;
};

TEST_F(SupervisorTest, RunningMeansThatBuffersReachThePorts) {
    pipeline("alone");
    start();
    EXPECT_EQ(state("alone"), State::Starting);
    ready("alone");
    progress("alone", 0);
    EXPECT_EQ(state("alone"), State::Starting);
    progress("alone", 1);
    EXPECT_EQ(state("alone"), State::Running);
    exits("alone", kOk, true);
    EXPECT_EQ(state("alone"), State::Completed);
    EXPECT_TRUE(supervisor_->finished());
    EXPECT_TRUE(supervisor_->succeeded());
}

TEST_F(SupervisorTest, AReceiverStartsWhenItsSenderHasAPort) {
    camera_and_recorder();
    start();
    EXPECT_TRUE(runs("camera"));
    EXPECT_EQ(state("recorder"), State::Waiting);
    ready("camera", 4000);
    EXPECT_TRUE(runs("recorder"));
    EXPECT_EQ(worker("recorder").uri(), "hawser://127.0.0.1:4000/camera?mode=caller");
}

TEST_F(SupervisorTest, AKilledSenderComesBackOnItsPortAndTheReceiverGoesOnInPlace) {
    start_both();
    const pid_t recorder = worker("recorder").pid();
    exits("camera", kKilled);
    EXPECT_EQ(state("camera"), State::Backoff);
    link_state("recorder", "in", "backoff");
    pass(300ms);
    EXPECT_EQ(state("recorder"), State::Degraded);
    EXPECT_EQ(state("camera"), State::Starting);
    EXPECT_EQ(worker("camera").uri(), "hawser://127.0.0.1:4000/camera?mode=listener");
    EXPECT_NE(worker("camera").spec_.counters_file, worker("recorder").spec_.counters_file);
    link_state("recorder", "in", "streaming");
    EXPECT_EQ(state("recorder"), State::Running);
    EXPECT_EQ(worker("recorder").pid(), recorder);

    Report recovered;
    recovered.mutable_recovered()->set_new_epoch(true);
    report("recorder", recovered);
    ASSERT_EQ(story_.recoveries.size(), 1u);
    EXPECT_EQ(story_.recoveries[0].cause, "camera was killed by SIGKILL");
}

TEST_F(SupervisorTest, ALinkThatComesBackAtOnceIsNoChangeOfState) {
    start_both();
    link_state("recorder", "in", "backoff");
    pass(100ms);
    link_state("recorder", "in", "streaming");
    pass(500ms);
    for (const auto& change : story_.states) EXPECT_NE(change.to, State::Degraded);
}

TEST_F(SupervisorTest, APipelineWithATimeOfItsOwnIsCompletedAfterIt) {
    pipeline("alone").set_stop_ms(1000);
    start();
    pass(500ms);
    progress("alone", 1);
    pass(900ms);
    EXPECT_EQ(state("alone"), State::Running);
    pass(200ms);
    EXPECT_EQ(state("alone"), State::Draining);
    ASSERT_EQ(worker("alone").commands.size(), 1u);
    exits("alone", kOk, true);
    EXPECT_EQ(state("alone"), State::Completed);
    EXPECT_TRUE(supervisor_->succeeded());
}

TEST_F(SupervisorTest, FailingTooOftenIsQuarantineAndStopsWhoLivesOnIt) {
    start_both();
    for (int i = 0; i < 3; ++i) {
        exits("camera", kError);
        ASSERT_EQ(state("camera"), State::Backoff) << i;
        while (!runs("camera")) pass(50ms);
    }
    exits("camera", kError);
    EXPECT_EQ(state("camera"), State::Quarantined);
    pass(4s);
    ASSERT_EQ(worker("recorder").commands.size(), 1u);
    EXPECT_TRUE(worker("recorder").commands[0].has_stop());
    exits("recorder", kOk, true);
    EXPECT_TRUE(supervisor_->finished());
    EXPECT_FALSE(supervisor_->succeeded());
    ASSERT_EQ(supervisor_->failures().size(), 1u);
    EXPECT_TRUE(supervisor_->failures()[0].starts_with("camera was given up: "))
        << supervisor_->failures()[0];
}

TEST_F(SupervisorTest, ABadSetupIsNotTriedAgain) {
    pipeline("alone");
    start();
    exits("alone", {false, 2});
    EXPECT_EQ(state("alone"), State::Quarantined);
    EXPECT_EQ(launcher_.launched, 1);
}

TEST_F(SupervisorTest, TheOrdinaryEndIsTheSendersThenTheReceivers) {
    start_both();
    exits("camera", kOk, true);
    EXPECT_EQ(state("camera"), State::Completed);
    EXPECT_FALSE(supervisor_->finished());
    exits("recorder", kOk, true);
    EXPECT_TRUE(supervisor_->finished());
    EXPECT_TRUE(supervisor_->succeeded());
    EXPECT_EQ(launcher_.launched, 2);
}

TEST_F(SupervisorTest, StopAsksTheSenderFirstAndBoundsTheRest) {
    start_both();
    supervisor_->stop("");
    ASSERT_EQ(worker("camera").commands.size(), 1u);
    EXPECT_TRUE(worker("camera").commands[0].has_stop());
    EXPECT_TRUE(worker("recorder").commands.empty()) << "EOS comes to it by the link";
    EXPECT_EQ(state("recorder"), State::Draining);
    pass(1s);
    exits("camera", kOk, true);
    pass(1s);
    EXPECT_TRUE(worker("recorder").commands.empty());
    exits("recorder", kOk, true);
    EXPECT_TRUE(supervisor_->finished());
    EXPECT_TRUE(supervisor_->succeeded());
}

TEST_F(SupervisorTest, ASenderWhoseReceiversHaveEndedNeedNotWaitForThem) {
    start_both();
    supervisor_->stop("");
    exits("recorder", kOk, true);
    ASSERT_EQ(worker("camera").commands.size(), 2u);
    EXPECT_LT(worker("camera").commands[1].stop().drain_ms(), worker("camera").commands[0].stop().drain_ms());
    exits("camera", kOk);
    EXPECT_EQ(state("camera"), State::Stopped);
    EXPECT_TRUE(supervisor_->succeeded());
}

TEST_F(SupervisorTest, WhoDoesNotStopIsTerminatedThenKilled) {
    pipeline("alone");
    start();
    progress("alone", 1);
    supervisor_->stop("");
    pass(5900ms);
    EXPECT_TRUE(worker("alone").signals.empty());
    pass(200ms);
    EXPECT_EQ(worker("alone").signals, std::vector<int>{SIGTERM});
    pass(2s);
    EXPECT_EQ(worker("alone").signals, (std::vector<int>{SIGTERM, SIGKILL}));
    exits("alone", kKilled);
    EXPECT_EQ(state("alone"), State::Stopped);
    EXPECT_TRUE(supervisor_->finished());
    EXPECT_FALSE(supervisor_->succeeded());
}

TEST_F(SupervisorTest, StopDuringBackoffEndsAtOnce) {
    pipeline("alone");
    start();
    exits("alone", kError);
    supervisor_->stop("");
    EXPECT_TRUE(supervisor_->finished());
    pass(10s);
    EXPECT_EQ(launcher_.launched, 1);
}

TEST_F(SupervisorTest, AStalledPipelineIsStartedAgain) {
    pipeline("alone");
    start();
    for (int i = 1; i <= 5; ++i) {
        progress("alone", static_cast<std::uint64_t>(i));
        pass(500ms);
    }
    EXPECT_EQ(state("alone"), State::Running);
    for (int i = 0; i < 5 && state("alone") == State::Running; ++i) {
        pass(500ms);
        progress("alone", 5);
    }
    EXPECT_EQ(state("alone"), State::Stalled);
    ASSERT_EQ(worker("alone").commands.size(), 1u) << "it still reports, so it may save its files";
    EXPECT_TRUE(worker("alone").commands[0].stop().restart());
    exits("alone", kOk);
    EXPECT_EQ(state("alone"), State::Backoff);
    pass(300ms);
    EXPECT_TRUE(runs("alone"));
}

TEST_F(SupervisorTest, AFrozenProcessIsKilled) {
    pipeline("alone");
    start();
    progress("alone", 1);
    pass(3s);
    EXPECT_EQ(state("alone"), State::Stalled);
    EXPECT_EQ(worker("alone").signals, std::vector<int>{SIGKILL});
}

TEST_F(SupervisorTest, AFrozenSenderIsStartedAgainItsReceiverIsNot) {
    start_both();
    for (int i = 0; i < 8; ++i) {
        pass(500ms);
        progress("recorder", 1);
    }
    EXPECT_EQ(state("camera"), State::Stalled);
    EXPECT_EQ(state("recorder"), State::Running);
    EXPECT_TRUE(worker("recorder").signals.empty());
}

TEST_F(SupervisorTest, TheDrillBeginsWhenAllRunAndIsCarriedOutInOrder) {
    fault(graph::Fault::KILL, 3000, "camera");
    fault(graph::Fault::CUT, 1000, "recorder");
    camera_and_recorder();
    start(true);
    ready("camera", 4000);
    ready("recorder");
    progress("camera", 1);
    pass(1s);
    EXPECT_TRUE(story_.faults.empty());
    progress("recorder", 1);
    link_state("recorder", "in", "streaming");
    const auto alive = [&](int halves) {
        for (static std::uint64_t objects = 2; halves > 0; --halves, ++objects) {
            pass(500ms);
            if (runs("camera")) progress("camera", objects);
            progress("recorder", objects);
        }
    };
    alive(3);
    ASSERT_EQ(story_.faults.size(), 1u);
    ASSERT_EQ(worker("recorder").commands.size(), 1u);
    EXPECT_EQ(worker("recorder").commands[0].cut().element(), "in");

    Report recovered;
    recovered.mutable_recovered()->set_replayed(5);
    report("recorder", recovered);
    EXPECT_EQ(story_.recoveries.at(0).cause, "connection cut by the drill");

    alive(4);
    EXPECT_EQ(worker("camera").signals, std::vector<int>{SIGKILL});
    EXPECT_TRUE(supervisor_->drill().complete());
}

TEST_F(SupervisorTest, AFaultWaitsUntilItCanBeDoneAndIsMissedWhereItNeverCan) {
    fault(graph::Fault::CUT, 0, "recorder");
    camera_and_recorder();
    start(true);
    ready("camera", 4000);
    progress("camera", 1);
    progress("recorder", 1);
    pass(500ms);
    EXPECT_TRUE(story_.faults.empty()) << "its link is not streaming yet";
    exits("camera", kOk, true);
    exits("recorder", kOk, true);
    pass(500ms);
    EXPECT_TRUE(supervisor_->finished());
    EXPECT_TRUE(supervisor_->succeeded()) << "a short clip is no failure";
    EXPECT_EQ(story_.unfinished,
              std::vector<std::string>{"1 of 1 fault of the drill was not done: the graph ended before"});
}

TEST_F(SupervisorTest, AReceiverWhoseSenderCameBackHasItsTimeToStallAnew) {
    start_both();
    link_state("recorder", "in", "backoff");
    pass(1900ms);
    link_state("recorder", "in", "streaming");
    for (int i = 0; i < 6; ++i) {
        pass(300ms);
        progress("camera", 10 + static_cast<std::uint64_t>(i));
        progress("recorder", 1);
        ASSERT_NE(state("recorder"), State::Stalled) << i;
    }
    EXPECT_TRUE(runs("recorder"));
}

TEST_F(SupervisorTest, NobodyIsBlamedForTheTimeInWhichTheSupervisorItselfStood) {
    start_both();
    clock_.advance(8s);
    supervisor_->tick();
    EXPECT_EQ(state("camera"), State::Running);
    EXPECT_EQ(state("recorder"), State::Running);
    EXPECT_TRUE(worker("camera").signals.empty());
}

TEST_F(SupervisorTest, WhatFailedAndWasNotStartedAgainBeforeTheStopIsAFailure) {
    start_both();
    exits("recorder", kKilled);
    ASSERT_EQ(state("recorder"), State::Backoff);
    supervisor_->stop("");
    exits("camera", kOk, true);
    ASSERT_TRUE(supervisor_->finished());
    ASSERT_EQ(supervisor_->failures().size(), 1u);
    EXPECT_TRUE(supervisor_->failures()[0].starts_with("recorder did not end in order"));
}

TEST_F(SupervisorTest, FaultsThatComeTooLateAreToldOnceAndAreNoFailure) {
    fault(graph::Fault::CUT, 1000, "recorder");
    fault(graph::Fault::CUT, 60'000, "recorder");
    fault(graph::Fault::KILL, 90'000, "camera");
    start_both(true);
    pass(1500ms);
    EXPECT_EQ(story_.faults.size(), 1u);
    EXPECT_FALSE(supervisor_->drill_unfinished());
    exits("camera", kOk, true);
    exits("recorder", kOk, true);
    pass(500ms);
    ASSERT_TRUE(supervisor_->finished());
    EXPECT_TRUE(supervisor_->succeeded());
    EXPECT_EQ(story_.unfinished,
              std::vector<std::string>{"2 of 3 faults of the drill were not done: the graph ended before"});
}

TEST_F(SupervisorTest, ADrillThatWasDoneOrNotAskedForIsNotUnfinished) {
    fault(graph::Fault::CUT, 1000, "recorder");
    start_both(false);
    exits("camera", kOk, true);
    exits("recorder", kOk, true);
    pass(500ms);
    ASSERT_TRUE(supervisor_->finished());
    EXPECT_TRUE(story_.unfinished.empty());
    EXPECT_TRUE(supervisor_->failures().empty());
}

TEST_F(SupervisorTest, WorkersLinesCarryTheirLevel) {
    pipeline("alone");
    start();
    worker("alone").listener_.on_output("[warning] something");
    worker("alone").listener_.on_output("[vp8 @ 0x1] something");
    worker("alone").listener_.on_output("plain");
    ASSERT_EQ(story_.lines.size(), 3u);
    EXPECT_EQ(story_.lines[0].level, "warning");
    EXPECT_EQ(story_.lines[0].text, "something");
    EXPECT_EQ(story_.lines[1].level, "");
    EXPECT_EQ(story_.lines[2].text, "plain");
}

}  // namespace
}  // namespace hawser::supervise
