// One reactor's look at a publisher's track.
#pragma once

#include <cstddef>
#include <optional>

#include "runtime/ring/history.h"
#include "runtime/session/publisher_track.h"

namespace hawser::session {

// Thread: its reactor's. The track outlives it.
struct TrackView {
    TrackView(PublisherTrack& its_track, std::size_t its_gate) : track(its_track), gate(its_gate) {}

    void open() { scope.emplace(track.ring(), gate); }

    PublisherTrack& track;
    const std::size_t gate;  // of the ring: the reactor's number
    std::optional<ring::HistoryRing::ReadScope> scope;
};

// Opens all of them for as long as it lives.
template <typename Views>
class OpenViews {
  public:
    explicit OpenViews(const Views& views) : views_(views) {
        for (const auto& view : views_) view->open();
    }
    ~OpenViews() {
        for (const auto& view : views_) view->scope.reset();
    }
    OpenViews(const OpenViews&) = delete;

  private:
    const Views& views_;
};

}  // namespace hawser::session
