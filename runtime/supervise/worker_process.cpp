#include "runtime/supervise/worker_process.h"

#include <cstring>

namespace hawser::supervise {

std::string ExitStatus::text() const {
    if (!signalled) return "exited with " + std::to_string(code);
    const char* name = sigabbrev_np(code);
    return "was killed by " + (name ? std::string("SIG") + name : "signal " + std::to_string(code));
}

}  // namespace hawser::supervise
