// A sink pad of hawserqueue, with its input's properties.
#pragma once

#include <gst/gst.h>

#include <memory>

#include "elements/queue_core.h"

G_BEGIN_DECLS
#define HAWSER_TYPE_QUEUE_PAD (hawser_queue_pad_get_type())
G_DECLARE_FINAL_TYPE(HawserQueuePad, hawser_queue_pad, HAWSER, QUEUE_PAD, GstPad)
G_END_DECLS

namespace hawser::elements {

// A floating pad that feeds a new input of `core`, which outlives it.
HawserQueuePad* make_queue_pad(const char* name, GstPadTemplate* pad_template, QueueCore& core);
const std::shared_ptr<QueueInput>& input_of(HawserQueuePad* pad);

}  // namespace hawser::elements
