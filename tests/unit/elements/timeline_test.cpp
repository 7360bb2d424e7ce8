#include "elements/timeline.h"

#include <gtest/gtest.h>

namespace hawser::elements {
namespace {

constexpr std::uint64_t kUnset = SegmentValues::kUnset;
constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kFrame = kSecond / 25;

// The running time that downstream computes for what came out.
Nanoseconds running(const TrackTimeline::Output& output, const SegmentValues& segment) {
    return segment.running_time(output.pts);
}

struct Pad {
    explicit Pad(SharedTimeline& shared, bool rebase = true) : timeline(shared, rebase) {}

    void begin(unsigned epoch, const SegmentValues& sent, std::uint64_t running_time = kUnset) {
        timeline.new_epoch(epoch, running_time);
        timeline.segment(sent);
    }
    // Maps a frame and returns its running time downstream.
    Nanoseconds frame(std::uint64_t pts, Nanoseconds now, std::uint64_t duration = kFrame) {
        output = timeline.map(pts, kUnset, duration, now);
        if (output.segment) segment = *output.segment;
        return running(output, segment);
    }

    TrackTimeline timeline;
    TrackTimeline::Output output;
    SegmentValues segment;
};

TEST(Timeline, FirstObjectComesNowWithItsTimestampUntouched) {
    SharedTimeline shared;
    Pad pad(shared);
    pad.begin(0, {});
    EXPECT_EQ(pad.frame(0, 5 * kSecond), 5 * kSecond);
    EXPECT_EQ(pad.output.pts, 0u);
    EXPECT_EQ(pad.segment.base, 5 * kSecond);
    EXPECT_EQ(pad.frame(kFrame, 9 * kSecond), 5 * kSecond + kFrame) << "one offset for all that follows";
    EXPECT_FALSE(pad.output.segment);
}

TEST(Timeline, LateJoinerMovesTheStartRatherThanTheBaseBelowZero) {
    SharedTimeline shared;
    Pad pad(shared);
    pad.begin(0, {});
    const std::uint64_t hour = 3600 * kSecond;
    EXPECT_EQ(pad.frame(hour, 2 * kSecond), 2 * kSecond);
    EXPECT_EQ(pad.output.pts, hour);
    EXPECT_EQ(pad.segment.base, 0u);
    EXPECT_EQ(pad.segment.start, hour - 2 * kSecond);
    EXPECT_EQ(pad.segment.time, pad.segment.start) << "stream time stays what it was";
}

TEST(Timeline, AllPadsShareTheOffset) {
    SharedTimeline shared;
    Pad video(shared);
    Pad audio(shared);
    video.begin(0, {});
    audio.begin(0, {});
    EXPECT_EQ(video.frame(kSecond, 0), 0);
    EXPECT_EQ(audio.frame(kSecond + kFrame, 7 * kSecond), static_cast<Nanoseconds>(kFrame));
}

TEST(Timeline, LeastRunningTimeOfAllTracksIsTheAnchorWhereTheSenderKnowsIt) {
    SharedTimeline shared;
    Pad video(shared);
    Pad audio(shared);
    video.begin(0, {}, kSecond);
    audio.begin(0, {}, kSecond);
    EXPECT_EQ(video.frame(kSecond + 3 * kFrame, 0), static_cast<Nanoseconds>(3 * kFrame));
    EXPECT_EQ(audio.frame(kSecond, 0), 0);
}

TEST(Timeline, NextEpochKeepsTheSegmentAndShiftsTimestamps) {
    SharedTimeline shared;
    Pad pad(shared);
    pad.begin(0, {});
    pad.frame(0, 0);
    pad.frame(kFrame, kFrame);
    pad.begin(1, {});
    EXPECT_EQ(pad.frame(0, 3 * kSecond), 3 * kSecond);
    EXPECT_FALSE(pad.output.segment);
    EXPECT_EQ(pad.output.pts, 3 * kSecond);
    EXPECT_EQ(pad.frame(kFrame, 3 * kSecond), 3 * kSecond + kFrame);
}

TEST(Timeline, NextEpochBeginsBehindAllThatIsStillToBePlayed) {
    SharedTimeline shared;
    Pad pad(shared);
    pad.begin(0, {});
    for (std::uint64_t i = 0; i < 100; ++i) pad.frame(i * kFrame, 0);  // faster than it plays
    pad.begin(1, {});
    EXPECT_EQ(pad.frame(0, kSecond), static_cast<Nanoseconds>(100 * kFrame));
}

TEST(Timeline, NextEpochDropsTheEndOfTheLastLife) {
    SharedTimeline shared;
    Pad pad(shared);
    SegmentValues clip;
    clip.stop = clip.duration = 2 * kFrame;
    pad.begin(0, clip);
    pad.frame(0, 0);
    pad.begin(1, clip);
    pad.frame(0, kSecond);
    ASSERT_TRUE(pad.output.segment);
    EXPECT_EQ(pad.segment.stop, kUnset);
    EXPECT_EQ(pad.segment.base, 0u);
}

TEST(Timeline, NoPadGoesBackWhenAnotherWasFirstInTheNewEpoch) {
    SharedTimeline shared;
    Pad video(shared);
    Pad audio(shared);
    video.begin(0, {});
    audio.begin(0, {});
    video.frame(0, 0);
    audio.frame(0, 0);
    video.begin(1, {});
    EXPECT_EQ(video.frame(0, kSecond), kSecond);
    // Audio still has a second of the old life in its queue.
    audio.frame(2 * kSecond, kSecond);
    audio.begin(1, {});
    EXPECT_EQ(audio.frame(0, kSecond), 2 * kSecond + kFrame);
    // Both move on, so they stay in step.
    EXPECT_EQ(video.frame(kFrame, kSecond), 2 * kSecond + 2 * kFrame);
}

TEST(Timeline, FlushNeedsANewSegment) {
    SharedTimeline shared;
    Pad pad(shared);
    pad.begin(0, {});
    pad.frame(0, 0);
    pad.timeline.flushed();
    SegmentValues seek;
    seek.start = seek.time = 60 * kSecond;
    pad.timeline.segment(seek);
    EXPECT_EQ(pad.frame(60 * kSecond, 4 * kSecond), 4 * kSecond);
    ASSERT_TRUE(pad.output.segment);
    EXPECT_EQ(pad.output.pts, 60 * kSecond);
    EXPECT_EQ(pad.segment.start, 60 * kSecond);
    EXPECT_EQ(pad.segment.base, 4 * kSecond);
}

TEST(Timeline, ReverseSegmentsAreMovedAtTheirStop) {
    SegmentValues reverse;
    reverse.rate = -1.0;
    reverse.stop = 10 * kSecond;
    EXPECT_EQ(reverse.running_time(9 * kSecond), kSecond);
    const SegmentValues moved = reverse.later(-static_cast<Nanoseconds>(kSecond));
    EXPECT_EQ(moved.base, 0u);
    EXPECT_EQ(moved.running_time(9 * kSecond), 0);
}

TEST(Timeline, OtherFormatsAndOriginalModePassAsTheyAre) {
    SharedTimeline shared;
    SegmentValues bytes;
    bytes.format = 2;
    Pad pad(shared);
    pad.begin(0, bytes);
    pad.frame(kUnset, 5 * kSecond);
    ASSERT_TRUE(pad.output.segment);
    EXPECT_EQ(*pad.output.segment, bytes);
    pad.begin(1, bytes);
    pad.frame(kUnset, 6 * kSecond);
    EXPECT_FALSE(pad.output.segment) << "downstream has it";

    Pad original(shared, false);
    original.begin(0, {});
    original.frame(7, 5 * kSecond);
    ASSERT_TRUE(original.output.segment);
    EXPECT_EQ(*original.output.segment, SegmentValues{});
    EXPECT_EQ(original.output.pts, 7u);
}

}  // namespace
}  // namespace hawser::elements
