#include "runtime/supervise/restart.h"

#include <algorithm>

#include "runtime/base/text.h"

namespace hawser::supervise {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kLeastDelayMs = 250;
constexpr std::uint64_t kMostDelayMs = 30'000;
constexpr std::uint32_t kRestarts = 5;
constexpr std::uint64_t kWindowMs = 60'000;

graph::RestartPolicy filled(graph::RestartPolicy policy) {
    if (policy.backoff_min_ms() == 0) policy.set_backoff_min_ms(kLeastDelayMs);
    if (policy.backoff_max_ms() == 0)
        policy.set_backoff_max_ms(std::max(kMostDelayMs, policy.backoff_min_ms()));
    if (policy.intensity_count() == 0) policy.set_intensity_count(kRestarts);
    if (policy.intensity_window_ms() == 0) policy.set_intensity_window_ms(kWindowMs);
    return policy;
}

}  // namespace

RestartTracker::RestartTracker(const graph::RestartPolicy& policy)
    : policy_(filled(policy)),
      backoff_(
          {.base = milliseconds(policy_.backoff_min_ms()), .cap = milliseconds(policy_.backoff_max_ms())}) {}

RestartTracker::Decision RestartTracker::failed(TimePoint now, TimePoint started, bool flowed,
                                                Random& random) {
    if (policy_.policy() == graph::RestartPolicy::NEVER)
        return {std::nullopt, "; its policy is never to start it again"};
    const Duration window = milliseconds(policy_.intensity_window_ms());
    if (!flowed)
        for (TimePoint& restart : recent_) restart += now - started;
    while (!recent_.empty() && now - recent_.front() >= window) recent_.pop_front();
    if (recent_.size() >= policy_.intensity_count())
        return {std::nullopt, "; given up after " + std::to_string(recent_.size()) +
                                  (recent_.size() == 1 ? " restart within " : " restarts within ") +
                                  format_duration(window.count())};
    recent_.push_back(now);
    ++restarts_;
    backoff_.stable_since(started);
    backoff_.lost(now);
    return {std::max<Duration>(backoff_.next(random), milliseconds(policy_.backoff_min_ms())), {}};
}

}  // namespace hawser::supervise
