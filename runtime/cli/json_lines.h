// A run, told to programs: one JSON object a line on stdout. docs/operations/json-events.md describes each
// event.
#pragma once

#include "runtime/cli/json.h"
#include "runtime/cli/presenter.h"

namespace hawser::cli {

class JsonLines final : public Presenter {
  public:
    void on_event(const supervise::RunEvent& event) override;
    void begin(const graph::Graph& graph) override;
    Duration interval() const override;
    void show(const supervise::Supervisor& supervisor, TimePoint now) override;
    void end(const supervise::Supervisor& supervisor, const Conclusion& conclusion) override;
};

}  // namespace hawser::cli
