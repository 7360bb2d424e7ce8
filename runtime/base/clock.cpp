#include "runtime/base/clock.h"

namespace hawser {

TimePoint SteadyClock::now() const {
    return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

const SteadyClock& SteadyClock::instance() {
    static const SteadyClock clock;
    return clock;
}

}  // namespace hawser
