#include "runtime/sched/backoff.h"

#include <algorithm>

namespace hawser::sched {

Duration Backoff::next(Random& random) {
    const unsigned attempt = attempts_;
    if (attempts_ != ~0u) ++attempts_;
    if (attempt == 0) return Duration::zero();
    const std::int64_t cap = std::max<std::int64_t>(params_.cap.count(), 0);
    const std::int64_t base = std::max<std::int64_t>(params_.base.count(), 0);
    const unsigned doublings = std::min(attempt - 1, 62u);
    const std::int64_t ceiling = base > cap >> doublings ? cap : std::min(cap, base << doublings);
    return Duration(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(ceiling) + 1)));
}

void Backoff::reset() {
    attempts_ = 0;
    up_.reset();
}

void Backoff::lost(TimePoint now) {
    if (up_ && now - *up_ >= params_.stable) reset();
    up_.reset();
}

}  // namespace hawser::sched
