#include "runtime/session/losses.h"

namespace hawser::session {

void Losses::tell(std::uint64_t session, std::uint16_t track, std::uint64_t first, std::uint64_t objects,
                  wire::GapReason reason) {
    if (objects == 0) return;
    by_reason_[static_cast<std::size_t>(reason)] += objects;
    if (open_.size() == kMostSessions && !open_.contains(session)) open_.erase(open_.begin());
    std::vector<Told>& told = open_[session];
    if (told.size() == kMostOpen) told.erase(told.begin(), told.begin() + kMostOpen / 2);
    told.push_back({track, reason, first, objects});
}

void Losses::confirm(std::uint64_t session, std::uint16_t track, std::uint64_t next) {
    if (open_.empty()) return;
    const auto at = open_.find(session);
    if (at == open_.end()) return;
    std::erase_if(at->second, [&](const Told& told) { return told.track == track && told.first < next; });
    if (at->second.empty()) open_.erase(at);
}

void Losses::come_back(std::uint64_t session, std::uint16_t track, std::uint64_t next) {
    const auto at = open_.find(session);
    if (at == open_.end()) return;
    for (const Told& told : at->second)
        if (told.track == track && told.first >= next)
            by_reason_[static_cast<std::size_t>(told.reason)] -= told.objects;
    std::erase_if(at->second, [track](const Told& told) { return told.track == track; });
    if (at->second.empty()) open_.erase(at);
}

void Losses::forget_track(std::uint16_t track) {
    for (auto& [session, told] : open_)
        std::erase_if(told, [track](const Told& one) { return one.track == track; });
    std::erase_if(open_, [](const auto& one) { return one.second.empty(); });
}

}  // namespace hawser::session
