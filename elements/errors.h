// From the core's errors to GStreamer's.
#pragma once

#include <gst/gst.h>

#include "runtime/base/result.h"

namespace hawser::elements {

enum class Direction { Sends, Receives };

// The GstResourceError that says what `code` means for users.
gint resource_code(Errc code, Direction direction);

// Posts an ERROR or WARNING message (domain RESOURCE) from `element`, with the error's text. Any thread but
// the reactor's.
void post_error(GstElement* element, const Error& error, Direction direction);
void post_warning(GstElement* element, const Error& error, Direction direction);

}  // namespace hawser::elements
