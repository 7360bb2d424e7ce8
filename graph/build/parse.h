// gst_parse_launch() with positions. Internal to graph/build.
#pragma once

#include <gst/gst.h>

#include <optional>
#include <string>

#include "graph/model/launch_text.h"

namespace hawser::graph {

struct Parsed {
    GstElement* pipeline = nullptr;  // full reference, a GstPipeline; nullptr where there is a problem
    std::string problem;             // empty: none
    std::optional<Span> at;          // in the launch text given
    bool missing_element = false;
};

// `launch` with the ends that the links ask for put in front of it, where it does not define them itself.
std::string with_ends(const std::string& launch, bool has_in, bool has_out);

// Parses with_ends(launch).
Parsed parse_launch(const std::string& launch, bool has_in, bool has_out);

// The element that GStreamer names "queue0" because the text gives it no name; nullptr: none.
const LaunchElement* automatic_name(const LaunchText& text, const std::string& name);

}  // namespace hawser::graph
