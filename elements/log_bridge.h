// The core's log lines go to GStreamer's debug log, category "hawser".
#pragma once

namespace hawser::elements {

// Adds the bridge to the core's logger; once a process, later calls do nothing.
void bridge_log();

}  // namespace hawser::elements
