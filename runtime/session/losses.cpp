#include "runtime/session/losses.h"

namespace hawser::session {

void Losses::tell(std::uint64_t session, std::uint16_t track, std::uint64_t first, std::uint64_t objects,
                  wire::GapReason reason) {
    if (objects == 0) return;
    by_reason_[static_cast<std::size_t>(reason)] += objects;
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
    std::erase_if(at->second, [&](const Told& told) {
        if (told.track != track) return false;
        if (told.first >= next) by_reason_[static_cast<std::size_t>(told.reason)] -= told.objects;
        return true;
    });
    if (at->second.empty()) open_.erase(at);
}

}  // namespace hawser::session
