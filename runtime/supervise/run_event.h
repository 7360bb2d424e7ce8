// What happens in a run, told as it happens to whoever shows it: the status lines, the JSON lines, a test.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include "runtime/base/clock.h"
#include "runtime/supervise/lifecycle.h"
#include "runtime/supervise/worker_process.h"

namespace hawser::supervise {

struct StateChanged {
    std::string pipeline;
    State from, to;
    std::string reason;  // may be empty
};
struct WorkerStarted {
    std::string pipeline;
    pid_t pid = 0;
    unsigned incarnation = 0;  // 1 for the first
};
struct WorkerExited {
    std::string pipeline;
    pid_t pid = 0;
    ExitStatus status;
};
// A line of a worker's log, or whatever else it wrote. `level` is spdlog's name, empty where the line had
// none.
struct WorkerLine {
    std::string pipeline, level, text;
};
// A GStreamer error (fatal) or warning.
struct ProblemSeen {
    std::string pipeline;
    bool fatal = false;
    std::string element, text, debug;
};
struct LinkChanged {
    std::string pipeline, element, state, reason;
};
// A receiver is back in the stream.
struct RecoverySeen {
    std::string pipeline;
    bool new_epoch = false;
    std::uint64_t epoch = 0;
    Duration downtime{};
    std::uint64_t replayed = 0, lost = 0;
    std::string cause;  // "cut by the drill", "camera was killed by SIGKILL"
};
struct LossSeen {
    std::string pipeline, track;
    std::uint64_t lost = 0;
    std::string reason;
};
struct FaultDone {
    std::string kind, pipeline;  // "cut", "kill"
    Duration at{};               // after every pipeline was RUNNING
};
// The run is over, and the drill was not: told once, at the end.
struct DrillUnfinished {
    std::size_t done = 0, planned = 0;
    std::string reason;  // "the graph ended before"
};
// "2 of 3 faults of the drill were not done: the graph ended before".
std::string to_string(const DrillUnfinished& what);

// Something the supervisor itself has to say.
struct Note {
    enum class Level { Info, Warning, Error } level = Level::Info;
    std::string pipeline;  // may be empty
    std::string text;
};

using RunEvent = std::variant<StateChanged, WorkerStarted, WorkerExited, WorkerLine, ProblemSeen, LinkChanged,
                              RecoverySeen, LossSeen, FaultDone, DrillUnfinished, Note>;

class Observer {
  public:
    virtual void on_event(const RunEvent& event) = 0;

  protected:
    ~Observer() = default;
};

}  // namespace hawser::supervise
