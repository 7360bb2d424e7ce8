// One logger for the core. A program or the plugin decides where its lines go by adding spdlog sinks to it:
// the runtime writes them to stderr, elements/ passes them to GStreamer's debug log.
#pragma once

#include <spdlog/spdlog.h>

namespace hawser {

// The core's logger, named "hawser"; without sinks until someone adds one. Thread-safe.
spdlog::logger& log();

}  // namespace hawser
