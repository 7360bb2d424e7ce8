// One of each frame, with a value in every field that the tests can tell apart.
#pragma once

#include <map>
#include <string>

#include "hawser/wire.pb.h"
#include "proto/wire/header.h"

namespace hawser::wire::sample {

template <std::size_t N>
std::span<std::byte, N> fixed(std::string& bytes, std::size_t at = 0) {
    return std::span<std::byte, N>(reinterpret_cast<std::byte*>(bytes.data()) + at, N);
}
template <std::size_t N>
std::span<const std::byte, N> fixed(const std::string& bytes, std::size_t at = 0) {
    return std::span<const std::byte, N>(reinterpret_cast<const std::byte*>(bytes.data()) + at, N);
}

inline std::string frame(FrameType type, const std::string& body, std::uint16_t track = 0,
                         std::uint64_t sequence = 0, std::uint8_t flags = 0) {
    std::string bytes(kPrefixSize, '\0');
    encode(FramePrefix{static_cast<std::uint32_t>(body.size()), type, flags, track, sequence},
           fixed<kPrefixSize>(bytes));
    return bytes + body;
}

inline ObjectHeader object_header() {
    ObjectHeader header;
    header.pts = 0x0102030405060708;
    header.dts = 0x1112131415161718;
    header.duration = 0x2122232425262728;
    header.offset = 0x3132333435363738;
    header.offset_end = 0x4142434445464748;
    header.group = 0x5152535455565758;
    header.deadline = 0x6162636465666768;
    header.payload_length = 9;
    header.extension_length = 2;
    header.gst_flags = 0x71727374;
    header.caps_id = 0x81828384;
    header.flush_epoch = 0x91929394;
    header.priority = 0xa1;
    return header;
}

inline std::string object() {
    std::string body(kObjectHeaderSize, '\0');
    encode(object_header(), fixed<kObjectHeaderSize>(body));
    return frame(FrameType::Object, body + "\x0a" + std::string(1, '\0') + "payl", 3, 41,
                 kMore | kGroupStart);
}

inline std::string fragment() {
    std::string body(kFragmentHeaderSize, '\0');
    encode_fragment_offset(6, fixed<kFragmentHeaderSize>(body));
    return frame(FrameType::Fragment, body + "oad..", 3, 41);
}

inline Hello hello() {
    Hello message;
    message.set_min_version(1);
    message.set_max_version(1);
    message.set_role(ROLE_SUBSCRIBER);
    message.set_stream("/cam");
    message.set_session(0x1122334455667788);
    message.set_generation(2);
    message.set_agent("hawser/0.1.0");
    return message;
}
inline Welcome welcome() {
    Welcome message;
    message.set_version(1);
    message.set_role(ROLE_PUBLISHER);
    message.set_agent("hawser/0.1.0");
    message.set_epoch(0x99aabbccddeeff00);
    return message;
}
inline Announce announce() {
    Announce message;
    message.set_epoch(0x99aabbccddeeff00);
    auto& track = *message.add_tracks();
    track.set_id(1);
    track.set_name("video");
    track.set_priority(4);
    return message;
}
inline Subscribe subscribe() {
    Subscribe message;
    message.set_epoch(0x99aabbccddeeff00);
    auto& position = *message.add_resume();
    position.set_track(1);
    position.set_name("video");
    position.set_next(41);
    position.set_objects(39);
    return message;
}
inline SubscribeOk subscribe_ok() {
    SubscribeOk message;
    message.set_epoch(0x99aabbccddeeff00);
    message.set_resumed(true);
    auto& start = *message.add_tracks();
    start.set_track(1);
    start.set_start(44);
    start.set_head(50);
    start.set_lost_objects(3);
    start.set_reason(GAP_OVERRUN);
    start.set_running_time(1000000000);
    start.set_replay_objects(6);
    start.set_objects(42);
    message.set_running_time(1000000000);
    return message;
}
inline Event event() {
    Event message;
    message.set_kind(Event::CAPS);
    message.set_sticky(true);
    message.set_text("video/x-vp8");
    return message;
}
inline Gap gap() {
    Gap message;
    message.set_first(41);
    message.set_next(44);
    message.set_lost_objects(3);
    message.set_reason(GAP_SLOW_CLIENT);
    return message;
}
inline Ack ack() {
    Ack message;
    auto& position = *message.add_tracks();
    position.set_track(1);
    position.set_next(44);
    return message;
}
inline Ping ping() {
    Ping message;
    message.set_id(7);
    message.set_sent(1000);
    return message;
}
inline Pong pong() {
    Pong message;
    message.set_id(7);
    message.set_sent(1000);
    message.set_received(2000);
    return message;
}
inline NewGroup new_group() {
    NewGroup message;
    message.set_track(1);
    message.set_all_headers(true);
    message.set_count(1);
    return message;
}
inline Goaway goaway() {
    Goaway message;
    message.set_reason(GOAWAY_ENDED);
    message.set_text("the stream has ended");
    return message;
}
inline Error error() {
    Error message;
    message.set_code(ERROR_UNKNOWN_STREAM);
    message.set_text("no stream \"/came\" here");
    return message;
}

// By the name of their golden file.
inline std::map<std::string, std::string> all() {
    return {
        {"preamble", std::string(kPreamble)},
        {"object", object()},
        {"fragment", fragment()},
        {"event", frame(FrameType::Event, event().SerializeAsString(), 1, 40)},
        {"snapshot", frame(FrameType::Event, event().SerializeAsString(), 1, 0, kSnapshot)},
        {"hello", frame(FrameType::Hello, hello().SerializeAsString())},
        {"welcome", frame(FrameType::Welcome, welcome().SerializeAsString())},
        {"announce", frame(FrameType::Announce, announce().SerializeAsString())},
        {"subscribe", frame(FrameType::Subscribe, subscribe().SerializeAsString())},
        {"subscribe_ok", frame(FrameType::SubscribeOk, subscribe_ok().SerializeAsString())},
        {"gap", frame(FrameType::Gap, gap().SerializeAsString(), 1, 41)},
        {"ack", frame(FrameType::Ack, ack().SerializeAsString())},
        {"ping", frame(FrameType::Ping, ping().SerializeAsString())},
        {"pong", frame(FrameType::Pong, pong().SerializeAsString())},
        {"new_group", frame(FrameType::NewGroup, new_group().SerializeAsString())},
        {"goaway", frame(FrameType::Goaway, goaway().SerializeAsString())},
        {"error", frame(FrameType::Error, error().SerializeAsString())},
    };
}

}  // namespace hawser::wire::sample
