// GStreamer's debug log goes where the worker's own log goes.
#pragma once

#include <string>

namespace hawser::worker {

// Sets up the worker's log: lines "[level] text" on stderr, which `hawser` reads; with times where stderr is
// a terminal.
void start_log(const std::string& level);

// Puts GStreamer's debug log into it, in place of GStreamer's own printing. Which lines there are is still
// GST_DEBUG's to say; without it, --log-level debug means GStreamer's warnings and trace its info. Call after
// gst_init().
void adopt_gst_log(const std::string& level);

}  // namespace hawser::worker
