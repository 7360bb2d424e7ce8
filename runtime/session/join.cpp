#include "runtime/session/join.h"

#include <algorithm>

namespace hawser::session {
namespace {

using ring::HistoryRing;

bool holds_objects(const HistoryRing::ReadScope& scope) {
    return scope.objects_before(scope.head()) > scope.objects_before(scope.tail());
}

}  // namespace

void join(const std::vector<std::unique_ptr<TrackView>>& tracks, std::vector<Start>& starts) {
    // The track with the longest groups sets the time: what the others have sent since then is still wanted.
    std::uint64_t time = HistoryRing::kNone;
    for (const auto& track : tracks) {
        if (track->track.ended()) continue;
        const std::uint64_t group = track->scope->newest_group(track->scope->head());
        if (group != HistoryRing::kNone) time = std::min(time, (*track->scope)[group].running_time);
    }
    starts.clear();
    for (const auto& track : tracks) {
        const auto& scope = *track->scope;
        if (!holds_objects(scope)) {
            starts.push_back({scope.tail(), false});
            continue;
        }
        if (track->track.ended()) {
            starts.push_back({scope.head(), false});  // the snapshot has its EOS
            continue;
        }
        std::uint64_t at = scope.newest_group(scope.head(), time);
        if (at == HistoryRing::kNone) at = scope.next_group(scope.tail());
        starts.push_back(at == HistoryRing::kNone ? Start{scope.head(), true} : Start{at, false});
    }
}

Start resume(const TrackView& track, std::uint64_t next) {
    const auto& scope = *track.scope;
    if (next >= scope.tail()) return {std::min(next, scope.head()), false};
    const std::uint64_t at = scope.next_group(scope.tail());
    if (at != HistoryRing::kNone) return {at, false};
    return holds_objects(scope) ? Start{scope.head(), !track.track.ended()} : Start{scope.tail(), false};
}

Start skip_ahead(const TrackView& track) {
    const auto& scope = *track.scope;
    if (track.track.ended()) return resume(track, 0);
    const std::uint64_t at = scope.newest_group(scope.head());
    if (at != HistoryRing::kNone) return {at, false};
    return {scope.head(), true};
}

}  // namespace hawser::session
