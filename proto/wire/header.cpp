#include "proto/wire/header.h"

#include <bit>
#include <cstring>

namespace hawser::wire {

// The structs are laid out as the wire is; a big-endian host would swap each field here.
static_assert(std::endian::native == std::endian::little, "the codec copies structs as they are");
static_assert(offsetof(FramePrefix, type) == 4 && offsetof(FramePrefix, flags) == 5 &&
              offsetof(FramePrefix, track) == 6 && offsetof(FramePrefix, sequence) == 8 &&
              sizeof(FramePrefix) == kPrefixSize);

void encode(const FramePrefix& prefix, std::span<std::byte, kPrefixSize> into) {
    std::memcpy(into.data(), &prefix, kPrefixSize);
}

void encode(const ObjectHeader& header, std::span<std::byte, kObjectHeaderSize> into) {
    std::memcpy(into.data(), &header, kObjectHeaderSize);
}

void encode_fragment_offset(std::uint64_t offset, std::span<std::byte, kFragmentHeaderSize> into) {
    std::memcpy(into.data(), &offset, sizeof offset);
}

FramePrefix decode_prefix(std::span<const std::byte, kPrefixSize> bytes) {
    FramePrefix prefix;
    std::memcpy(&prefix, bytes.data(), kPrefixSize);
    return prefix;
}

ObjectHeader decode_object_header(std::span<const std::byte, kObjectHeaderSize> bytes) {
    ObjectHeader header;
    std::memcpy(&header, bytes.data(), kObjectHeaderSize);
    return header;
}

std::uint64_t decode_fragment_offset(std::span<const std::byte, kFragmentHeaderSize> bytes) {
    std::uint64_t offset;
    std::memcpy(&offset, bytes.data(), sizeof offset);
    return offset;
}

const char* to_string(FrameType type) {
    switch (type) {
        case FrameType::Object:
            return "OBJECT";
        case FrameType::Fragment:
            return "FRAGMENT";
        case FrameType::Event:
            return "EVENT";
        case FrameType::Hello:
            return "HELLO";
        case FrameType::Welcome:
            return "WELCOME";
        case FrameType::Announce:
            return "ANNOUNCE";
        case FrameType::Subscribe:
            return "SUBSCRIBE";
        case FrameType::SubscribeOk:
            return "SUBSCRIBE_OK";
        case FrameType::Gap:
            return "GAP";
        case FrameType::Ack:
            return "ACK";
        case FrameType::Ping:
            return "PING";
        case FrameType::Pong:
            return "PONG";
        case FrameType::NewGroup:
            return "NEW_GROUP";
        case FrameType::Goaway:
            return "GOAWAY";
        case FrameType::Error:
            return "ERROR";
    }
    return "?";
}

bool is_known(FrameType type) {
    return to_string(type)[0] != '?';
}

const char* check_frame(const FramePrefix& prefix, bool handshake_done) {
    if (!handshake_done) {
        if (prefix.type != FrameType::Hello && prefix.type != FrameType::Welcome &&
            prefix.type != FrameType::Error && prefix.type != FrameType::Goaway)
            return "a frame other than HELLO, WELCOME, GOAWAY or ERROR before the handshake is done";
        return prefix.length > kMaxHandshake ? "a handshake frame longer than 4 KiB" : nullptr;
    }
    switch (prefix.type) {
        case FrameType::Object:
            if (prefix.length < kObjectHeaderSize) return "an OBJECT shorter than its header";
            if (prefix.length > kObjectHeaderSize + kMaxFragment)
                return "an OBJECT with more than 64 KiB of body";
            return prefix.track == 0 ? "an OBJECT on track 0" : nullptr;
        case FrameType::Fragment:
            if (prefix.length <= kFragmentHeaderSize) return "an empty FRAGMENT";
            if (prefix.length > kFragmentHeaderSize + kMaxFragment) return "a FRAGMENT of more than 64 KiB";
            return prefix.track == 0 ? "a FRAGMENT on track 0" : nullptr;
        case FrameType::Hello:
        case FrameType::Welcome:
            return "a second handshake";
        case FrameType::Event:
        case FrameType::Gap:
            if (prefix.track == 0) return "an EVENT or GAP on track 0";
            break;
        default:
            break;
    }
    return prefix.length > kMaxControl ? "a control frame longer than 1 MiB" : nullptr;
}

}  // namespace hawser::wire
