// The element hawsersink: publishes what its request pads receive as one stream.
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS
#define HAWSER_TYPE_SINK (hawser_sink_get_type())
G_DECLARE_FINAL_TYPE(HawserSink, hawser_sink, HAWSER, SINK, GstBin)
GST_ELEMENT_REGISTER_DECLARE(hawsersink)
G_END_DECLS
