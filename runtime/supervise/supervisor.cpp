#include "runtime/supervise/supervisor.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "runtime/base/text.h"
#include "runtime/supervise/health.h"
#include "runtime/supervise/supervisor_run.h"

namespace hawser::supervise {
namespace {

using namespace std::chrono_literals;

constexpr Duration kHealthEvery = 250ms;
constexpr Duration kPaused = 2s;         // between two ticks, which are due each kHealthEvery
constexpr Duration kAfterDrain = 1s;     // a worker stops its pipeline after its own drain; then TERM
constexpr Duration kAfterTerm = 2s;      // then KILL
constexpr Duration kNobodyLeft = 500ms;  // drain of a sender whose receivers have ended
constexpr Duration kEndByItself = 3s;    // for a pipeline whose neighbour on a link has ended
constexpr Duration kDefaultStart = 10s;  // where the model has no figure
constexpr Duration kDefaultStall = 10s;

Duration limit(std::uint64_t ms, Duration otherwise) {
    return ms ? Duration(std::chrono::milliseconds(ms)) : otherwise;
}

hawser::control::Command stop_command(Duration drain, bool restart = false) {
    hawser::control::Command command;
    command.mutable_stop()->set_drain_ms(
        static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::milliseconds>(drain).count()));
    command.mutable_stop()->set_restart(restart);
    return command;
}

}  // namespace

Supervisor::Supervisor(const graph::Graph& graph, SupervisorOptions options, const Clock& clock,
                       Random& random, ProcessLauncher& launcher, Observer& observer)
    : graph_(graph),
      options_(std::move(options)),
      clock_(clock),
      random_(random),
      launcher_(launcher),
      observer_(observer),
      drill_(options_.drill ? Drill(graph) : Drill()) {
    for (const graph::Pipeline& spec : graph.pipelines()) {
        auto run = std::make_unique<Run>(*this);
        run->spec = &spec;
        run->index = runs_.size();
        run->restarts = RestartTracker(spec.restart());
        run->state_since = clock_.now();
        runs_.push_back(std::move(run));
    }
    const auto find = [&](const std::string& name) {
        return std::find_if(runs_.begin(), runs_.end(),
                            [&](const auto& r) { return r->spec->name() == name; });
    };
    for (const graph::Link& link : graph.links()) {
        const auto from = find(link.from()), to = find(link.to());
        if (from == runs_.end() || to == runs_.end()) continue;  // the checker has refused such a graph
        (*from)->downstream.push_back((*to)->index);
        (*to)->upstream.push_back((*from)->index);
    }
}

Supervisor::~Supervisor() = default;

void Supervisor::start() {
    ticked_ = clock_.now();
    for (auto& run : runs_) set(*run, Trigger::Enable, "");
    settle();
}

void Supervisor::stop(const std::string& reason) {
    if (std::exchange(stopping_, true)) return;
    for (auto& run : runs_) {
        // It has failed, and nothing will bring what it was doing to an end any more.
        if (run->state == State::Backoff) {
            run->failed_once = true;
            set(*run, Trigger::Stop, "had failed, and was not started again before the stop");
        } else {
            set(*run, Trigger::Stop, reason);
        }
    }
    settle();
}

void Supervisor::abort() {
    stop("aborted");
    aborted_ = true;
    for (auto& run : runs_)
        if (run->alive()) run->worker->signal(SIGKILL);
}

void Supervisor::tick() {
    const TimePoint now = clock_.now();
    // Whoever owns the event loop was stopped itself (Ctrl-Z, a debugger, a paused machine): what the workers
    // said in that time is still to be read, and nobody is to blame for it.
    if (ticked_ && now - *ticked_ > kPaused) {
        for (auto& run : runs_) {
            run->heard += now - *ticked_;
            run->moved += now - *ticked_;
        }
    }
    ticked_ = now;
    const auto due = [now](std::optional<TimePoint>& at) {
        if (!at || *at > now) return false;
        at.reset();
        return true;
    };
    for (auto& run : runs_) {
        if (due(run->retry_at)) set(*run, Trigger::Retry, "");
        if (due(run->impair_at)) set(*run, Trigger::Impair, link_trouble(*run));
        if (due(run->full_at) && run->alive() && run->state != State::Draining) {
            set(*run, Trigger::Stop, "has run for the time that its description gives it");
            ask_to_stop(*run);
        }
        if (due(run->stop_at) && run->alive()) {
            set(*run, Trigger::Stop, "its neighbours have ended");
            ask_to_stop(*run);
        }
        if (due(run->term_at) && run->alive()) run->worker->signal(SIGTERM);
        if (due(run->kill_at) && run->alive()) {
            say(Note::Level::Warning, *run, "does not stop; killing it");
            run->worker->signal(SIGKILL);
        }
    }
    settle();
    if (!stopping_) drill_.run(now, [this](const graph::Fault& fault) { return carry_out(fault); });
    if (health_due_ <= now) {
        health_due_ = now + kHealthEvery;
        watch_health();
    }
}

TimePoint Supervisor::next_due() const {
    TimePoint next = health_due_;
    for (const auto& run : runs_)
        for (const auto& at :
             {run->retry_at, run->stop_at, run->term_at, run->kill_at, run->impair_at, run->full_at})
            if (at) next = std::min(next, *at);
    if (const auto at = drill_.next_at(); at && *at > clock_.now()) next = std::min(next, *at);
    return next;
}

bool Supervisor::finished() const {
    return std::all_of(runs_.begin(), runs_.end(),
                       [](const auto& run) { return run->over() && !run->alive(); });
}

std::vector<std::string> Supervisor::failures() const {
    std::vector<std::string> all;
    if (aborted_) all.emplace_back("the run was ended at once");
    for (const auto& run : runs_) {
        const bool given_up = run->state == State::Quarantined;
        if (!given_up && !run->failed_once) continue;
        // What was killed on an order to end at once is no news.
        if (!given_up && aborted_) continue;
        all.push_back(run->spec->name() + (given_up ? " was given up" : " did not end in order") +
                      (run->reason.empty() ? "" : ": " + run->reason));
    }
    return all;
}

std::optional<DrillUnfinished> Supervisor::drill_unfinished() const {
    if (!finished() || drill_.complete()) return std::nullopt;
    return DrillUnfinished{drill_.done(), drill_.planned(),
                           stopping_         ? "the run was stopped before"
                           : !drill_.begun() ? "the graph ended before all its pipelines were running"
                                             : "the graph ended before"};
}

std::string to_string(const DrillUnfinished& what) {
    const std::size_t missed = what.planned - what.done;
    return std::to_string(missed) + " of " + std::to_string(what.planned) +
           (what.planned == 1 ? " fault of the drill" : " faults of the drill") +
           (missed == 1 ? " was not done: " : " were not done: ") + what.reason;
}

std::vector<const PipelineRun*> Supervisor::pipelines() const {
    std::vector<const PipelineRun*> all;
    for (const auto& run : runs_) all.push_back(run.get());
    return all;
}

void Supervisor::set(Run& run, Trigger trigger, const std::string& reason) {
    const std::optional<State> next = after(run.state, trigger);
    if (!next) return;
    const State from = std::exchange(run.state, *next);
    run.state_since = clock_.now();
    run.reason = reason;
    if (*next == State::Running) run.was_running = true;
    observer_.on_event(StateChanged{run.spec->name(), from, *next, reason});
}

void Supervisor::say(Note::Level level, const Run& run, const std::string& text) {
    observer_.on_event(Note{level, run.spec->name(), text});
}

bool Supervisor::all_over(const std::vector<std::size_t>& of) const {
    return !of.empty() &&
           std::all_of(of.begin(), of.end(), [this](std::size_t at) { return runs_[at]->over(); });
}

// Applies the rules that connect pipelines until nothing changes any more.
void Supervisor::settle() {
    while (settle_once()) {
    }
    conclude();
}

void Supervisor::conclude() {
    if (concluded_ || !finished()) return;
    concluded_ = true;
    if (const auto missed = drill_unfinished()) observer_.on_event(*missed);
}

bool Supervisor::settle_once() {
    const TimePoint now = clock_.now();
    bool changed = false;
    for (auto& pointer : runs_) {
        Run& run = *pointer;
        if (run.state == State::Waiting) {
            if (all_over(run.upstream)) {
                run.failed_once = true;
                set(run, Trigger::Stop,
                    "has nothing to receive: " + runs_[run.upstream.front()]->spec->name() +
                        " will not send any more");
                changed = true;
            } else if (std::all_of(run.upstream.begin(), run.upstream.end(),
                                   [this](std::size_t at) { return runs_[at]->port != 0; })) {
                launch(run);
                changed = true;
            }
        } else if (run.state == State::Draining && run.alive() && !run.asked_to_stop && !run.stop_at) {
            // EOS comes down the links; only who has no sender any more needs to be told.
            const bool fed = std::any_of(run.upstream.begin(), run.upstream.end(),
                                         [this](std::size_t at) { return runs_[at]->alive(); });
            if (fed) continue;
            if (run.upstream.empty() || !run.link_was_up.contains("in"))
                ask_to_stop(run);
            else
                run.stop_at = now + kEndByItself;
            changed = true;
        } else if (run.state == State::Draining && run.alive() && run.asked_to_stop && !run.hurried &&
                   all_over(run.downstream)) {
            // Nobody is left to take what it may still hold for a receiver's earlier life.
            run.hurried = true;
            send_stop(run, kNobodyLeft);
            changed = true;
        } else if (run.alive() && run.state != State::Draining && !run.stop_at &&
                   (all_over(run.upstream) || all_over(run.downstream))) {
            run.stop_at = now + kEndByItself;
            changed = true;
        }
    }
    return changed;
}

void Supervisor::launch(Run& run) {
    const TimePoint now = clock_.now();
    run.started = run.heard = run.moved = run.rated = now;
    run.objects = run.bytes = run.queued_bytes = 0;
    run.objects_rate = run.bytes_rate = 0;
    run.position = {};
    run.clients = 0;
    run.link_states.clear();
    run.link_was_up.clear();
    run.link_trouble.clear();
    run.saw_eos = run.asked_to_stop = run.hurried = false;
    run.last_error.clear();
    run.stop_at.reset();
    run.impair_at.reset();
    run.full_at.reset();

    const std::uint32_t sender_port = run.upstream.empty() ? 0 : runs_[run.upstream.front()]->port;
    LaunchSpec spec{
        plan(graph_, *run.spec, run.port, sender_port, options_.launch),
        options_.counters_dir + "/" + run.spec->name() + "." + std::to_string(run.lives.size() + 1)};
    run.lives.push_back({spec.counters_file, false});
    set(run, Trigger::Launch, "");
    auto worker = launcher_.launch(spec, run);
    if (!worker) {
        fail(run, worker.error().message);
        return;
    }
    run.worker = std::move(worker).value();
    observer_.on_event(
        WorkerStarted{run.spec->name(), run.worker->pid(), static_cast<unsigned>(run.lives.size())});
}

void Supervisor::ask_to_stop(Run& run) {
    if (!run.alive() || std::exchange(run.asked_to_stop, true)) return;
    send_stop(run, std::chrono::milliseconds(options_.launch.drain_ms));
}

void Supervisor::send_stop(Run& run, Duration drain) {
    run.worker->send(stop_command(drain));
    run.stop_at.reset();
    run.term_at = clock_.now() + drain + kAfterDrain;
    run.kill_at = *run.term_at + kAfterTerm;
}

// The worker is gone, or never came: what now?
void Supervisor::fail(Run& run, const std::string& reason) {
    if (stopping_ || run.state == State::Draining) {
        run.failed_once = true;
        set(run, Trigger::Failed, reason);
        return;
    }
    const RestartTracker::Decision decision =
        run.restarts.failed(clock_.now(), run.started, run.objects > 0, random_);
    if (!decision.retry_in) {
        set(run, Trigger::GaveUp, reason + decision.why);
        return;
    }
    run.retry_at = clock_.now() + *decision.retry_in;
    set(run, Trigger::Failed,
        reason + "; starting it again in " + format_duration(decision.retry_in->count()));
}

void Supervisor::watch_health() {
    const TimePoint now = clock_.now();
    std::vector<Vitals> vitals;
    for (const auto& run : runs_) {
        Vitals v;
        v.alive = run->alive() && (run->state == State::Starting || run->state == State::Running ||
                                   run->state == State::Degraded);
        v.flowing = run->objects > 0;
        v.silent = now - run->heard;
        v.still = now - run->moved;
        v.start_limit = limit(run->spec->health().start_ms(), kDefaultStart);
        v.stall_limit = limit(run->spec->health().stall_ms(), kDefaultStall);
        v.has_out = !run->downstream.empty();
        v.clients = run->clients;
        v.queued_bytes = run->queued_bytes;
        if (const auto in = run->link_states.find("in"); in != run->link_states.end())
            v.link_up = in->second == "streaming" || in->second == "ended";
        v.upstream = run->upstream;
        v.downstream = run->downstream;
        vitals.push_back(std::move(v));
    }
    const auto verdicts = judge(vitals);
    for (std::size_t i = 0; i < verdicts.size(); ++i) {
        Run& run = *runs_[i];
        if (verdicts[i].kind == Verdict::Kind::Excused) run.moved = now;
        if (verdicts[i].kind != Verdict::Kind::Culprit) continue;
        set(run, Trigger::Stall, verdicts[i].reason);
        // One that still reports may yet save its files; one that does not would not hear us.
        if (now - run.heard < 2 * kAfterDrain) {
            run.worker->send(stop_command(kAfterDrain, true));
            run.kill_at = now + kAfterTerm;
        } else {
            run.worker->signal(SIGKILL);
        }
    }
}

bool Supervisor::carry_out(const graph::Fault& fault) {
    const auto found = std::find_if(runs_.begin(), runs_.end(),
                                    [&](const auto& r) { return r->spec->name() == fault.pipeline(); });
    if (found == runs_.end() || (*found)->over()) {
        return found == runs_.end();  // over: never carried out, which drill_unfinished() tells
    }
    Run& run = **found;
    if (!run.alive() || (run.state != State::Running && run.state != State::Degraded)) return false;
    const bool cut = fault.kind() == graph::Fault::CUT;
    if (cut) {
        const auto in = run.link_states.find("in");
        if (in == run.link_states.end() || in->second != "streaming") return false;
        hawser::control::Command command;
        command.mutable_cut()->set_element("in");
        run.worker->send(command);
        run.cut_pending = true;
    } else {
        run.worker->signal(SIGKILL);
    }
    observer_.on_event(FaultDone{cut ? "cut" : "kill", fault.pipeline(), drill_.elapsed(clock_.now())});
    return true;
}

std::vector<Incarnation> Supervisor::incarnations(const PipelineRun& run) const {
    std::vector<Incarnation> all;
    for (const Life& life : run.lives) {
        Incarnation incarnation{static_cast<unsigned>(all.size() + 1), life.in_order, {}};
        if (auto block = CounterBlock::map(life.counters_file)) incarnation.tracks = read_figures(*block);
        all.push_back(std::move(incarnation));
    }
    return all;
}

std::vector<LinkBooks> Supervisor::books() const {
    std::vector<LinkBooks> all;
    const auto find = [&](const std::string& name) -> const Run& {
        return **std::find_if(runs_.begin(), runs_.end(),
                              [&](const auto& r) { return r->spec->name() == name; });
    };
    for (const graph::Link& link : graph_.links()) {
        const Run& from = find(link.from());
        const Run& to = find(link.to());
        const bool late = link.mode() == graph::Link::LIVE || to.lives.size() > 1;
        all.push_back(add_up(link.from(), link.to(), incarnations(from), incarnations(to), late));
    }
    return all;
}

}  // namespace hawser::supervise
