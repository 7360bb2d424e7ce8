#include "runtime/cli/narrator.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "runtime/base/text.h"
#include "runtime/cli/ledger.h"

namespace hawser::cli {
namespace {

using namespace std::chrono_literals;
using supervise::State;
namespace level = spdlog::level;

constexpr Duration kRedraw = 200ms;

std::string counted(std::uint64_t count, const char* one, const char* many) {
    return std::to_string(count) + " " + (count == 1 ? one : many);
}

// "0:12", "1:02:03".
std::string clock_text(Duration d) {
    const std::int64_t s = std::chrono::duration_cast<std::chrono::seconds>(d).count();
    char text[48];
    if (s >= 3600)
        std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", static_cast<long long>(s / 3600),
                      static_cast<long long>(s / 60 % 60), static_cast<long long>(s % 60));
    else
        std::snprintf(text, sizeof text, "%lld:%02lld", static_cast<long long>(s / 60),
                      static_cast<long long>(s % 60));
    return text;
}

std::string rate_text(double objects) {
    char text[32];
    std::snprintf(text, sizeof text, objects < 100 ? "%.1f/s" : "%.0f/s", objects);
    return text;
}

std::string links_text(const supervise::PipelineRun& run) {
    std::string text;
    for (const auto& [end, state] : run.link_states) {
        if (!text.empty()) text += "  ";
        text += end + " " + state;
        if (end == "out" && run.clients > 0) text += " to " + counted(run.clients, "receiver", "receivers");
    }
    return text;
}

}  // namespace

Colour colour_of(State state) {
    switch (state) {
        case State::Running:
            return Colour::Green;
        case State::Completed:
            return Colour::Blue;
        case State::Starting:
        case State::Waiting:
        case State::Draining:
            return Colour::Cyan;
        case State::Degraded:
        case State::Backoff:
            return Colour::Yellow;
        case State::Stalled:
        case State::Quarantined:
            return Colour::Red;
        case State::Stopped:
        case State::Count_:
            break;
    }
    return Colour::Dim;
}

Narrator::Narrator(Console& console, std::shared_ptr<spdlog::logger> log,
                   std::shared_ptr<spdlog::logger> workers, bool out_colour)
    : console_(console), log_(std::move(log)), workers_(std::move(workers)), out_colour_(out_colour) {}

void Narrator::on_event(const supervise::RunEvent& event) {
    std::visit([this](const auto& what) { tell(what); }, event);
}

void Narrator::say(level::level_enum level, const std::string& pipeline, const std::string& text) {
    log_->log(level, "{}  {}", left(pipeline, name_width_), text);
}

void Narrator::begin(const graph::Graph& graph) {
    for (const auto& pipeline : graph.pipelines())
        name_width_ = std::max(name_width_, pipeline.name().size());
}

void Narrator::tell(const supervise::StateChanged& e) {
    level::level_enum severity = level::info;
    if (e.to == State::Quarantined) severity = level::err;
    if (e.to == State::Stalled || e.to == State::Degraded || e.to == State::Backoff) severity = level::warn;
    if (e.to == State::Waiting) severity = level::debug;
    std::string text = console_.painted(to_string(e.to), colour_of(e.to));
    if (!e.reason.empty()) text = left(text, 11) + " " + e.reason;
    say(severity, e.pipeline, text);
}

void Narrator::tell(const supervise::WorkerStarted& e) {
    say(level::debug, e.pipeline,
        "process " + std::to_string(e.pid) +
            (e.incarnation > 1 ? ", start " + std::to_string(e.incarnation) : ""));
}

void Narrator::tell(const supervise::WorkerExited& e) {
    say(e.status.in_order() ? level::debug : level::warn, e.pipeline,
        "process " + std::to_string(e.pid) + " " + e.status.text());
}

void Narrator::tell(const supervise::WorkerLine& e) {
    const auto severity = e.level.empty() ? level::info : level::from_str(e.level);
    workers_->log(severity == level::off ? level::info : severity, "{}  {}", left(e.pipeline, name_width_),
                  e.text);
}

void Narrator::tell(const supervise::ProblemSeen& e) {
    say(e.fatal ? level::err : level::warn, e.pipeline,
        e.element.empty() || e.element == e.pipeline ? e.text : e.element + ": " + e.text);
    if (!e.debug.empty()) say(level::debug, e.pipeline, e.debug);
}

void Narrator::tell(const supervise::LinkChanged& e) {
    say(level::debug, e.pipeline,
        "link end \"" + e.element + "\" is " + e.state + (e.reason.empty() ? "" : ": " + e.reason));
}

void Narrator::tell(const supervise::RecoverySeen& e) {
    std::string text = "back in the stream after " + format_duration(e.downtime.count()) + ": ";
    text += e.new_epoch ? "a new epoch" : counted(e.replayed, "object", "objects") + " replayed";
    text += ", " + std::to_string(e.lost) + " lost (" + e.cause + ")";
    say(e.lost ? level::warn : level::info, e.pipeline, text);
}

void Narrator::tell(const supervise::LossSeen& e) {
    say(level::warn, e.pipeline,
        counted(e.lost, "object", "objects") + " of track " + e.track + " lost" +
            (e.reason.empty() ? "" : ": " + e.reason));
}

void Narrator::tell(const supervise::FaultDone& e) {
    say(level::info, e.pipeline,
        "drill at " + format_duration(e.at.count()) + ": " +
            (e.kind == "cut" ? "its connection is cut" : "its process is killed"));
}

void Narrator::tell(const supervise::DrillUnfinished& e) {
    say(level::warn, "", to_string(e));
}

void Narrator::tell(const supervise::Note& e) {
    const auto severity = e.level == supervise::Note::Level::Error     ? level::err
                          : e.level == supervise::Note::Level::Warning ? level::warn
                                                                       : level::info;
    say(severity, e.pipeline, e.text);
}

Duration Narrator::interval() const {
    return console_.live() ? kRedraw : Duration::zero();
}

// One line a pipeline:  camera    RUNNING   0:12   at 0:11   15.0/s   1.20 MB/s   1 restart   out streaming
// to 1 receiver
void Narrator::show(const supervise::Supervisor& supervisor, TimePoint now) {
    std::vector<std::string> lines;
    bool restarted = false;
    for (const auto* run : supervisor.pipelines()) restarted |= run->restarts.restarts() > 0;
    for (const supervise::PipelineRun* run : supervisor.pipelines()) {
        std::string line = " " + console_.painted(left(run->spec->name(), name_width_), Colour::Bold) + "  " +
                           console_.painted(left(to_string(run->state), 11), colour_of(run->state)) + " ";
        line += right(clock_text(run->alive() ? now - run->started : now - run->state_since), 6);
        if (run->alive()) {
            line += right("at " + clock_text(run->position), 10) + right(rate_text(run->objects_rate), 9) +
                    right(format_bytes(static_cast<std::uint64_t>(run->bytes_rate)) + "/s", 11);
        } else {
            line += std::string(30, ' ');
        }
        // No room is kept for what has not happened: a terminal may have no more than 80 columns.
        if (restarted)
            line +=
                "  " +
                left(run->restarts.restarts() ? counted(run->restarts.restarts(), "restart", "restarts") : "",
                     10);
        const std::string& about =
            run->state == State::Running || run->state == State::Starting ? "" : run->reason;
        line += "  " + (about.empty() ? links_text(*run) : about);
        lines.push_back(std::move(line));
    }
    console_.status(std::move(lines));
}

void Narrator::end(const supervise::Supervisor& supervisor, const Conclusion& conclusion) {
    console_.clear_status();
    const std::string text = ledger_text(supervisor, conclusion, out_colour_);
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
}

}  // namespace hawser::cli
