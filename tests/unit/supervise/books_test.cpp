#include "runtime/supervise/books.h"

#include <gtest/gtest.h>

namespace hawser::supervise {
namespace {

TrackFigures sent(std::uint64_t epoch, std::uint64_t objects, bool ended = true,
                  const std::string& track = "video") {
    TrackFigures f;
    f.role = CounterRole::Publisher;
    f.epoch = epoch;
    f.stream = "/camera";
    f.track = track;
    f.objects = objects;
    f.events = 4;
    f.ended = ended;
    return f;
}

TrackFigures got(std::uint64_t epoch, std::uint64_t objects, std::uint64_t lost = 0,
                 std::uint64_t replayed = 0, const std::string& track = "video") {
    TrackFigures f;
    f.role = CounterRole::Subscriber;
    f.epoch = epoch;
    f.stream = "/camera";
    f.track = track;
    f.objects = objects;
    f.bytes = objects * 100;
    f.lost = lost;
    f.replayed = replayed;
    return f;
}

LinkBooks books(const std::vector<Incarnation>& senders, const std::vector<Incarnation>& receivers,
                bool late = false) {
    return add_up("camera", "recorder", senders, receivers, late);
}

TEST(Books, AnEpochThatEndedInOrderAddsUpExactly) {
    const auto b = books({{1, true, {sent(7, 100)}}}, {{1, true, {got(7, 98, 2, 30)}}});
    ASSERT_EQ(b.epochs.size(), 1u);
    EXPECT_TRUE(b.balance());
    EXPECT_EQ(b.total.sent, 100u);
    EXPECT_EQ(b.total.received, 98u);
    EXPECT_EQ(b.total.lost, 2u);
    EXPECT_EQ(b.total.replayed, 30u);
    EXPECT_EQ(b.total.bytes, 9800u);
    EXPECT_EQ(b.total.lost_with_sender, 0u);
}

TEST(Books, OneObjectThatNobodyCanAccountForUnbalancesThem) {
    const auto b = books({{1, true, {sent(7, 100)}}}, {{1, true, {got(7, 99)}}});
    EXPECT_FALSE(b.balance());
    EXPECT_EQ(b.total.missing, 1);
}

TEST(Books, MoreReceivedThanSentUnbalancesThem) {
    EXPECT_FALSE(books({{1, true, {sent(7, 100)}}}, {{1, true, {got(7, 101)}}}).balance());
    EXPECT_FALSE(books({{1, false, {sent(7, 100, false)}}}, {{1, true, {got(7, 101)}}}).balance());
}

TEST(Books, WhatAKilledSenderHadInItsRingIsLostWithIt) {
    const auto b = books({{1, false, {sent(7, 100, false)}}, {2, true, {sent(8, 50)}}},
                         {{1, true, {got(7, 90), got(8, 50)}}});
    EXPECT_TRUE(b.balance());
    ASSERT_EQ(b.epochs.size(), 2u);
    EXPECT_EQ(b.epochs[0].total.lost_with_sender, 10u);
    EXPECT_FALSE(b.epochs[0].sender_in_order);
    EXPECT_FALSE(b.epochs[0].ended);
    EXPECT_EQ(b.epochs[1].total.lost_with_sender, 0u);
    EXPECT_EQ(b.epochs[1].number, 2u);
    EXPECT_TRUE(b.epochs[1].ended);
    EXPECT_EQ(b.total.received, 140u);
}

TEST(Books, OneTrackDoesNotMakeUpForAnother) {
    const auto b = books({{1, true, {sent(7, 100), sent(7, 200, true, "audio")}}},
                         {{1, true, {got(7, 99), got(7, 201, 0, 0, "audio")}}});
    EXPECT_EQ(b.total.missing, 0);
    EXPECT_FALSE(b.balance());
    ASSERT_EQ(b.epochs[0].tracks.size(), 2u);
    EXPECT_EQ(b.epochs[0].tracks[0].track, "audio");
}

TEST(Books, PadsSink0AndSrc0AreOneTrack) {
    EXPECT_TRUE(
        books({{1, true, {sent(7, 5, true, "sink_0")}}}, {{1, true, {got(7, 5, 0, 0, "src_0")}}}).balance());
}

TEST(Books, OnlyALateJoinerMayHaveObjectsBeforeItsFirst) {
    const std::vector<Incarnation> senders{{1, true, {sent(7, 100)}}}, receivers{{1, true, {got(7, 60)}}};
    const auto late = books(senders, receivers, true);
    EXPECT_TRUE(late.balance());
    EXPECT_EQ(late.total.before_joining, 40u);
    EXPECT_EQ(late.total.lost, 0u);
    EXPECT_FALSE(books(senders, receivers, false).balance());
}

TEST(Books, TheSequencesProveThatTheRestWasBeforeTheFirst) {
    // A live sender does not wait for its first receiver. 4 events of the sender, one of which came as an
    // event.
    TrackFigures all = sent(7, 100), some = got(7, 97);
    all.next_sequence = 104;
    some.next_sequence = 104;
    some.events = 1;
    const auto b = books({{1, true, {all}}}, {{1, true, {some}}});
    EXPECT_TRUE(b.balance());
    EXPECT_EQ(b.total.before_joining, 3u);
    some.next_sequence = 101;  // the end is what it has not
    EXPECT_FALSE(books({{1, true, {all}}}, {{1, true, {some}}}).balance());
    some.next_sequence = 98;  // it was there from the beginning
    EXPECT_FALSE(books({{1, true, {all}}}, {{1, true, {some}}}).balance());
}

TEST(Books, WhatWasUnderWayToAReceiverThatDiedIsLostWithIt) {
    const auto b =
        books({{1, true, {sent(7, 100)}}}, {{1, false, {got(7, 40)}}, {2, true, {got(7, 55)}}}, true);
    EXPECT_TRUE(b.balance());
    EXPECT_EQ(b.total.received, 95u);
    EXPECT_EQ(b.total.lost_with_receiver, 5u);
    // The second receiver may get again what the first had.
    const auto twice =
        books({{1, true, {sent(7, 100)}}}, {{1, false, {got(7, 40)}}, {2, true, {got(7, 65)}}}, true);
    EXPECT_TRUE(twice.balance());
    EXPECT_EQ(twice.total.received_again, 5u);
    EXPECT_EQ(twice.total.sent, twice.total.received - twice.total.received_again);
}

TEST(Books, AReceiverWithoutASenderUnbalancesThem) {
    const auto b = books({}, {{1, true, {got(9, 3)}}});
    EXPECT_FALSE(b.balance());
    EXPECT_EQ(b.total.missing, -3);
}

TEST(Books, OtherStreamsAndTheOtherRoleAreNotThisLinks) {
    TrackFigures other = got(7, 1000);
    other.stream = "/other";
    // A relay: what it received from elsewhere is not what it sends.
    EXPECT_TRUE(
        books({{1, true, {sent(7, 10), other}}}, {{1, true, {got(7, 10), other, sent(8, 3)}}}).balance());
}

TEST(Books, NothingSentIsInOrder) {
    EXPECT_TRUE(books({{1, true, {}}}, {{1, true, {}}}).balance());
}

TEST(Books, FiguresComeFromTheCounters) {
    CounterBlock block;
    CounterSlot& slot = block.claim(CounterRole::Subscriber, "/camera", "video", 42);
    slot.add(Counter::Objects, 3);
    slot.add(Counter::Bytes, 300);
    slot.add(Counter::Lost, 1);
    slot.set(Counter::Ended, 1);
    const auto figures = read_figures(block);
    ASSERT_EQ(figures.size(), 1u);
    EXPECT_EQ(figures[0].role, CounterRole::Subscriber);
    EXPECT_EQ(figures[0].epoch, 42u);
    EXPECT_EQ(figures[0].stream, "/camera");
    EXPECT_EQ(figures[0].track, "video");
    EXPECT_EQ(figures[0].objects, 3u);
    EXPECT_EQ(figures[0].bytes, 300u);
    EXPECT_EQ(figures[0].lost, 1u);
    EXPECT_TRUE(figures[0].ended);
}

}  // namespace
}  // namespace hawser::supervise
