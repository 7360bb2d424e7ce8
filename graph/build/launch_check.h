// What only GStreamer knows: do these elements exist, have they these properties, can they be linked?
//
// Loads plugins, whose init may crash or hang: `hawser check` calls this in a child (`hawser-worker --check`)
// with the graph on its standard input and Diagnostics on its standard output. gst_init() must have been
// called.
#pragma once

#include "graph/model/diagnostic.h"
#include "hawser/graph.pb.h"

namespace hawser::graph {

// All that is wrong with one pipeline's launch text: unknown elements and properties (with the nearest known
// name), values of the wrong type, references to elements that are not there, caps that can never link, and
// gst_parse_launch's own complaints. `has_in`, `has_out`: a link ends here, so `in.` and `out.` are known
// even where the text does not define them.
void check_launch(const Pipeline& pipeline, bool has_in, bool has_out, Diagnostics& diagnostics);

// check_launch for every pipeline, with what the graph's links say about its ends. Sorted.
Diagnostics check_launches(const Graph& graph);

}  // namespace hawser::graph
