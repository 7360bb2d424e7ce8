// What was received, as GstBuffers.
#pragma once

#include <gst/gst.h>

#include "elements/gst_ptr.h"
#include "elements/receive_pool.h"
#include "runtime/session/subscriber.h"

namespace hawser::elements {

// A buffer for the object that begins with `header`: timestamps, offsets and flags are set, and the socket is
// read into its memory. Reactor's thread. Empty: out of memory.
session::HeldBytes land(ReceivePool& pool, const wire::ObjectHeader& header);

// The buffer of an object item, complete: metas and memories of its extension added. Metas that make no sense
// are left out.
Ptr<GstBuffer> take_buffer(session::Item& item);

}  // namespace hawser::elements
