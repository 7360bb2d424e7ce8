#include "runtime/session/sticky.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proto/wire/header.h"

namespace hawser::session {
namespace {

using wire::Event;

struct StickyTest : testing::Test {
    StickyEvents sticky;

    void add(Event::Kind kind, const std::string& text, std::uint64_t from, const std::string& name = {},
             bool is_sticky = true) {
        Event event;
        event.set_kind(kind);
        event.set_sticky(is_sticky);
        event.set_text(text);
        event.set_name(name);
        sticky.add(event, from, 9);
    }

    // The texts of a snapshot's events.
    std::vector<std::string> at(std::uint64_t sequence) {
        const std::string frames = sticky.snapshot(sequence);
        std::vector<std::string> texts;
        for (std::size_t place = 0; place < frames.size();) {
            const wire::FramePrefix prefix =
                wire::decode_prefix(std::span<const std::byte, wire::kPrefixSize>(
                    reinterpret_cast<const std::byte*>(frames.data() + place), wire::kPrefixSize));
            EXPECT_EQ(prefix.type, wire::FrameType::Event);
            EXPECT_EQ(prefix.flags, wire::kSnapshot);
            EXPECT_EQ(prefix.track, 9u);
            EXPECT_EQ(prefix.sequence, 0u);
            Event event;
            EXPECT_TRUE(event.ParseFromString(frames.substr(place + wire::kPrefixSize, prefix.length)));
            texts.push_back(event.text());
            place += wire::kPrefixSize + prefix.length;
        }
        return texts;
    }
    using Texts = std::vector<std::string>;
};

TEST_F(StickyTest, NothingBeforeTheFirst) {
    EXPECT_TRUE(at(0).empty());
    add(Event::CAPS, "caps", 5);
    EXPECT_TRUE(at(4).empty());
    EXPECT_EQ(at(5), Texts{"caps"});
    EXPECT_EQ(at(1000), Texts{"caps"});
}

TEST_F(StickyTest, EachPositionHasItsOwnState) {
    add(Event::CAPS, "first", 1);
    add(Event::CAPS, "second", 10);
    add(Event::CAPS, "third", 20);
    EXPECT_EQ(at(9), Texts{"first"});
    EXPECT_EQ(at(10), Texts{"second"});
    EXPECT_EQ(at(19), Texts{"second"});
    EXPECT_EQ(at(20), Texts{"third"});
}

TEST_F(StickyTest, TheOrderIsThePads) {
    add(Event::EOS, "eos", 1);
    add(Event::TAG, "tag", 2);
    add(Event::SEGMENT, "segment", 3);
    add(Event::CAPS, "caps", 4);
    add(Event::CUSTOM, "custom", 5, "mine");
    // STREAM_START comes first in life as well: it forgets tags and the end.
    EXPECT_EQ(at(5), (Texts{"caps", "segment", "tag", "custom", "eos"}));
    add(Event::STREAM_START, "start", 6);
    EXPECT_EQ(at(6), (Texts{"start", "caps", "segment", "custom"}));
}

TEST_F(StickyTest, SameKindAndNameReplaces) {
    add(Event::CUSTOM, "a1", 1, "a");
    add(Event::CUSTOM, "b1", 2, "b");
    add(Event::CUSTOM, "a2", 3, "a");
    const Texts now = at(3);
    EXPECT_EQ(now.size(), 2u);
    EXPECT_NE(std::find(now.begin(), now.end(), "a2"), now.end());
    EXPECT_NE(std::find(now.begin(), now.end(), "b1"), now.end());
}

TEST_F(StickyTest, AFlushForgetsSegmentAndEnd) {
    add(Event::CAPS, "caps", 1);
    add(Event::SEGMENT, "segment", 2);
    add(Event::EOS, "eos", 3);
    add(Event::FLUSH, "", 4, {}, false);
    EXPECT_EQ(at(3), (Texts{"caps", "segment", "eos"}));
    EXPECT_EQ(at(4), Texts{"caps"});
}

TEST_F(StickyTest, PruneKeepsWhatTheTailNeeds) {
    add(Event::CAPS, "first", 1);
    add(Event::CAPS, "second", 10);
    add(Event::CAPS, "third", 20);
    sticky.prune(9);
    EXPECT_EQ(at(9), Texts{"first"});
    sticky.prune(10);
    EXPECT_TRUE(at(9).empty());
    EXPECT_EQ(at(10), Texts{"second"});
    sticky.prune(1000);
    EXPECT_EQ(at(1000), Texts{"third"});
}

}  // namespace
}  // namespace hawser::session
