#include "runtime/sched/priority_scheduler.h"

#include <algorithm>
#include <tuple>

namespace hawser::sched {

std::optional<std::size_t> PriorityScheduler::pick(std::span<const Candidate> candidates) {
    const auto order = [this](const Candidate& candidate) {
        const auto priority = std::min<std::uint8_t>(candidate.priority, kPriorities - 1);
        // Tracks from the turn on come first; the 16-bit difference wraps for those before it.
        const auto distance = static_cast<std::uint16_t>(candidate.track - turn_[priority]);
        return std::tuple(priority, candidate.deadline, distance);
    };
    const auto best =
        std::min_element(candidates.begin(), candidates.end(),
                         [&](const Candidate& a, const Candidate& b) { return order(a) < order(b); });
    if (best == candidates.end()) return std::nullopt;
    turn_[std::min<std::size_t>(best->priority, kPriorities - 1)] =
        static_cast<std::uint16_t>(best->track + 1);
    return static_cast<std::size_t>(best - candidates.begin());
}

}  // namespace hawser::sched
