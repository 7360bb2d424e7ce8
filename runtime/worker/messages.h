// Talking with GStreamer's objects: bus messages, properties, statistics, EOS.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <optional>
#include <string>

#include "hawser/control.pb.h"

namespace hawser::worker {

struct ProblemText {
    std::string element;  // path within the pipeline: "demux/typefind"
    std::string text, debug;
};
// Of an error or warning message.
ProblemText read_problem(GstMessage* message);

// gst_parse_launch's warning that a sometimes pad which the text names could not be linked: of which element
// of the pipeline. Nothing for any other message.
struct DelayedLink {
    std::string element, pad;
};
std::optional<DelayedLink> read_delayed_link(const ProblemText& problem);
// False where the element has such a pad now, so that what failed was the linking.
bool is_missing_pad(GstElement* pipeline, const DelayedLink& link);

// A link end's hawser-state, hawser-gap or hawser-recovered message as a report; nothing for any other
// message.
std::optional<hawser::control::Report> read_link_message(GstMessage* message);

// EOS for each of the pipeline's sources, which send it on behind what they have begun. For one that does not
// take it, EOS goes out of its pads in its place. May block as long as downstream does.
void send_eos(GstBin* pipeline);

bool has_property(GstElement* element, const char* name);
guint get_uint(GstElement* element, const char* name);

// A guint64 field of the element's `stats` structure; 0 where it has none.
std::uint64_t stats_value(GstElement* element, const char* field);

}  // namespace hawser::worker
