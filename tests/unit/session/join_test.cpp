#include "runtime/session/join.h"

#include <gtest/gtest.h>

#include "runtime/base/clock.h"

namespace hawser::session {
namespace {

struct JoinTest : testing::Test, PublisherTrack::Owner {
    void published(std::uint64_t) override {}
    void acknowledgements_wanted() override {}
    void fail(const Error& error) override { ADD_FAILURE() << error.message; }
    void warn(const Error& error) override { ADD_FAILURE() << error.message; }

    ManualClock clock;
    PublisherConfig config;
    PublisherShared shared;
    std::vector<std::unique_ptr<PublisherTrack>> tracks;
    std::vector<std::unique_ptr<TrackView>> views;

    JoinTest() {
        config.wait_for_connection = false;
        config.max_objects = 64;
        shared.stopped = false;
    }

    // A look into the ring ends before the ring does.
    ~JoinTest() override { views.clear(); }

    PublisherTrack& track() {
        tracks.push_back(
            std::make_unique<PublisherTrack>(static_cast<PublisherTrack::Owner&>(*this), config, clock,
                                             shared, static_cast<std::uint16_t>(tracks.size() + 1),
                                             "t" + std::to_string(tracks.size()), 4, Duration::max()));
        views.push_back(std::make_unique<TrackView>(*tracks.back(), 0));
        return *tracks.back();
    }
    void object(PublisherTrack& track, bool group, std::uint64_t time = wire::kNone) {
        ObjectIn in;
        in.group_start = group;
        in.running_time = time;
        ASSERT_EQ(track.publish(in), PublishResult::Published);
    }
    void event(PublisherTrack& track, wire::Event::Kind kind) {
        wire::Event event;
        event.set_kind(kind);
        event.set_sticky(true);
        ASSERT_EQ(track.event(event), PublishResult::Published);
    }
    void open() {
        for (const auto& one : views) one->open();
    }
    std::vector<Start> joined() {
        open();
        std::vector<Start> starts;
        join(views, starts);
        return starts;
    }
    static void expect(const Start& start, std::uint64_t sequence, bool needs_group) {
        EXPECT_EQ(start.sequence, sequence);
        EXPECT_EQ(start.needs_group, needs_group);
    }
};

TEST_F(JoinTest, AnEmptyTrackStartsAtItsBeginning) {
    track();
    expect(joined()[0], 0, false);
}

TEST_F(JoinTest, EventsAloneAreSentAll) {
    PublisherTrack& one = track();
    event(one, wire::Event::STREAM_START);
    event(one, wire::Event::CAPS);
    expect(joined()[0], 0, false);
}

TEST_F(JoinTest, TheNewestGroup) {
    PublisherTrack& one = track();
    for (unsigned i = 0; i < 30; ++i) object(one, i % 10 == 0, 100 * i);
    expect(joined()[0], 20, false);
}

TEST_F(JoinTest, TracksStartAtTheSameMoment) {
    PublisherTrack& video = track();
    PublisherTrack& audio = track();
    for (unsigned i = 0; i < 30; ++i) {
        object(video, i % 10 == 0, 100 * i);
        object(audio, true, 100 * i + 50);
    }
    const auto starts = joined();
    expect(starts[0], 20, false);
    expect(starts[1], 19, false);  // at 1950, the last that begins no later than 2000
}

TEST_F(JoinTest, ATrackThatBeganLaterStartsAtItsOldestGroup) {
    PublisherTrack& video = track();
    PublisherTrack& audio = track();
    object(video, true, 0);
    for (unsigned i = 0; i < 5; ++i) object(audio, true, 1000 + i);
    const auto starts = joined();
    expect(starts[0], 0, false);
    expect(starts[1], 0, false);
}

TEST_F(JoinTest, WithoutAGroupItWaitsForOne) {
    PublisherTrack& one = track();
    for (unsigned i = 0; i < 5; ++i) object(one, false, i);
    expect(joined()[0], 5, true);
}

TEST_F(JoinTest, AnEndedTrackHasNothingToSendAndDoesNotHoldOthersBack) {
    PublisherTrack& ended = track();
    PublisherTrack& live = track();
    object(ended, true, 0);
    event(ended, wire::Event::EOS);
    for (unsigned i = 0; i < 10; ++i) object(live, i % 5 == 0, 1000 * i);
    const auto starts = joined();
    expect(starts[0], 2, false);
    expect(starts[1], 5, false);
}

TEST_F(JoinTest, UnknownRunningTimesMatchAny) {
    PublisherTrack& one = track();
    PublisherTrack& two = track();
    for (unsigned i = 0; i < 10; ++i) object(one, i % 5 == 0);
    for (unsigned i = 0; i < 10; ++i) object(two, i % 4 == 0, i);
    const auto starts = joined();
    expect(starts[0], 5, false);
    expect(starts[1], 8, false);
}

TEST_F(JoinTest, ResumesWhereItWas) {
    PublisherTrack& one = track();
    for (unsigned i = 0; i < 10; ++i) object(one, i % 5 == 0);
    open();
    expect(resume(*views[0], 0), 0, false);
    expect(resume(*views[0], 7), 7, false);  // in the middle of a group: it has the rest
    expect(resume(*views[0], 10), 10, false);
    expect(resume(*views[0], 1000), 10, false);
}

TEST_F(JoinTest, ResumesAtTheOldestGroupOfWhatIsLeft) {
    PublisherTrack& one = track();
    for (unsigned i = 0; i < 100; ++i) object(one, i % 10 == 0);
    open();
    ASSERT_EQ(views[0]->scope->tail(), 36u);
    expect(resume(*views[0], 35), 40, false);
    expect(resume(*views[0], 36), 36, false);
    views[0]->scope.reset();
    one.ring().advance_tail(91);
    open();
    expect(resume(*views[0], 35), 100, true);
    views[0]->scope.reset();
    one.ring().advance_tail(100);
    open();
    expect(resume(*views[0], 35), 100, false);  // nothing is left that could not be decoded
}

TEST_F(JoinTest, SkipsAheadToTheNewestGroup) {
    PublisherTrack& one = track();
    for (unsigned i = 0; i < 100; ++i) object(one, i % 10 == 0);
    open();
    expect(skip_ahead(*views[0]), 90, false);
    views[0]->scope.reset();
    one.ring().advance_tail(95);
    open();
    expect(skip_ahead(*views[0]), 100, true);
    views[0]->scope.reset();
    event(one, wire::Event::EOS);
    open();
    expect(skip_ahead(*views[0]), 101, false);  // no group will come; the snapshot has the end
}

}  // namespace
}  // namespace hawser::session
