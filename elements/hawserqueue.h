// The element hawserqueue: a queue, for one stream or for several of different urgency.
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS
#define HAWSER_TYPE_QUEUE (hawser_queue_get_type())
G_DECLARE_FINAL_TYPE(HawserQueue, hawser_queue, HAWSER, QUEUE, GstElement)
GST_ELEMENT_REGISTER_DECLARE(hawserqueue)
G_END_DECLS
