// Diagnostics for people:
//
//     studio.yaml:4:37: error: no element "x264en"
//         4 |       videotestsrc ! videoconvert ! x264en tune=zerolatency ! out.video
//           |                                     ^~~~~~
//     hint: did you mean "x264enc"?
#pragma once

#include <string>

#include "graph/model/diagnostic.h"
#include "graph/model/read.h"

namespace hawser::graph {

struct ReportOptions {
    bool colour = false;  // ANSI colours
};

// All of them, each ending in a newline. Columns are shown in characters, though locations count bytes.
// Sources that are not given are left out, the rest is still printed.
std::string report(const Diagnostics& diagnostics, const Sources& sources, const ReportOptions& options = {});

// "2 errors, 1 warning"; "no errors".
std::string summary(const Diagnostics& diagnostics);

}  // namespace hawser::graph
