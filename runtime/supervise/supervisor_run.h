// Internal to the supervisor's two source files: a PipelineRun that hears its worker.
#pragma once

#include "runtime/supervise/supervisor.h"

namespace hawser::supervise {

class Supervisor::Run final : public PipelineRun, public WorkerListener {
  public:
    explicit Run(Supervisor& supervisor) : supervisor_(supervisor) {}
    void on_report(const hawser::control::Report& report) override { supervisor_.handle(*this, report); }
    void on_output(const std::string& line) override {
        // Workers write "[level] text"; what libraries write has no level.
        WorkerLine out{spec->name(), "", line};
        if (const std::size_t end = line.find("] ");
            line.starts_with('[') && end != std::string::npos && end <= 9) {
            out.level = line.substr(1, end - 1);
            out.text = line.substr(end + 2);
        }
        supervisor_.observer_.on_event(out);
    }
    void on_exit(const ExitStatus& status) override { supervisor_.handle_exit(*this, status); }

  private:
    Supervisor& supervisor_;
};

}  // namespace hawser::supervise
