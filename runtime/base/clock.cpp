#include "runtime/base/clock.h"

#include <time.h>

namespace hawser {

TimePoint SteadyClock::now() const {
    return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

TimePoint SteadyClock::coarse_now() const {
#ifdef CLOCK_MONOTONIC_COARSE
    timespec time{};
    if (::clock_gettime(CLOCK_MONOTONIC_COARSE, &time) == 0)
        return TimePoint(std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec));
#endif
    return now();
}

const SteadyClock& SteadyClock::instance() {
    static const SteadyClock clock;
    return clock;
}

}  // namespace hawser
