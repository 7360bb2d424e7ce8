// The element hawsersrc: receives a stream, a pad for each of its tracks.
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS
#define HAWSER_TYPE_SRC (hawser_src_get_type())
G_DECLARE_FINAL_TYPE(HawserSrc, hawser_src, HAWSER, SRC, GstElement)
GST_ELEMENT_REGISTER_DECLARE(hawsersrc)
G_END_DECLS
