// From the raw launch text of a description to a pipeline's: comments blanked, variables put in, positions
// kept.
#pragma once

#include <string_view>

#include "graph/model/source.h"
#include "graph/model/variables.h"
#include "hawser/graph.pb.h"

namespace hawser::graph {

// Sets launch, launch_location and launch_marks. `raw` is the value of the scalar that begins at `start` in
// the source; a whole file has start 0.
void set_launch(Pipeline& pipeline, std::string_view raw, const Source& source, std::size_t start,
                Variables& variables);

}  // namespace hawser::graph
