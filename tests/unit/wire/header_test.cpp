#include "proto/wire/header.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <set>
#include <string>

namespace hawser::wire {
namespace {

TEST(Header, EveryFieldHasItsPlace) {
    EXPECT_EQ(offsetof(FramePrefix, length), 0u);
    EXPECT_EQ(offsetof(FramePrefix, type), 4u);
    EXPECT_EQ(offsetof(FramePrefix, flags), 5u);
    EXPECT_EQ(offsetof(FramePrefix, track), 6u);
    EXPECT_EQ(offsetof(FramePrefix, sequence), 8u);
    EXPECT_EQ(offsetof(ObjectHeader, pts), 0u);
    EXPECT_EQ(offsetof(ObjectHeader, dts), 8u);
    EXPECT_EQ(offsetof(ObjectHeader, duration), 16u);
    EXPECT_EQ(offsetof(ObjectHeader, offset), 24u);
    EXPECT_EQ(offsetof(ObjectHeader, offset_end), 32u);
    EXPECT_EQ(offsetof(ObjectHeader, group), 40u);
    EXPECT_EQ(offsetof(ObjectHeader, deadline), 48u);
    EXPECT_EQ(offsetof(ObjectHeader, payload_length), 56u);
    EXPECT_EQ(offsetof(ObjectHeader, extension_length), 60u);
    EXPECT_EQ(offsetof(ObjectHeader, gst_flags), 64u);
    EXPECT_EQ(offsetof(ObjectHeader, caps_id), 68u);
    EXPECT_EQ(offsetof(ObjectHeader, flush_epoch), 72u);
    EXPECT_EQ(offsetof(ObjectHeader, priority), 76u);
    EXPECT_EQ(offsetof(ObjectHeader, reserved), 77u);
}

TEST(Header, NamesAreUniqueAndNumbersFixed) {
    std::set<std::string> names;
    int known = 0;
    for (int type = 0; type < 256; ++type) {
        if (!is_known(static_cast<FrameType>(type))) continue;
        ++known;
        names.insert(to_string(static_cast<FrameType>(type)));
        EXPECT_TRUE((type >= 1 && type <= 3) || (type >= 16 && type <= 27)) << type;
    }
    EXPECT_EQ(known, 15);
    EXPECT_EQ(names.size(), 15u);
}

bool stands(FrameType type, std::uint64_t length, std::uint16_t track, bool handshake_done = true) {
    return check_frame({static_cast<std::uint32_t>(length), type, 0, track, 0}, handshake_done) == nullptr;
}

TEST(CheckFrame, LengthsOfData) {
    EXPECT_FALSE(stands(FrameType::Object, 79, 1));
    EXPECT_TRUE(stands(FrameType::Object, 80, 1));
    EXPECT_TRUE(stands(FrameType::Object, 80 + kMaxFragment, 1));
    EXPECT_FALSE(stands(FrameType::Object, 80 + kMaxFragment + 1, 1));
    EXPECT_FALSE(stands(FrameType::Fragment, 0, 1));
    EXPECT_FALSE(stands(FrameType::Fragment, 8, 1));
    EXPECT_TRUE(stands(FrameType::Fragment, 9, 1));
    EXPECT_TRUE(stands(FrameType::Fragment, 8 + kMaxFragment, 1));
    EXPECT_FALSE(stands(FrameType::Fragment, 8 + kMaxFragment + 1, 1));
}

TEST(CheckFrame, LengthsOfControl) {
    for (const FrameType type : {FrameType::Announce, FrameType::Subscribe, FrameType::SubscribeOk,
                                 FrameType::Ack, FrameType::Ping, FrameType::Pong, FrameType::NewGroup,
                                 FrameType::Goaway, FrameType::Error, FrameType::Event, FrameType::Gap}) {
        EXPECT_TRUE(stands(type, 0, 1)) << to_string(type);
        EXPECT_TRUE(stands(type, kMaxControl, 1)) << to_string(type);
        EXPECT_FALSE(stands(type, kMaxControl + 1, 1)) << to_string(type);
        EXPECT_FALSE(stands(type, 0xffffffff, 1)) << to_string(type);
    }
}

TEST(CheckFrame, TrackZeroIsTheConnection) {
    for (const FrameType type : {FrameType::Object, FrameType::Fragment, FrameType::Event, FrameType::Gap})
        EXPECT_FALSE(stands(type, 100, 0)) << to_string(type);
    for (const FrameType type : {FrameType::Announce, FrameType::Ping, FrameType::Error})
        EXPECT_TRUE(stands(type, 100, 0)) << to_string(type);
}

TEST(CheckFrame, BeforeTheHandshake) {
    for (int number = 0; number < 256; ++number) {
        const auto type = static_cast<FrameType>(number);
        const bool may = type == FrameType::Hello || type == FrameType::Welcome ||
                         type == FrameType::Goaway || type == FrameType::Error;
        EXPECT_EQ(stands(type, kMaxHandshake, 0, false), may) << number;
        EXPECT_FALSE(stands(type, kMaxHandshake + 1, 0, false)) << number;
    }
}

TEST(CheckFrame, ASecondHandshake) {
    EXPECT_FALSE(stands(FrameType::Hello, 10, 0));
    EXPECT_FALSE(stands(FrameType::Welcome, 10, 0));
}

}  // namespace
}  // namespace hawser::wire
