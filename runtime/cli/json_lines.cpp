#include "runtime/cli/json_lines.h"

#include <cstdio>
#include <ctime>

namespace hawser::cli {
namespace {

using namespace std::chrono_literals;

constexpr Duration kProgressEvery = 1s;

double seconds(Duration d) {
    return std::chrono::duration<double>(d).count();
}

// 64-bit ids do not survive a double, which is what many JSON readers have.
std::string hex(std::uint64_t id) {
    char text[24];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(id));
    return text;
}

JsonObject event(const char* kind) {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    tm utc{};
    gmtime_r(&now.tv_sec, &utc);
    char day[32], text[48];
    std::strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc);
    std::snprintf(text, sizeof text, "%s.%03ldZ", day, now.tv_nsec / 1'000'000);
    JsonObject object;
    object.add("time", text).add("event", kind);
    return object;
}

void print(const JsonObject& object) {
    const std::string line = object.text() + "\n";
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fflush(stdout);
}

JsonObject of(const supervise::StateChanged& e) {
    return event("state")
        .add("pipeline", e.pipeline)
        .add("from", to_string(e.from))
        .add("to", to_string(e.to))
        .add("reason", e.reason);
}
JsonObject of(const supervise::WorkerStarted& e) {
    return event("worker-started")
        .add("pipeline", e.pipeline)
        .add("pid", e.pid)
        .add("incarnation", e.incarnation);
}
JsonObject of(const supervise::WorkerExited& e) {
    JsonObject object = event("worker-exited").add("pipeline", e.pipeline).add("pid", e.pid);
    return object.add(e.status.signalled ? "signal" : "code", e.status.code).add("text", e.status.text());
}
JsonObject of(const supervise::WorkerLine& e) {
    return event("log").add("pipeline", e.pipeline).add("level", e.level).add("text", e.text);
}
JsonObject of(const supervise::ProblemSeen& e) {
    return event("problem")
        .add("pipeline", e.pipeline)
        .add("fatal", e.fatal)
        .add("element", e.element)
        .add("text", e.text)
        .add("debug", e.debug);
}
JsonObject of(const supervise::LinkChanged& e) {
    return event("link")
        .add("pipeline", e.pipeline)
        .add("end", e.element)
        .add("state", e.state)
        .add("reason", e.reason);
}
JsonObject of(const supervise::RecoverySeen& e) {
    return event("recovered")
        .add("pipeline", e.pipeline)
        .add("new_epoch", e.new_epoch)
        .add("epoch", hex(e.epoch))
        .add("downtime_s", seconds(e.downtime))
        .add("replayed", e.replayed)
        .add("lost", e.lost)
        .add("cause", e.cause);
}
JsonObject of(const supervise::LossSeen& e) {
    return event("loss")
        .add("pipeline", e.pipeline)
        .add("track", e.track)
        .add("lost", e.lost)
        .add("reason", e.reason);
}
JsonObject of(const supervise::FaultDone& e) {
    return event("fault").add("pipeline", e.pipeline).add("kind", e.kind).add("at_s", seconds(e.at));
}
JsonObject of(const supervise::DrillUnfinished& e) {
    return event("drill-unfinished")
        .add("faults_done", e.done)
        .add("faults_planned", e.planned)
        .add("text", to_string(e));
}
JsonObject of(const supervise::Note& e) {
    const char* level = e.level == supervise::Note::Level::Error     ? "error"
                        : e.level == supervise::Note::Level::Warning ? "warning"
                                                                     : "info";
    return event("note").add("pipeline", e.pipeline).add("level", level).add("text", e.text);
}

JsonObject& figures(JsonObject& object, const supervise::Entry& e) {
    return object.add("sent", e.sent)
        .add("received", e.received)
        .add("events", e.events)
        .add("bytes", e.bytes)
        .add("replayed", e.replayed)
        .add("lost", e.lost)
        .add("doubled", e.doubled)
        .add("before_joining", e.before_joining)
        .add("lost_with_sender", e.lost_with_sender)
        .add("lost_with_receiver", e.lost_with_receiver)
        .add("received_again", e.received_again)
        .add("unexplained", e.missing);
}

template <typename Items, typename ToText>
std::string array(const Items& items, ToText&& to_text) {
    std::string text = "[";
    for (const auto& item : items) text += (text.size() > 1 ? "," : "") + to_text(item);
    return text + "]";
}

}  // namespace

void JsonLines::on_event(const supervise::RunEvent& what) {
    print(std::visit([](const auto& e) { return of(e); }, what));
}

void JsonLines::begin(const graph::Graph& graph) {
    print(event("begin")
              .raw("pipelines", array(graph.pipelines(), [](const auto& p) { return json_string(p.name()); }))
              .raw("links", array(graph.links(), [](const auto& l) {
                       return JsonObject().add("from", l.from()).add("to", l.to()).text();
                   })));
}

Duration JsonLines::interval() const {
    return kProgressEvery;
}

void JsonLines::show(const supervise::Supervisor& supervisor, TimePoint) {
    for (const auto* run : supervisor.pipelines()) {
        if (!run->alive()) continue;
        print(event("progress")
                  .add("pipeline", run->spec->name())
                  .add("state", to_string(run->state))
                  .add("position_s", seconds(run->position))
                  .add("objects", run->objects)
                  .add("bytes", run->bytes)
                  .add("objects_per_s", run->objects_rate)
                  .add("bytes_per_s", run->bytes_rate)
                  .add("restarts", run->restarts.restarts())
                  .add("clients", run->clients));
    }
}

void JsonLines::end(const supervise::Supervisor& supervisor, const Conclusion& conclusion) {
    for (const auto& link : conclusion.books) {
        for (const auto& epoch : link.epochs) {
            JsonObject object = event("books");
            object.add("from", link.from)
                .add("to", link.to)
                .add("number", epoch.number)
                .add("epoch", hex(epoch.epoch))
                .add("sender_in_order", epoch.sender_in_order)
                .add("ended", epoch.ended);
            figures(object, epoch.total).raw("tracks", array(epoch.tracks, [](const auto& track) {
                                                 JsonObject each;
                                                 each.add("track", track.track);
                                                 return figures(each, track.figures).text();
                                             }));
            print(object.add("balances", epoch.balances()));
        }
    }
    print(event("end")
              .add("exit_code", conclusion.exit_code)
              .add("balanced", conclusion.balanced)
              .add("took_s", seconds(conclusion.took))
              .add("faults_done", conclusion.faults_done)
              .add("faults_planned", conclusion.faults_planned)
              .raw("failures",
                   array(conclusion.failures, [](const std::string& text) { return json_string(text); }))
              .raw("pipelines", array(supervisor.pipelines(),
                                      [](const auto* run) {
                                          return JsonObject()
                                              .add("pipeline", run->spec->name())
                                              .add("state", to_string(run->state))
                                              .add("restarts", run->restarts.restarts())
                                              .add("reason", run->reason)
                                              .text();
                                      }))
              .raw("files",
                   array(conclusion.files, [](const std::string& file) { return json_string(file); })));
}

}  // namespace hawser::cli
