// What hostile peers say: frames that are well-formed one by one.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/unit/session/pair.h"
#include "tests/unit/session/raw_peer.h"

namespace hawser::session {

using wire::FrameType;

inline constexpr std::uint64_t kEpoch = 77;

inline std::string hello(wire::Role role, std::uint64_t session = 5, std::uint32_t generation = 1) {
    wire::Hello message;
    message.set_min_version(1);
    message.set_max_version(1);
    message.set_role(role);
    message.set_stream("/cam");
    message.set_session(session);
    message.set_generation(generation);
    message.set_epoch(role == wire::ROLE_PUBLISHER ? kEpoch : 0);
    return std::string(wire::kPreamble) + message_frame(FrameType::Hello, message);
}

using Tracks = std::vector<std::pair<std::uint32_t, std::string>>;

inline std::string announce(const Tracks& tracks, std::uint64_t epoch = kEpoch) {
    wire::Announce message;
    message.set_epoch(epoch);
    for (const auto& [id, name] : tracks) {
        auto& track = *message.add_tracks();
        track.set_id(id);
        track.set_name(name);
    }
    return message_frame(FrameType::Announce, message);
}

struct At {
    std::uint32_t track = 1;
    std::uint64_t start = 0, head = 0, lost = 0;
};

inline std::string subscribe_ok(const std::vector<At>& tracks, std::uint64_t epoch = kEpoch) {
    wire::SubscribeOk message;
    message.set_epoch(epoch);
    for (const At& at : tracks) {
        auto& start = *message.add_tracks();
        start.set_track(at.track);
        start.set_start(at.start);
        start.set_head(at.head);
        start.set_lost_objects(at.lost);
    }
    return message_frame(FrameType::SubscribeOk, message);
}

inline std::string gap(std::uint64_t first, std::uint64_t next, std::uint64_t lost, std::uint16_t track = 1) {
    wire::Gap message;
    message.set_first(first);
    message.set_next(next);
    message.set_lost_objects(lost);
    return message_frame(FrameType::Gap, message, track, first);
}

inline std::string event(std::uint64_t sequence, const std::string& text = "text", std::uint8_t flags = 0,
                         std::uint16_t track = 1) {
    wire::Event message;
    message.set_kind(wire::Event::CUSTOM);
    message.set_text(text);
    return message_frame(FrameType::Event, message, track, sequence, flags);
}

inline wire::ObjectHeader lengths(std::uint32_t payload, std::uint32_t extension = 0) {
    wire::ObjectHeader header;
    header.payload_length = payload;
    header.extension_length = extension;
    return header;
}

}  // namespace hawser::session
