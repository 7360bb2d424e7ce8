// Workers as real processes: fork and exec of `hawser-worker`, a socketpair as its descriptor 3, its output
// through a pipe.
//
// A worker gets no other descriptor of ours, a process group of its own (so that the terminal's Ctrl-C
// reaches `hawser` alone), an empty signal mask, and SIGTERM when `hawser` dies. One thread: the event
// loop's, which must live as long as the supervisor.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/control/event_loop.h"
#include "runtime/supervise/worker_process.h"

namespace hawser::control {

struct WorkerProgram {
    std::string path;                                              // of hawser-worker
    std::vector<std::pair<std::string, std::string>> environment;  // set on top of our own
};

class PosixLauncher final : public supervise::ProcessLauncher {
  public:
    // Blocks SIGCHLD for the calling thread and takes it from a signalfd in `loop`.
    PosixLauncher(EventLoop& loop, WorkerProgram program);
    ~PosixLauncher() override;

    Result<std::unique_ptr<supervise::WorkerProcess>> launch(const supervise::LaunchSpec& spec,
                                                             supervise::WorkerListener& listener) override;

  private:
    class Process;
    void reap();

    EventLoop& loop_;
    const WorkerProgram program_;
    Fd signals_;
    std::vector<Process*> processes_;  // those that run; each is owned by who launched it
};

}  // namespace hawser::control
