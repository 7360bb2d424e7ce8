// Everything that can be wrong with a graph and can be told without GStreamer.
#pragma once

#include "graph/model/diagnostic.h"
#include "hawser/graph.pb.h"

namespace hawser::graph {

// Appends all that is wrong, not only the first: no pipelines, two of one name, links to unknown pipelines,
// to themselves, in a loop, twice the same, two senders for one receiver, link addresses, a sender without
// `out.` or a receiver without `in.` in its launch text, drills that name unknown pipelines. The readers call
// it; a graph made by hand may be checked as well.
void check(const Graph& graph, Diagnostics& diagnostics);

}  // namespace hawser::graph
