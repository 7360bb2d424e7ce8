// Runs a graph: starts a worker process a pipeline, watches that media flows, starts again what dies, stops
// in order.
//
// Decides only; processes are behind ProcessLauncher, time behind Clock, and whoever owns the event loop
// calls tick() when next_due() has come or anything else happened. So every rule here is tested without a
// process or a sleep. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hawser/graph.pb.h"
#include "runtime/base/clock.h"
#include "runtime/base/random.h"
#include "runtime/supervise/books.h"
#include "runtime/supervise/drill.h"
#include "runtime/supervise/launch_plan.h"
#include "runtime/supervise/pipeline_run.h"
#include "runtime/supervise/run_event.h"
#include "runtime/supervise/worker_process.h"

namespace hawser::supervise {

struct SupervisorOptions {
    LaunchOptions launch;
    std::string counters_dir;  // exists; the workers' counters files go here
    bool drill = false;        // carry out the graph's faults
};

class Supervisor {
  public:
    // All references must outlive it; `graph` was checked.
    Supervisor(const graph::Graph& graph, SupervisorOptions options, const Clock& clock, Random& random,
               ProcessLauncher& launcher, Observer& observer);
    ~Supervisor();

    void start();
    // EOS through every pipeline, senders first, then bounded: TERM, KILL. Called again it does nothing.
    void stop(const std::string& reason);
    // SIGKILL to all, now.
    void abort();

    void tick();
    TimePoint next_due() const;

    bool stopping() const { return stopping_; }
    bool finished() const;  // nothing runs and nothing will be started
    // No pipeline was given up and all that was begun was ended in order. Books are separate, and so are
    // faults of the drill that came too late.
    bool succeeded() const { return failures().empty(); }
    // What stands against that, a sentence each: "recorder was given up: …".
    std::vector<std::string> failures() const;

    std::vector<const PipelineRun*> pipelines() const;  // in the graph's order; valid as long as this
    const Drill& drill() const { return drill_; }
    // Which of the drill's faults came too late; nothing while the run lasts.
    std::optional<DrillUnfinished> drill_unfinished() const;
    std::vector<LinkBooks> books() const;  // of every link; complete once finished()

  private:
    class Run;  // a PipelineRun that hears its worker

    void set(Run& run, Trigger trigger, const std::string& reason);
    void launch(Run& run);
    void settle();
    void conclude();
    bool settle_once();
    void watch_health();
    bool carry_out(const graph::Fault& fault);
    void fail(Run& run, const std::string& reason);
    void ask_to_stop(Run& run);
    void send_stop(Run& run, Duration drain);
    void note_progress(Run& run, const hawser::control::Progress& progress);
    void note_link(Run& run, const hawser::control::LinkState& link);
    static std::string link_trouble(const Run& run);
    std::string recovery_cause(const Run& run, bool new_epoch) const;
    bool all_over(const std::vector<std::size_t>& of) const;
    void say(Note::Level level, const Run& run, const std::string& text);
    void handle(Run& run, const hawser::control::Report& report);
    void handle_exit(Run& run, const ExitStatus& status);
    std::vector<Incarnation> incarnations(const PipelineRun& run) const;

    const graph::Graph& graph_;
    const SupervisorOptions options_;
    const Clock& clock_;
    Random& random_;
    ProcessLauncher& launcher_;
    Observer& observer_;
    std::vector<std::unique_ptr<Run>> runs_;
    Drill drill_;
    TimePoint health_due_{};
    std::optional<TimePoint> ticked_;
    bool stopping_ = false;
    bool aborted_ = false;
    bool concluded_ = false;
};

}  // namespace hawser::supervise
