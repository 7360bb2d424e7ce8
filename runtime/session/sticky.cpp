#include "runtime/session/sticky.h"

#include <algorithm>
#include <utility>

#include "proto/wire/header.h"
#include "runtime/session/connection.h"

namespace hawser::session {
namespace {

// The order in which a pad must see them ("Events", GStreamer plugin writer's guide).
int rank(wire::Event::Kind kind) {
    switch (kind) {
        case wire::Event::STREAM_START:
            return 0;
        case wire::Event::CAPS:
            return 1;
        case wire::Event::SEGMENT:
            return 2;
        case wire::Event::EOS:
            return 4;
        default:
            return 3;
    }
}

}  // namespace

void StickyEvents::add(const wire::Event& event, std::uint64_t from, std::uint16_t track) {
    const std::lock_guard lock(mutex_);
    auto events = versions_.empty() ? std::make_shared<std::vector<Sticky>>()
                                    : std::make_shared<std::vector<Sticky>>(*versions_.back().events);
    // A new stream takes nothing of the old one along; a flush forgets the segment and the end.
    std::erase_if(*events, [&](const Sticky& old) {
        if (event.kind() == wire::Event::STREAM_START)
            return old.kind == wire::Event::TAG || old.kind == wire::Event::EOS;
        if (event.kind() == wire::Event::FLUSH)
            return old.kind == wire::Event::SEGMENT || old.kind == wire::Event::EOS;
        return old.kind == event.kind() && old.name == event.name();
    });
    if (event.sticky()) {
        Sticky sticky{event.kind(), event.name(), {}};
        append_frame(sticky.frame, wire::FrameType::Event, event, track, 0, wire::kSnapshot);
        const auto same = std::find_if(events->begin(), events->end(), [&](const Sticky& old) {
            return old.kind == sticky.kind && old.name == sticky.name;
        });
        if (same != events->end())
            *same = std::move(sticky);
        else
            events->insert(std::upper_bound(
                               events->begin(), events->end(), sticky,
                               [](const Sticky& a, const Sticky& b) { return rank(a.kind) < rank(b.kind); }),
                           std::move(sticky));
    }
    versions_.push_back({from, std::move(events)});
}

void StickyEvents::prune(std::uint64_t tail) {
    const std::lock_guard lock(mutex_);
    while (versions_.size() > 1 && versions_[1].from <= tail) versions_.pop_front();
}

std::string StickyEvents::snapshot(std::uint64_t sequence) const {
    const std::lock_guard lock(mutex_);
    std::string frames;
    const auto after = std::find_if(versions_.begin(), versions_.end(),
                                    [sequence](const Version& version) { return version.from > sequence; });
    if (after == versions_.begin()) return frames;
    for (const Sticky& sticky : *std::prev(after)->events) frames += sticky.frame;
    return frames;
}

}  // namespace hawser::session
