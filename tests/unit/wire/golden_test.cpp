// What is on the wire, byte for byte: golden/*.hex are the truth, encoder and decoder must both agree with
// them. A change of the protocol shows as a change of these files. HAWSER_UPDATE_GOLDEN=1 writes them anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "tests/unit/wire/frames.h"
#include "tests/unit/wire/hex.h"

namespace hawser::wire {
namespace {

const std::filesystem::path kGolden = HAWSER_GOLDEN_DIR;

std::string golden(const std::string& name) {
    std::ifstream file(kGolden / (name + ".hex"));
    EXPECT_TRUE(file) << "no golden file for " << name << "; HAWSER_UPDATE_GOLDEN=1 writes it";
    return from_hex(file);
}

TEST(Golden, EncodersAgree) {
    for (const auto& [name, bytes] : sample::all()) {
        if (std::getenv("HAWSER_UPDATE_GOLDEN")) std::ofstream(kGolden / (name + ".hex")) << to_hex(bytes);
        EXPECT_EQ(to_hex(golden(name)), to_hex(bytes))
            << name << ": the wire has changed; if that is meant, say so in docs/protocol/wire.md and run "
            << "this test with HAWSER_UPDATE_GOLDEN=1";
    }
}

TEST(Golden, EveryFileHasItsFrame) {
    const auto all = sample::all();
    for (const auto& file : std::filesystem::directory_iterator(kGolden))
        EXPECT_TRUE(all.contains(file.path().stem().string())) << file.path();
}

TEST(Golden, PrefixesDecode) {
    struct Expected {
        const char* name;
        FrameType type;
        std::uint8_t flags;
        std::uint16_t track;
        std::uint64_t sequence;
    };
    for (const Expected& one :
         std::initializer_list<Expected>{{"object", FrameType::Object, kMore | kGroupStart, 3, 41},
                                         {"fragment", FrameType::Fragment, 0, 3, 41},
                                         {"event", FrameType::Event, 0, 1, 40},
                                         {"snapshot", FrameType::Event, kSnapshot, 1, 0},
                                         {"hello", FrameType::Hello, 0, 0, 0},
                                         {"welcome", FrameType::Welcome, 0, 0, 0},
                                         {"announce", FrameType::Announce, 0, 0, 0},
                                         {"subscribe", FrameType::Subscribe, 0, 0, 0},
                                         {"subscribe_ok", FrameType::SubscribeOk, 0, 0, 0},
                                         {"gap", FrameType::Gap, 0, 1, 41},
                                         {"ack", FrameType::Ack, 0, 0, 0},
                                         {"ping", FrameType::Ping, 0, 0, 0},
                                         {"pong", FrameType::Pong, 0, 0, 0},
                                         {"new_group", FrameType::NewGroup, 0, 0, 0},
                                         {"goaway", FrameType::Goaway, 0, 0, 0},
                                         {"error", FrameType::Error, 0, 0, 0}}) {
        SCOPED_TRACE(one.name);
        const std::string bytes = golden(one.name);
        ASSERT_GE(bytes.size(), kPrefixSize);
        const FramePrefix prefix = decode_prefix(sample::fixed<kPrefixSize>(bytes));
        EXPECT_EQ(prefix.length, bytes.size() - kPrefixSize);
        EXPECT_EQ(prefix.type, one.type);
        EXPECT_EQ(prefix.flags, one.flags);
        EXPECT_EQ(prefix.track, one.track);
        EXPECT_EQ(prefix.sequence, one.sequence);
        const bool handshake = one.type == FrameType::Hello || one.type == FrameType::Welcome;
        EXPECT_EQ(check_frame(prefix, !handshake), nullptr);
    }
}

TEST(Golden, TheObjectHeaderDecodes) {
    const ObjectHeader header =
        decode_object_header(sample::fixed<kObjectHeaderSize>(golden("object"), kPrefixSize));
    const ObjectHeader want = sample::object_header();
    EXPECT_EQ(header.pts, want.pts);
    EXPECT_EQ(header.dts, want.dts);
    EXPECT_EQ(header.duration, want.duration);
    EXPECT_EQ(header.offset, want.offset);
    EXPECT_EQ(header.offset_end, want.offset_end);
    EXPECT_EQ(header.group, want.group);
    EXPECT_EQ(header.deadline, want.deadline);
    EXPECT_EQ(header.payload_length, want.payload_length);
    EXPECT_EQ(header.extension_length, want.extension_length);
    EXPECT_EQ(header.gst_flags, want.gst_flags);
    EXPECT_EQ(header.caps_id, want.caps_id);
    EXPECT_EQ(header.flush_epoch, want.flush_epoch);
    EXPECT_EQ(header.priority, want.priority);
    EXPECT_EQ(header.body_length(), 11u);
    EXPECT_EQ(decode_fragment_offset(sample::fixed<kFragmentHeaderSize>(golden("fragment"), kPrefixSize)),
              6u);
}

template <typename Message>
void decodes(const char* name, const Message& want) {
    Message message;
    ASSERT_TRUE(message.ParseFromString(golden(name).substr(kPrefixSize))) << name;
    EXPECT_EQ(message.SerializeAsString(), want.SerializeAsString()) << name;
}

TEST(Golden, ControlFramesDecode) {
    decodes("hello", sample::hello());
    decodes("welcome", sample::welcome());
    decodes("announce", sample::announce());
    decodes("subscribe", sample::subscribe());
    decodes("subscribe_ok", sample::subscribe_ok());
    decodes("event", sample::event());
    decodes("gap", sample::gap());
    decodes("ack", sample::ack());
    decodes("ping", sample::ping());
    decodes("pong", sample::pong());
    decodes("new_group", sample::new_group());
    decodes("goaway", sample::goaway());
    decodes("error", sample::error());
}

// Every ```hex block of the document, in order, is the conversation that it shows.
TEST(Golden, TheDocumentsExampleIsTrue) {
    std::ifstream page(HAWSER_WIRE_DOCUMENT);
    ASSERT_TRUE(page);
    std::stringstream hex;
    bool inside = false;
    for (std::string line; std::getline(page, line);) {
        if (line.starts_with("```"))
            inside = line == "```hex";
        else if (inside)
            hex << line << '\n';
    }
    std::string object_body(kObjectHeaderSize, '\0');
    ObjectHeader header;
    header.pts = 0;
    header.payload_length = 5;
    header.group = 1;
    header.caps_id = 1;
    header.priority = 4;
    encode(header, sample::fixed<kObjectHeaderSize>(object_body));
    Subscribe nothing_yet;
    SubscribeOk ok;
    ok.set_epoch(0x99aabbccddeeff00);
    ok.add_tracks()->set_track(1);
    ok.mutable_tracks(0)->set_running_time(kNone);
    ok.set_running_time(kNone);
    const std::string want =
        std::string(kPreamble) + sample::frame(FrameType::Hello, sample::hello().SerializeAsString()) +
        std::string(kPreamble) + sample::frame(FrameType::Welcome, sample::welcome().SerializeAsString()) +
        sample::frame(FrameType::Announce, sample::announce().SerializeAsString()) +
        sample::frame(FrameType::Subscribe, nothing_yet.SerializeAsString()) +
        sample::frame(FrameType::SubscribeOk, ok.SerializeAsString()) +
        sample::frame(FrameType::Event, sample::event().SerializeAsString(), 1, 0) +
        sample::frame(FrameType::Object, object_body + "hello", 1, 1, kGroupStart) + [] {
            Ack ack;
            ack.add_tracks()->set_track(1);
            ack.mutable_tracks(0)->set_next(2);
            return sample::frame(FrameType::Ack, ack.SerializeAsString());
        }();
    EXPECT_EQ(to_hex(from_hex(hex)), to_hex(want));
}

}  // namespace
}  // namespace hawser::wire
