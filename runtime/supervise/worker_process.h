// The seam between the supervisor's decisions and the operating system: how a worker process is started,
// spoken to and heard. runtime/control has the real one; unit tests have one without processes.
//
// One thread: the supervisor's. Listener calls come from the event loop, never from within launch(), send()
// or signal().
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "hawser/control.pb.h"
#include "runtime/base/result.h"

namespace hawser::supervise {

// How a process ended.
struct ExitStatus {
    bool signalled = false;  // `code` is a signal's number, else the exit code
    int code = 0;

    bool in_order() const { return !signalled && code == 0; }
    // "exited with 1", "was killed by SIGKILL".
    std::string text() const;
};

class WorkerListener {
  public:
    virtual void on_report(const hawser::control::Report& report) = 0;
    // A line that the process wrote to stdout or stderr, without its end.
    virtual void on_output(const std::string& line) = 0;
    // The last call. Everything that the process reported or wrote came before it.
    virtual void on_exit(const ExitStatus& status) = 0;

  protected:
    ~WorkerListener() = default;
};

// A running worker. Destroying one that still runs kills it (SIGKILL); no listener call comes after that.
class WorkerProcess {
  public:
    virtual ~WorkerProcess() = default;
    virtual pid_t pid() const = 0;
    virtual void send(
        const hawser::control::Command& command) = 0;  // best effort: a dead worker is told by on_exit()
    virtual void signal(int number) = 0;
};

struct LaunchSpec {
    hawser::control::Setup setup;
    std::string counters_file;  // HAWSER_COUNTERS of the worker
};

class ProcessLauncher {
  public:
    virtual ~ProcessLauncher() = default;
    // Starts a worker and sends it its Setup. `listener` must outlive the process.
    virtual Result<std::unique_ptr<WorkerProcess>> launch(const LaunchSpec& spec,
                                                          WorkerListener& listener) = 0;
};

}  // namespace hawser::supervise
