// Supervisor: what the workers say.
#include <utility>

#include "runtime/supervise/supervisor_run.h"

namespace hawser::supervise {
namespace {

using namespace std::chrono_literals;

// A link that comes back sooner is not worth a change of state; the recovery is reported all the same. It
// also covers the moment between a receiver's orderly end and the news of its process's.
constexpr Duration kBriefLoss = 200ms;

}  // namespace

void Supervisor::handle(Run& run, const hawser::control::Report& report) {
    run.heard = clock_.now();
    const std::string& name = run.spec->name();
    switch (report.report_case()) {
        case hawser::control::Report::kReady:
            for (const auto& port : report.ready().ports())
                if (port.element() == "out") run.port = port.port();
            settle();
            break;
        case hawser::control::Report::kProgress:
            note_progress(run, report.progress());
            break;
        case hawser::control::Report::kLink:
            note_link(run, report.link());
            break;
        case hawser::control::Report::kProblem: {
            const auto& problem = report.problem();
            if (problem.fatal()) {
                run.last_error = problem.text();
                if (run.last_error.ends_with('.'))
                    run.last_error.pop_back();  // it becomes part of a sentence
            }
            observer_.on_event(
                ProblemSeen{name, problem.fatal(), problem.element(), problem.text(), problem.debug()});
            break;
        }
        case hawser::control::Report::kRecovered: {
            const auto& r = report.recovered();
            observer_.on_event(RecoverySeen{name, r.new_epoch(), r.epoch(), Duration(r.downtime_ns()),
                                            r.replayed(), r.lost(), recovery_cause(run, r.new_epoch())});
            if (!r.new_epoch()) run.cut_pending = false;
            break;
        }
        case hawser::control::Report::kLoss: {
            const auto& loss = report.loss();
            observer_.on_event(LossSeen{name, loss.track(), loss.lost(), loss.reason()});
            break;
        }
        case hawser::control::Report::kEnded:
            run.saw_eos |= report.ended().eos();
            break;
        case hawser::control::Report::kState:
        case hawser::control::Report::REPORT_NOT_SET:
            break;
    }
}

void Supervisor::note_progress(Run& run, const hawser::control::Progress& progress) {
    const TimePoint now = clock_.now();
    if (const std::chrono::duration<double> since = now - run.rated; since.count() > 0.2) {
        const auto rate = [&](std::uint64_t before, std::uint64_t after) {
            return after > before ? static_cast<double>(after - before) / since.count() : 0.0;
        };
        run.objects_rate = rate(run.objects, progress.objects());
        run.bytes_rate = rate(run.bytes, progress.bytes());
        run.rated = now;
    }
    if (progress.objects() > run.objects) run.moved = now;
    run.objects = progress.objects();
    run.bytes = progress.bytes();
    run.clients = progress.clients();
    run.queued_bytes = progress.queued_bytes();
    run.position = Duration(progress.position_ns());
    if (run.objects == 0 || run.state != State::Starting) return;

    set(run, Trigger::Flow, "");
    if (run.spec->stop_ms() != 0) run.full_at = now + std::chrono::milliseconds(run.spec->stop_ms());
    if (drill_.planned() == 0 || drill_.begun()) return;
    for (const auto& each : runs_)
        if (!each->was_running) return;
    drill_.begin(now);
}

void Supervisor::note_link(Run& run, const hawser::control::LinkState& link) {
    const std::string& state = link.state();
    run.link_states[link.element()] = state;
    if (state == "streaming") {
        run.link_was_up.insert(link.element());
        run.moved = clock_.now();  // it had nothing to move before: its time to stall begins now
    }
    if (state != "streaming" && !link.reason().empty()) run.link_trouble = link.reason();
    observer_.on_event(LinkChanged{run.spec->name(), link.element(), state, link.reason()});

    if (link_trouble(run).empty()) {
        run.impair_at.reset();
        set(run, Trigger::Heal, "");
    } else if (run.state == State::Running && !run.impair_at) {
        run.impair_at = clock_.now() + kBriefLoss;
    }
}

// Which end that had been streaming is not any more, and why; empty where all is well.
std::string Supervisor::link_trouble(const Run& run) {
    std::string trouble;
    for (const auto& [end, state] : run.link_states) {
        const bool fine = state == "streaming" || state == "ended" || state == "idle";
        if (fine || !run.link_was_up.contains(end)) continue;
        trouble = end == "in" ? "has lost its sender" : "has lost its receiver";
        if (!run.link_trouble.empty()) trouble += ": " + run.link_trouble;
    }
    return trouble;
}

std::string Supervisor::recovery_cause(const Run& run, bool new_epoch) const {
    if (new_epoch && !run.upstream.empty()) {
        const Run& sender = *runs_[run.upstream.front()];
        if (!sender.last_exit.empty()) return sender.spec->name() + " " + sender.last_exit;
    }
    if (run.cut_pending) return "connection cut by the drill";
    return run.link_trouble.empty() ? "connection lost" : run.link_trouble;
}

void Supervisor::handle_exit(Run& run, const ExitStatus& status) {
    const pid_t pid = run.worker->pid();
    run.worker.reset();
    run.lives.back().in_order = status.in_order() && run.state != State::Stalled;
    run.last_exit = status.text();
    run.term_at.reset();
    run.kill_at.reset();
    run.stop_at.reset();
    run.impair_at.reset();
    run.full_at.reset();
    run.objects_rate = run.bytes_rate = 0;
    run.queued_bytes = 0;
    run.clients = 0;
    observer_.on_event(WorkerExited{run.spec->name(), pid, status});

    const std::string why = run.last_error.empty() ? status.text() : run.last_error;
    const bool unasked = run.spec->restart().policy() == graph::RestartPolicy::ALWAYS && !run.saw_eos;
    if (run.state == State::Stalled) {
        fail(run, run.reason);
    } else if (!status.in_order()) {
        if (!status.signalled && status.code == 2 && run.state != State::Draining)
            set(run, Trigger::GaveUp, "cannot be set up: " + why);
        else
            fail(run, why);
    } else if (run.state == State::Draining) {
        set(run, run.saw_eos ? Trigger::Ended : Trigger::Stopped,
            run.saw_eos   ? ""
            : run.hurried ? "its receivers had ended"
                          : "stopped before EOS had come through");
    } else if (unasked) {
        fail(run, "ended without EOS");
    } else {
        set(run, Trigger::Ended, "");
    }
    settle();
}

}  // namespace hawser::supervise
