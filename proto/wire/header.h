// The packed part of the Hawser wire protocol: preamble, frame prefix, object header. docs/protocol/wire.md
// is normative. Pure functions on bytes; no allocation, no state. All integers are little-endian.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

namespace hawser::wire {

// Both sides send these eight bytes first. The digit is the framing's version; all else is agreed on in
// HELLO/WELCOME.
inline constexpr std::string_view kPreamble = "HAWSER/1";
inline constexpr std::uint32_t kVersion = 1;

inline constexpr std::size_t kPrefixSize = 16;
inline constexpr std::size_t kObjectHeaderSize = 80;
inline constexpr std::size_t kFragmentHeaderSize = 8;
inline constexpr std::size_t kMaxFragment = 64 * 1024;  // bytes of an object's body in one frame
// What a publisher puts into one, unless the link is narrow: with its head it fits into one of TCP's largest
// packets (65,483 bytes on Linux's loopback, 65,160 on Ethernet). What is left of a body goes into one frame
// as soon as that is allowed, so that no tiny one comes last.
inline constexpr std::size_t kUsualFragment = 65'024;
constexpr std::size_t usual_fragment(std::size_t left) {
    return left <= kMaxFragment ? left : kUsualFragment;
}
inline constexpr std::size_t kMaxControl = 1024 * 1024;    // a control or EVENT frame
inline constexpr std::size_t kMaxHandshake = 4 * 1024;     // a frame before the handshake is done
inline constexpr std::size_t kMaxExtension = 1024 * 1024;  // an object's extension
inline constexpr std::size_t kMaxTracks = 256;             // that a publisher may announce
inline constexpr std::size_t kMaxTrackName = 256;          // bytes
inline constexpr std::uint64_t kNone =
    std::numeric_limits<std::uint64_t>::max();  // "no timestamp", as GST_CLOCK_TIME_NONE

enum class FrameType : std::uint8_t {
    Object = 1,    // header and the beginning of the body
    Fragment = 2,  // more of the body
    Event = 3,
    Hello = 16,
    Welcome = 17,
    Announce = 18,
    Subscribe = 19,
    SubscribeOk = 20,
    Gap = 21,
    Ack = 22,
    Ping = 23,
    Pong = 24,
    NewGroup = 25,
    Goaway = 26,
    Error = 27,
};
// Short stable name ("SUBSCRIBE"); "?" for a type this version does not know.
const char* to_string(FrameType type);
bool is_known(FrameType type);

// Frame flags.
inline constexpr std::uint8_t kCritical = 1 << 0;  // a receiver that does not know the type must close
inline constexpr std::uint8_t kMore =
    1 << 1;  // OBJECT, FRAGMENT: the body goes on in the track's next FRAGMENT
inline constexpr std::uint8_t kSnapshot =
    1 << 2;  // EVENT: a sticky event repeated for a joiner, outside the sequence
inline constexpr std::uint8_t kGroupStart = 1 << 3;  // OBJECT: decoding can start here

struct FramePrefix {
    std::uint32_t length = 0;  // bytes after the prefix
    FrameType type{};
    std::uint8_t flags = 0;
    std::uint16_t track = 0;  // 0: the connection itself
    std::uint64_t sequence = 0;
};

// Body = extension (ObjectExtension message), then payload.
struct ObjectHeader {
    std::uint64_t pts = kNone;  // ns
    std::uint64_t dts = kNone;
    std::uint64_t duration = kNone;
    std::uint64_t offset = kNone;  // GST_BUFFER_OFFSET
    std::uint64_t offset_end = kNone;
    std::uint64_t group = 0;         // number of the group in its track
    std::uint64_t deadline = kNone;  // publisher's monotonic clock, ns: worthless after that
    std::uint32_t payload_length = 0;
    std::uint32_t extension_length = 0;
    std::uint32_t gst_flags = 0;    // GST_BUFFER_FLAGS
    std::uint32_t caps_id = 0;      // number of the CAPS event in force
    std::uint32_t flush_epoch = 0;  // number of flushes before it
    std::uint8_t priority = 0;      // the track's class when it was published
    std::uint8_t reserved[3] = {};  // sent as zero, ignored

    std::uint64_t body_length() const { return std::uint64_t{payload_length} + extension_length; }
};
static_assert(sizeof(ObjectHeader) == kObjectHeaderSize);
static_assert(offsetof(ObjectHeader, deadline) == 48 && offsetof(ObjectHeader, payload_length) == 56 &&
              offsetof(ObjectHeader, gst_flags) == 64 && offsetof(ObjectHeader, priority) == 76);

void encode(const FramePrefix& prefix, std::span<std::byte, kPrefixSize> into);
void encode(const ObjectHeader& header, std::span<std::byte, kObjectHeaderSize> into);
void encode_fragment_offset(std::uint64_t offset, std::span<std::byte, kFragmentHeaderSize> into);

// Never fail: any 16 or 80 bytes are a prefix or a header; check_frame() and the session judge what they say.
FramePrefix decode_prefix(std::span<const std::byte, kPrefixSize> bytes);
ObjectHeader decode_object_header(std::span<const std::byte, kObjectHeaderSize> bytes);
std::uint64_t decode_fragment_offset(std::span<const std::byte, kFragmentHeaderSize> bytes);

// Whether a prefix may stand: its length within the bounds of its type. Null where it may, else what is
// wrong.
const char* check_frame(const FramePrefix& prefix, bool handshake_done);

}  // namespace hawser::wire
