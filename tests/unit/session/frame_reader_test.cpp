#include "runtime/session/frame_reader.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "hawser/wire.pb.h"
#include "runtime/base/random.h"
#include "runtime/session/connection.h"

namespace hawser::session {
namespace {

// A stream that holds bytes, given out `piece` at a time.
struct StringStream final : io::Stream {
    StringStream(std::string all, std::size_t piece) : bytes(std::move(all)), piece_(piece) {}
    void set_handler(io::StreamHandler*) override {}
    io::IoResult read(std::span<const iovec> into) override {
        if (at == bytes.size()) return {io::IoResult::Status::WouldBlock};
        ++reads;
        std::size_t left = std::min(piece_, bytes.size() - at);
        std::size_t done = 0;
        for (const iovec& part : into) {
            const std::size_t size = std::min(left, part.iov_len);
            if (part.iov_base >= landing_begin && part.iov_base < landing_end) landed += size;
            std::memcpy(part.iov_base, bytes.data() + at, size);
            at += size;
            left -= size;
            done += size;
        }
        return {io::IoResult::Status::Done, done};
    }
    io::IoResult write(std::span<const iovec>) override { return {io::IoResult::Status::WouldBlock}; }
    void abort_on_close() override {}
    std::string peer_address() const override { return "here:1"; }
    void watch_readable(bool) override {}
    int descriptor() const override { return -1; }
    Fd release() override { return {}; }

    std::string bytes;
    std::size_t at = 0;
    std::size_t reads = 0;
    // What was read straight into this memory is counted.
    const void* landing_begin = nullptr;
    const void* landing_end = nullptr;
    std::size_t landed = 0;

  private:
    std::size_t piece_;
};

struct Recorder final : FrameSink {
    Result<void> on_frame(const wire::FramePrefix& prefix, std::span<const std::byte> body) override {
        seen.push_back(std::string(wire::to_string(prefix.type)) + " " + std::to_string(body.size()));
        return {};
    }
    Result<std::optional<Landing>> on_object(const wire::FramePrefix&, const wire::ObjectHeader& header,
                                             std::size_t chunk) override {
        if (header.body_length() > 1 << 20 || chunk > header.body_length())
            return Error{Errc::Protocol, "lengths"};
        memory.assign(header.body_length(), '\0');
        filled = 0;
        return land(chunk);
    }
    Result<std::optional<Landing>> on_fragment(const wire::FramePrefix&, std::uint64_t offset,
                                               std::size_t chunk) override {
        if (offset != filled || chunk > memory.size() - filled) return Error{Errc::Protocol, "offset"};
        return land(chunk);
    }
    Result<std::optional<Landing>> land(std::size_t chunk) {
        Landing landing;
        landing.first = {reinterpret_cast<std::byte*>(memory.data()) + filled, chunk / 3};
        landing.second = {reinterpret_cast<std::byte*>(memory.data()) + filled + chunk / 3,
                          chunk - chunk / 3};
        filled += chunk;
        return std::optional(landing);
    }
    Result<void> on_chunk(const wire::FramePrefix&) override {
        if (filled == memory.size()) seen.push_back("object " + memory);
        return {};
    }
    bool wants_more() const override { return seen.size() < most; }

    std::string memory;
    std::size_t filled = 0;
    std::size_t most = SIZE_MAX;
    std::vector<std::string> seen;
};

std::string prefix_bytes(std::uint32_t length, wire::FrameType type, std::uint8_t flags = 0,
                         std::uint16_t track = 1) {
    std::string bytes(wire::kPrefixSize, '\0');
    wire::encode({length, type, flags, track, 0},
                 std::span<std::byte, wire::kPrefixSize>(reinterpret_cast<std::byte*>(bytes.data()), 16));
    return bytes;
}

std::string object_bytes(const std::string& body, std::size_t split) {
    std::string bytes =
        prefix_bytes(80 + split, wire::FrameType::Object, split < body.size() ? wire::kMore : 0);
    wire::ObjectHeader header;
    header.payload_length = static_cast<std::uint32_t>(body.size());
    std::string encoded(wire::kObjectHeaderSize, '\0');
    wire::encode(header, std::span<std::byte, 80>(reinterpret_cast<std::byte*>(encoded.data()), 80));
    bytes += encoded + body.substr(0, split);
    if (split < body.size()) {
        bytes += prefix_bytes(8 + body.size() - split, wire::FrameType::Fragment);
        std::string offset(8, '\0');
        wire::encode_fragment_offset(split,
                                     std::span<std::byte, 8>(reinterpret_cast<std::byte*>(offset.data()), 8));
        bytes += offset + body.substr(split);
    }
    return bytes;
}

std::string conversation() {
    std::string bytes(wire::kPreamble);
    wire::Hello hello;
    hello.set_stream("/cam");
    append_frame(bytes, wire::FrameType::Hello, hello);
    return bytes;
}

std::string data() {
    std::string bytes;
    wire::Ping ping;
    ping.set_id(7);
    append_frame(bytes, wire::FrameType::Ping, ping);
    bytes += object_bytes("hello, world", 12);
    bytes += object_bytes(std::string(5000, 'x'), 2000);
    bytes += prefix_bytes(5, static_cast<wire::FrameType>(200)) + "skips";
    bytes += object_bytes("", 0);
    return bytes;
}

TEST(FrameReader, CutsFramesWhateverThePieces) {
    for (const std::size_t piece : {1u, 2u, 3u, 7u, 16u, 100u, 1000u, 100000u}) {
        FrameReader reader(256);
        Recorder sink;
        StringStream hello(conversation(), piece);
        ASSERT_TRUE(reader.read(hello, sink).ok());
        reader.set_handshake_done();
        StringStream rest(data(), piece);
        auto outcome = reader.read(rest, sink);
        ASSERT_TRUE(outcome.ok()) << outcome.error().message;
        EXPECT_EQ(*outcome, FrameReader::Outcome::WouldBlock);
        EXPECT_EQ(sink.seen, (std::vector<std::string>{"HELLO 6", "PING 2", "object hello, world",
                                                       "object " + std::string(5000, 'x'), "object "}))
            << piece;
    }
}

TEST(FrameReader, PausesAtAFramesEnd) {
    FrameReader reader(4096);
    Recorder sink;
    sink.most = 1;
    StringStream stream(conversation() + data(), 100000);
    reader.set_handshake_done();
    // A HELLO after the handshake would be an error; look at the data alone.
    FrameReader fresh(4096);
    fresh.set_handshake_done();
    StringStream only(std::string(wire::kPreamble) + data(), 100000);
    auto outcome = fresh.read(only, sink);
    ASSERT_TRUE(outcome.ok());
    EXPECT_EQ(*outcome, FrameReader::Outcome::Paused);
    EXPECT_EQ(sink.seen.size(), 1u);
    sink.most = SIZE_MAX;
    outcome = fresh.read(only, sink);
    ASSERT_TRUE(outcome.ok());
    EXPECT_EQ(sink.seen.size(), 4u);
}

TEST(FrameReader, AnotherProtocolIsNamed) {
    for (const std::string other :
         {"HTTP/1.1 400 Bad Request\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "HAWSER/2", "\x16\x03\x01"}) {
        FrameReader reader(256);
        Recorder sink;
        StringStream stream(other, 5);
        auto outcome = reader.read(stream, sink);
        ASSERT_FALSE(outcome.ok()) << other;
        EXPECT_NE(outcome.error().message.find("does not speak Hawser"), std::string::npos);
    }
}

TEST(FrameReader, LengthsAreBoundedBeforeAnythingIsAllocated) {
    struct Case {
        std::uint32_t length;
        wire::FrameType type;
        bool handshake_done;
    };
    for (const Case& bad : std::vector<Case>{{4097, wire::FrameType::Hello, false},
                                             {10, wire::FrameType::Subscribe, false},
                                             {10, static_cast<wire::FrameType>(99), false},
                                             {0xffffffff, wire::FrameType::Event, true},
                                             {wire::kMaxControl + 1, wire::FrameType::Ack, true},
                                             {79, wire::FrameType::Object, true},
                                             {80 + 65537, wire::FrameType::Object, true},
                                             {8, wire::FrameType::Fragment, true},
                                             {10, wire::FrameType::Hello, true}}) {
        FrameReader reader(256);
        Recorder sink;
        if (bad.handshake_done) reader.set_handshake_done();
        StringStream stream(std::string(wire::kPreamble) + prefix_bytes(bad.length, bad.type), 100);
        EXPECT_FALSE(reader.read(stream, sink).ok()) << bad.length << " " << wire::to_string(bad.type);
        EXPECT_TRUE(sink.seen.empty());
    }
}

TEST(FrameReader, UnknownTypesAreSkippedUnlessCritical) {
    FrameReader reader(256);
    reader.set_handshake_done();
    Recorder sink;
    StringStream skipped(
        std::string(wire::kPreamble) + prefix_bytes(3, static_cast<wire::FrameType>(99)) + "abc", 2);
    EXPECT_TRUE(reader.read(skipped, sink).ok());
    StringStream critical(prefix_bytes(3, static_cast<wire::FrameType>(99), wire::kCritical) + "abc", 2);
    EXPECT_FALSE(reader.read(critical, sink).ok());
}

TEST(FrameReader, EveryTruncationWaitsForMore) {
    const std::string all = std::string(wire::kPreamble) + data();
    for (std::size_t size = 0; size < all.size(); ++size) {
        FrameReader reader(256);
        reader.set_handshake_done();
        Recorder sink;
        StringStream stream(all.substr(0, size), 1000);
        auto outcome = reader.read(stream, sink);
        ASSERT_TRUE(outcome.ok()) << size;
        EXPECT_EQ(*outcome, FrameReader::Outcome::WouldBlock);
        EXPECT_EQ(stream.at, size);
    }
}

TEST(FrameReader, NothingIsHeldAtAFramesEnd) {
    FrameReader reader(2048);
    Recorder sink;
    StringStream hello(conversation(), 5);
    ASSERT_TRUE(reader.read(hello, sink).ok());
    EXPECT_EQ(reader.held(), 0u);
    reader.set_handshake_done();
    for (std::size_t size = 1; size < 16; ++size) {
        std::string frame = prefix_bytes(100, wire::FrameType::Ack) + std::string(100, 'a');
        StringStream first(frame.substr(0, size), 1000);
        ASSERT_TRUE(reader.read(first, sink).ok());
        EXPECT_LE(reader.held(), 16u);
        StringStream second(frame.substr(size), 1000);
        ASSERT_TRUE(reader.read(second, sink).ok());
        EXPECT_EQ(reader.held(), 0u);
        EXPECT_EQ(sink.seen.back(), "ACK 100");
    }
}

// A long frame that comes in pieces is put together; one that is only promised costs next to nothing.
TEST(FrameReader, ALongControlFrameGrowsAsItComes) {
    for (const std::size_t piece : {100u, 5000u, 1u << 20}) {
        FrameReader reader(2048);
        reader.set_handshake_done();
        Recorder sink;
        const std::string frame =
            prefix_bytes(wire::kMaxControl, wire::FrameType::Event) + std::string(wire::kMaxControl, 'e');
        StringStream promised(std::string(wire::kPreamble) + frame.substr(0, 16), piece);
        ASSERT_TRUE(reader.read(promised, sink).ok());
        EXPECT_LE(reader.held(), 1024u);
        StringStream stream(frame.substr(16) + data(), piece);
        for (;;) {
            auto outcome = reader.read(stream, sink);
            ASSERT_TRUE(outcome.ok());
            if (*outcome == FrameReader::Outcome::WouldBlock) break;
            EXPECT_EQ(*outcome, FrameReader::Outcome::Budget);
        }
        ASSERT_EQ(sink.seen.size(), 5u);
        EXPECT_EQ(sink.seen[0], "EVENT " + std::to_string(wire::kMaxControl));
        EXPECT_EQ(reader.held(), 0u);
    }
}

// What a pause leaves unread may begin with anything, and end anywhere.
TEST(FrameReader, GoesOnAfterAPauseWhateverWasLeft) {
    const std::string all = data() + prefix_bytes(3000, wire::FrameType::Ack) + std::string(3000, 'a');
    for (const std::size_t piece : {1u, 10u, 300u, 3000u, 100000u}) {
        FrameReader reader(128 * 1024);
        reader.set_handshake_done();
        Recorder sink;
        StringStream stream(std::string(wire::kPreamble) + all + all, piece);
        for (sink.most = 0;; ++sink.most) {
            auto outcome = reader.read(stream, sink);
            ASSERT_TRUE(outcome.ok());
            if (*outcome == FrameReader::Outcome::WouldBlock) break;
            EXPECT_EQ(sink.seen.size(), sink.most);
        }
        EXPECT_EQ(sink.seen.size(), 10u);
        EXPECT_EQ(sink.seen.back(), "ACK 3000");
    }
}

TEST(FrameReader, LargeObjectsLandInTheirPlace) {
    FrameReader reader(128 * 1024);
    reader.set_handshake_done();
    Recorder sink;
    sink.memory.reserve(60000);
    std::string all(wire::kPreamble);
    constexpr std::size_t kObjects = 50;
    for (std::size_t i = 0; i < kObjects; ++i) all += object_bytes(std::string(60000, 'x'), 40000);
    StringStream stream(all, all.size());
    stream.landing_begin = sink.memory.data();
    stream.landing_end = sink.memory.data() + 60000;
    while (*reader.read(stream, sink) != FrameReader::Outcome::WouldBlock) {
    }
    EXPECT_EQ(sink.seen.size(), kObjects);
    EXPECT_EQ(sink.seen.back(), "object " + std::string(60000, 'x'));
    EXPECT_GT(stream.landed, kObjects * 60000 * 98 / 100);  // copied: what came along with a header
    EXPECT_LE(stream.reads, 2 * kObjects + 3);              // one for each fragment
}

TEST(FrameReader, SmallObjectsComeManyInACall) {
    FrameReader reader(128 * 1024);
    reader.set_handshake_done();
    Recorder sink;
    std::string all(wire::kPreamble);
    constexpr std::size_t kObjects = 10000;
    for (std::size_t i = 0; i < kObjects; ++i) all += object_bytes(std::string(100, 'x'), 100);
    StringStream stream(all, all.size());
    while (*reader.read(stream, sink) != FrameReader::Outcome::WouldBlock) {
    }
    EXPECT_EQ(sink.seen.size(), kObjects);
    EXPECT_LE(stream.reads, 10 + all.size() / (128 * 1024));
}

// A subscriber in a callback of another's reading reads by itself.
TEST(FrameReader, ReadsInsideOfAnothersCallback) {
    struct Nested final : FrameSink {
        Result<void> on_frame(const wire::FramePrefix&, std::span<const std::byte> body) override {
            const std::string before(reinterpret_cast<const char*>(body.data()), body.size());
            FrameReader inner(2048);
            inner.set_handshake_done();
            StringStream stream(std::string(wire::kPreamble) + data(), 1000);
            EXPECT_TRUE(inner.read(stream, recorder).ok());
            EXPECT_EQ(before, std::string(reinterpret_cast<const char*>(body.data()), body.size()));
            return {};
        }
        Result<std::optional<Landing>> on_object(const wire::FramePrefix&, const wire::ObjectHeader&,
                                                 std::size_t) override {
            return std::optional<Landing>{};
        }
        Result<std::optional<Landing>> on_fragment(const wire::FramePrefix&, std::uint64_t,
                                                   std::size_t) override {
            return std::optional<Landing>{};
        }
        Result<void> on_chunk(const wire::FramePrefix&) override { return {}; }
        bool wants_more() const override { return true; }
        Recorder recorder;
    };
    FrameReader reader(2048);
    reader.set_handshake_done();
    Nested sink;
    StringStream stream(
        std::string(wire::kPreamble) + prefix_bytes(1000, wire::FrameType::Ack) + std::string(1000, 'a'),
        5000);
    ASSERT_TRUE(reader.read(stream, sink).ok());
    EXPECT_EQ(sink.recorder.seen.size(), 4u);
}

TEST(FrameReader, RandomBytesNeverHarm) {
    SeededRandom random(42);
    const std::string good = data();
    for (int round = 0; round < 20000; ++round) {
        std::string bytes = good;
        if (round % 2) {
            for (int flips = 1 + static_cast<int>(random.below(8)); flips > 0; --flips)
                bytes[random.below(bytes.size())] = static_cast<char>(random.next());
        } else {
            bytes.resize(random.below(400));
            for (char& byte : bytes) byte = static_cast<char>(random.next());
        }
        FrameReader reader(256);
        if (round % 3) reader.set_handshake_done();
        Recorder sink;
        StringStream stream(std::string(wire::kPreamble) + bytes, 1 + random.below(3000));
        const auto outcome = reader.read(stream, sink);
        (void)outcome.ok();
        ASSERT_LE(stream.at, stream.bytes.size());
    }
}

}  // namespace
}  // namespace hawser::session
