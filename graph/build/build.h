// The model → a GstPipeline.
#pragma once

#include <gst/gst.h>

#include <string>

#include "hawser/control.pb.h"
#include "runtime/base/result.h"

namespace hawser::graph {

// Builds the pipeline that `setup` describes, in state NULL and named `setup.pipeline()`. For each of its
// ends that the launch text does not define itself (name=out, name=in), a `hawsersink name=out` or `hawsersrc
// name=in` is put in front of the text; then the end's uri and properties are set on it.
//
// Returns a full reference (not floating): gst_object_unref() it. Fails with Errc::Invalid where the text is
// wrong, the message naming line and column of the text; with Errc::NotFound where an element is not
// installed. gst_init() must have been called.
Result<GstElement*> build_pipeline(const control::Setup& setup);

// The text that build_pipeline() gives to gst_parse_launch().
std::string complete_launch(const control::Setup& setup);

}  // namespace hawser::graph
