// Can two elements ever be linked, by what their pad templates say? Internal to graph/build.
#pragma once

#include <string>
#include <vector>

#include "graph/build/factories.h"
#include "graph/model/launch_text.h"

namespace hawser::graph {

struct LinkSide {
    const Factory* factory = nullptr;  // nullptr: unknown, anything goes
    std::string name;                  // as it stands in the text
    std::string pad;                   // empty: any
    Span at;
};

struct LinkProblem {
    Span at;
    std::string message;
    std::string hint;
    bool warning = false;
};

// `filter`: the caps between the two, or nullptr.
std::vector<LinkProblem> check_link(const LinkSide& from, const LaunchCaps* filter, const LinkSide& to);

}  // namespace hawser::graph
