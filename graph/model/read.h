// Description files → graph::Graph. docs/graph.md is the format's reference.
//
// Reading never throws and never stops at the first error: whatever can be understood is in the graph,
// everything else in the diagnostics. A graph may be run only where ok().
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graph/model/diagnostic.h"
#include "hawser/graph.pb.h"

namespace hawser::graph {

// The texts that locations point into, by the file name that stands in Location::file.
using Sources = std::map<std::string, std::string>;

struct ReadOptions {
    // --set NAME=VALUE: taken before the file's own `vars`.
    std::map<std::string, std::string> set;
    // Looks a name up for `${NAME}` in the value of a variable; nullopt: not set. Default: the process's
    // environment.
    std::function<std::optional<std::string>(const std::string&)> environment;
};

struct ReadResult {
    Graph graph;
    Diagnostics diagnostics;  // sorted; includes check()'s
    Sources sources;          // for report()
    bool ok() const { return !has_errors(diagnostics); }
};

// The syntax comes from the file's name: .yaml .yml, .launch (a graph of one pipeline, named after the file),
// .json, .textproto .txtpb .pbtxt; anything else is taken as YAML. "-" is standard input (YAML).
ReadResult read_graph(const std::string& path, const ReadOptions& options = {});

// Several files, one graph: their pipelines, links and drills together; links may go from one file to
// another. Each file has its own variables; `options.set` goes to all that know the name.
ReadResult read_graphs(const std::vector<std::string>& paths, const ReadOptions& options = {});

// As read_graph, from `text`; `name` stands for the file in locations and tells the syntax.
ReadResult read_graph_text(const std::string& text, const std::string& name, const ReadOptions& options = {});

}  // namespace hawser::graph
