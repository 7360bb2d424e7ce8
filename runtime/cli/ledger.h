// The end of a run on paper: what each epoch sent and what became of it, the recoveries, the files, and
// whether it adds up.
#pragma once

#include <string>
#include <vector>

#include "hawser/graph.pb.h"
#include "runtime/cli/presenter.h"

namespace hawser::cli {

std::string ledger_text(const supervise::Supervisor& supervisor, const Conclusion& conclusion, bool colour);

// Values of `location=` of file-writing sinks in the pipelines' launch texts.
std::vector<std::string> written_files(const graph::Graph& graph);

}  // namespace hawser::cli
