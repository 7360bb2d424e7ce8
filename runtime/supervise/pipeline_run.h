// One pipeline's life under the supervisor: its state, its present worker, the books of its past ones. Owned
// by Supervisor, which alone changes it; public to status displays through Supervisor::pipelines().
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hawser/graph.pb.h"
#include "runtime/base/clock.h"
#include "runtime/supervise/lifecycle.h"
#include "runtime/supervise/restart.h"
#include "runtime/supervise/worker_process.h"

namespace hawser::supervise {

// A worker process that is running or has run.
struct Life {
    std::string counters_file;
    bool in_order = false;
};

struct PipelineRun {
    const graph::Pipeline* spec = nullptr;
    std::size_t index = 0;
    std::vector<std::size_t> upstream, downstream;  // by links

    State state = State::Stopped;
    TimePoint state_since{};
    std::string reason;  // of the last change of state
    RestartTracker restarts;
    std::vector<Life> lives;
    bool failed_once = false;  // in a way that the exit code must tell: gave up, or failed while stopping
    bool was_running = false;

    // The present worker's.
    std::unique_ptr<WorkerProcess> worker;
    TimePoint started{}, heard{}, moved{};
    std::uint64_t objects = 0, bytes = 0, queued_bytes = 0;
    Duration position{};
    std::uint32_t clients = 0;
    std::map<std::string, std::string> link_states;  // end → nick
    std::set<std::string> link_was_up;               // ends that have been streaming
    std::string link_trouble;                        // why an end is not streaming now
    bool saw_eos = false;
    bool asked_to_stop = false, hurried = false;
    std::string last_error;  // what a fatal Problem said

    // Kept over restarts.
    std::uint32_t port = 0;    // of its sending end; 0 until it first reported it
    std::string last_exit;     // how its last worker ended
    bool cut_pending = false;  // the drill cut its link; the recovery from that has not been reported yet
    TimePoint rated{};         // when the rates were computed last
    double objects_rate = 0, bytes_rate = 0;  // a second, over the last progress reports

    // What is to happen at a time; unset: never.
    std::optional<TimePoint> retry_at, stop_at, term_at, kill_at;
    std::optional<TimePoint> impair_at;  // a link end is lost: DEGRADED, unless it comes back before
    std::optional<TimePoint> full_at;    // it has run for as long as its description wants

    bool alive() const { return worker != nullptr; }
    // It has ended and will not be started again.
    bool over() const {
        return state == State::Completed || state == State::Quarantined ||
               (state == State::Stopped && !alive());
    }
};

}  // namespace hawser::supervise
