// How a run is shown. Two of them: for people (narrator.h) and for programs (json_lines.h).
#pragma once

#include <string>
#include <vector>

#include "runtime/base/clock.h"
#include "runtime/supervise/books.h"
#include "runtime/supervise/run_event.h"
#include "runtime/supervise/supervisor.h"

namespace hawser::cli {

// What the run came to.
struct Conclusion {
    int exit_code = 0;
    bool balanced = true;  // the books of every link
    bool drilled = false;  // faults were ordered
    std::size_t faults_done = 0, faults_planned = 0;
    std::string drill_missed;           // which faults came too late, and why; may be empty
    std::vector<std::string> failures;  // why exit_code is not 0, a sentence each
    Duration took{};
    std::vector<supervise::LinkBooks> books;
    std::vector<supervise::RecoverySeen> recoveries;
    std::vector<std::string> files;  // that the pipelines wrote
};

class Presenter : public supervise::Observer {
  public:
    virtual ~Presenter() = default;
    virtual void begin(const graph::Graph& graph) = 0;
    // How often show() wants to be called while the run lasts; zero: never.
    virtual Duration interval() const = 0;
    // Whether show() is also wanted as soon as a state has changed.
    virtual bool shows_states() const { return false; }
    virtual void show(const supervise::Supervisor& supervisor, TimePoint now) = 0;
    virtual void end(const supervise::Supervisor& supervisor, const Conclusion& conclusion) = 0;
};

}  // namespace hawser::cli
