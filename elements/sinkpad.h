// A request pad of hawsersink: a ghost of its track sink's pad, with the track's properties.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <string>

#include "elements/tracksink.h"

G_BEGIN_DECLS
#define HAWSER_TYPE_SINK_PAD (hawser_sink_pad_get_type())
G_DECLARE_FINAL_TYPE(HawserSinkPad, hawser_sink_pad, HAWSER, SINK_PAD, GstGhostPad)
G_END_DECLS

namespace hawser::elements {

// A floating pad for the track that `track_sink` sends (a reference is taken). Null: it could not be made.
HawserSinkPad* make_sink_pad(const char* name, GstPadTemplate* pad_template, HawserTrackSink* track_sink);
HawserTrackSink* track_sink_of(HawserSinkPad* pad);
// From now on its buffers go to `writer`, which has the pad's properties from here on.
void give_writer(HawserSinkPad* pad, session::TrackWriter* writer, std::uint64_t max_object_size);
// From now on nobody uses the writer it had, which is returned. Null: none.
session::TrackWriter* take_writer(HawserSinkPad* pad);
std::uint8_t priority_of(HawserSinkPad* pad);
Duration max_latency_of(HawserSinkPad* pad);

// The name under which the far side knows the pad: sink_3 is its src_3, all others keep their name.
std::string track_name(const std::string& pad_name);

}  // namespace hawser::elements
