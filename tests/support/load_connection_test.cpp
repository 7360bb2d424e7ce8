#include "tests/support/load_connection.h"

#include <gmock/gmock.h>

#include <memory>
#include <vector>

#include "hawser/wire.pb.h"
#include "tests/support/load_client.h"

namespace hawser::test {
namespace {

using ::testing::HasSubstr;

std::string frame(wire::FrameType type, const std::string& body, std::uint16_t track = 0,
                  std::uint64_t sequence = 0, std::uint8_t flags = 0) {
    std::array<std::byte, wire::kPrefixSize> prefix;
    wire::encode({static_cast<std::uint32_t>(body.size()), type, flags, track, sequence}, prefix);
    return std::string(reinterpret_cast<const char*>(prefix.data()), prefix.size()) + body;
}

std::string content(std::size_t size, std::uint64_t index) {
    std::vector<std::byte> bytes(size);
    write_load_object(bytes, {5, index});
    return {reinterpret_cast<const char*>(bytes.data()), size};
}

std::string object(std::uint64_t sequence, const std::string& body) {
    wire::ObjectHeader header;
    header.payload_length = static_cast<std::uint32_t>(body.size());
    std::array<std::byte, wire::kObjectHeaderSize> bytes;
    wire::encode(header, bytes);
    return frame(wire::FrameType::Object,
                 std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) + body, 1, sequence);
}

class Load : public ::testing::Test {
  protected:
    // The sender's bytes up to SUBSCRIBE_OK, the track starting at 7.
    static std::string greeting() {
        wire::Announce announce;
        announce.set_epoch(1);
        announce.add_tracks()->set_id(1);
        wire::SubscribeOk ok;
        auto* start = ok.add_tracks();
        start->set_track(1);
        start->set_start(7);
        return std::string(wire::kPreamble) +
               frame(wire::FrameType::Welcome, wire::Welcome().SerializeAsString()) +
               frame(wire::FrameType::Announce, announce.SerializeAsString()) +
               frame(wire::FrameType::SubscribeOk, ok.SerializeAsString());
    }
    // All at once, or as if each read brought so many bytes.
    void feed(const std::string& bytes, std::size_t each = 1 << 20) {
        for (std::size_t at = 0; at < bytes.size(); at += each) {
            pending_ += bytes.substr(at, each);
            pending_.erase(0, connection.take(std::as_bytes(std::span(pending_)), 1000));
        }
    }

    LoadOptions options;
    std::unique_ptr<LoadCounters> counters = std::make_unique<LoadCounters>();
    LoadConnection connection{options, *counters, 0};
    std::string pending_;
};

TEST_F(Load, TakesAndCountsObjectsHoweverTheyAreCut) {
    connection.start();
    feed(greeting() + object(7, content(100, 50)) + object(8, content(1000, 51)), 13);
    EXPECT_FALSE(connection.broken()) << connection.trouble();
    EXPECT_TRUE(connection.subscribed());
    EXPECT_EQ(counters->objects, 2U);
    EXPECT_EQ(counters->connections[0].bytes, 1100U);
    EXPECT_EQ(counters->connections[0].first_index, 50U);
    EXPECT_EQ(counters->connections[0].last_index, 51U);
    EXPECT_TRUE(connection.wants_ack());
    connection.write_ack();
    EXPECT_FALSE(connection.wants_ack());
    EXPECT_EQ(counters->acks, 1U);
}

TEST_F(Load, SeesAMissingSequence) {
    feed(greeting() + object(7, content(100, 0)) + object(9, content(100, 1)));
    EXPECT_TRUE(connection.broken());
    EXPECT_THAT(std::string(connection.trouble()), HasSubstr("out of sequence"));
    EXPECT_EQ(counters->wrong, 1U);
}

TEST_F(Load, SeesAnotherContent) {
    std::string damaged = content(100, 0);
    damaged[60] ^= 1;
    feed(greeting() + object(7, damaged));
    EXPECT_THAT(std::string(connection.trouble()), HasSubstr("another content"));
}

TEST_F(Load, SeesAMissingObjectByItsContent) {
    feed(greeting() + object(7, content(100, 0)) + object(8, content(100, 2)));
    EXPECT_THAT(std::string(connection.trouble()), HasSubstr("came after"));
}

TEST_F(Load, FollowsAGap) {
    wire::Gap gap;
    gap.set_first(8);
    gap.set_next(11);
    gap.set_lost_objects(3);
    feed(greeting() + object(7, content(100, 0)) +
         frame(wire::FrameType::Gap, gap.SerializeAsString(), 1, 8) + object(11, content(100, 4)));
    EXPECT_FALSE(connection.broken()) << connection.trouble();
    EXPECT_EQ(counters->lost, 3U);
}

TEST_F(Load, FollowsAGapThatTakesTheObjectUnderWayAlong) {
    wire::ObjectHeader header;
    header.payload_length = 100;
    std::array<std::byte, wire::kObjectHeaderSize> head;
    wire::encode(header, head);
    wire::Gap gap;
    gap.set_first(8);
    gap.set_next(11);
    gap.set_lost_objects(3);
    feed(greeting() + object(7, content(100, 0)) +
         frame(wire::FrameType::Object,
               std::string(reinterpret_cast<const char*>(head.data()), head.size()) +
                   content(100, 1).substr(0, 64),
               1, 8, wire::kMore) +
         frame(wire::FrameType::Gap, gap.SerializeAsString(), 1, 8) + object(11, content(100, 4)));
    EXPECT_FALSE(connection.broken()) << connection.trouble();
    EXPECT_EQ(counters->lost, 3U);
    EXPECT_EQ(counters->objects, 2U);
}

TEST_F(Load, PutsFragmentsTogether) {
    const std::string whole = content(100, 0);
    wire::ObjectHeader header;
    header.payload_length = 100;
    std::array<std::byte, wire::kObjectHeaderSize> head;
    wire::encode(header, head);
    std::array<std::byte, wire::kFragmentHeaderSize> place;
    wire::encode_fragment_offset(64, place);
    feed(greeting() +
         frame(wire::FrameType::Object,
               std::string(reinterpret_cast<const char*>(head.data()), head.size()) + whole.substr(0, 64), 1,
               7, wire::kMore) +
         frame(wire::FrameType::Fragment,
               std::string(reinterpret_cast<const char*>(place.data()), place.size()) + whole.substr(64), 1,
               7));
    EXPECT_FALSE(connection.broken()) << connection.trouble();
    EXPECT_EQ(counters->objects, 1U);
}

TEST_F(Load, AnswersPing) {
    feed(greeting());
    connection.output().clear();
    feed(frame(wire::FrameType::Ping, wire::Ping().SerializeAsString()));
    ASSERT_GE(connection.output().size(), wire::kPrefixSize);
    EXPECT_EQ(connection.output()[4], static_cast<char>(wire::FrameType::Pong));
}

TEST_F(Load, ARawPingIsAByte) {
    options.protocol = LoadProtocol::Raw;
    LoadConnection raw(options, *counters, 0);
    raw.start();
    raw.write_ping(0);
    EXPECT_EQ(raw.output(), ".");
}

TEST_F(Load, CutsRawObjects) {
    options.protocol = LoadProtocol::Raw;
    options.object_size = 100;
    feed(content(100, 3) + content(100, 4) + content(50, 5), 77);
    EXPECT_FALSE(connection.broken()) << connection.trouble();
    EXPECT_EQ(counters->objects, 2U);
    feed(content(100, 9));
    EXPECT_TRUE(connection.broken());
}

}  // namespace
}  // namespace hawser::test
