// The GEnums of both elements, numbered like the session's own enumerations.
#pragma once

#include <gst/gst.h>

GType hawser_mode_get_type();
GType hawser_state_get_type();
GType hawser_slow_client_policy_get_type();
GType hawser_timestamp_mode_get_type();
GType hawser_io_engine_get_type();

enum HawserTimestampMode { HAWSER_TIMESTAMP_MODE_REBASE, HAWSER_TIMESTAMP_MODE_ORIGINAL };

namespace hawser::elements {

// An enumeration value's nick ("streaming").
const char* nick(GType type, int value);

}  // namespace hawser::elements
