// The same model in Protobuf's two text forms.
#pragma once

#include <string>

#include "graph/model/diagnostic.h"
#include "hawser/graph.pb.h"
#include "runtime/base/result.h"

namespace hawser::graph {

// With `locations` false (what people want) the positions in the source are left out.
std::string to_textproto(const Graph& graph, bool locations = false);
std::string to_json(const Graph& graph, bool locations = false);

// Both append to `diagnostics` what Protobuf's parser has to say; `name` stands for the file. What is left
// out takes the defaults of the YAML form.
Graph from_textproto(const std::string& text, const std::string& name, Diagnostics& diagnostics);
Graph from_json(const std::string& text, const std::string& name, Diagnostics& diagnostics);

// A copy without positions.
Graph without_locations(Graph graph);

}  // namespace hawser::graph
