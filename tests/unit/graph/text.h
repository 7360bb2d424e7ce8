// What several tests of the graph need.
#pragma once

#include <string>
#include <vector>

#include "graph/model/read.h"
#include "graph/model/report.h"

namespace hawser::graph {

// Reads YAML with an environment that knows only HOME_CLIP.
inline ReadResult read_yaml_text(const std::string& text, std::map<std::string, std::string> set = {},
                                 const std::string& name = "g.yaml") {
    ReadOptions options;
    options.set = std::move(set);
    options.environment = [](const std::string& variable) -> std::optional<std::string> {
        if (variable == "HOME_CLIP") return "/srv/me/a clip.webm";
        return std::nullopt;
    };
    return read_graph_text(text, name, options);
}

inline std::string reported(const ReadResult& result) {
    return report(result.diagnostics, result.sources);
}

// "line:column message" of each.
inline std::vector<std::string> lines(const Diagnostics& diagnostics) {
    std::vector<std::string> all;
    for (const auto& entry : diagnostics.diagnostics())
        all.push_back(std::to_string(entry.location().line()) + ":" +
                      std::to_string(entry.location().column()) + " " + entry.message());
    return all;
}

}  // namespace hawser::graph
