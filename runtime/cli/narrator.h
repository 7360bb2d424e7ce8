// A run, told to people: log lines on stderr, on a terminal with live status lines below them, and the ledger
// on stdout.
#pragma once

#include <spdlog/spdlog.h>

#include <memory>
#include <string>

#include "runtime/cli/console.h"
#include "runtime/cli/presenter.h"

namespace hawser::cli {

class Narrator final : public Presenter {
  public:
    // `log`: errors of the run go there, and what happens. `out_colour`: for the ledger on stdout.
    Narrator(Console& console, std::shared_ptr<spdlog::logger> log, std::shared_ptr<spdlog::logger> workers,
             bool out_colour);

    void on_event(const supervise::RunEvent& event) override;
    void begin(const graph::Graph& graph) override;
    Duration interval() const override;
    bool shows_states() const override { return true; }
    void show(const supervise::Supervisor& supervisor, TimePoint now) override;
    void end(const supervise::Supervisor& supervisor, const Conclusion& conclusion) override;

  private:
    void tell(const supervise::StateChanged& event);
    void tell(const supervise::WorkerStarted& event);
    void tell(const supervise::WorkerExited& event);
    void tell(const supervise::WorkerLine& event);
    void tell(const supervise::ProblemSeen& event);
    void tell(const supervise::LinkChanged& event);
    void tell(const supervise::RecoverySeen& event);
    void tell(const supervise::LossSeen& event);
    void tell(const supervise::FaultDone& event);
    void tell(const supervise::DrillUnfinished& event);
    void tell(const supervise::Note& event);
    void say(spdlog::level::level_enum level, const std::string& pipeline, const std::string& text);

    Console& console_;
    const std::shared_ptr<spdlog::logger> log_, workers_;
    const bool out_colour_;
    std::size_t name_width_ = 0;
};

// A colour for the state, everywhere the same.
Colour colour_of(supervise::State state);

}  // namespace hawser::cli
