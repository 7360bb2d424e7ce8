#include "runtime/base/log.h"

#include <spdlog/sinks/dist_sink.h>

#include <memory>

namespace hawser {

spdlog::logger& log() {
    // Not registered with spdlog: the process may have another copy of this library and a logger of that
    // name. Never destroyed: other threads may log until the process is gone.
    static spdlog::logger& logger = *[] {
        auto* made = new spdlog::logger("hawser", std::make_shared<spdlog::sinks::dist_sink_mt>());
        made->set_level(spdlog::level::trace);
        return made;
    }();
    return logger;
}

}  // namespace hawser
