// The YAML form of a description. Internal to graph/model: use read.h.
#pragma once

#include <set>
#include <string>

#include "graph/model/diagnostic.h"
#include "graph/model/read.h"

namespace hawser::graph {

// Appends to `diagnostics`; adds to `known_settings` the names from options.set that the file knows. Does not
// check() the graph.
Graph read_yaml(const std::string& text, const std::string& name, const ReadOptions& options,
                Diagnostics& diagnostics, std::set<std::string>& known_settings);

// A bare gst-launch text: one pipeline named after the file.
Graph read_launch(const std::string& text, const std::string& name, const ReadOptions& options,
                  Diagnostics& diagnostics, std::set<std::string>& known_settings);

}  // namespace hawser::graph
