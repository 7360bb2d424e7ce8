// hawserqueue with several inputs: who goes first, what is dropped, how streams become one.
#include "tests/element/queue_bench.h"

namespace hawser::test {
namespace {

constexpr guint64 kNone = GST_CLOCK_TIME_NONE;

class QueueMerge : public ::testing::Test {
  protected:
    void SetUp() override { init_gst(); }
};

// PTS of the buffers that came out, in order.
std::vector<guint64> pts_of(const QueueBench& bench) {
    std::vector<guint64> found;
    for (GstBuffer* buffer : bench.output_buffers()) found.push_back(GST_BUFFER_PTS(buffer));
    return found;
}

GstBuffer* delta(guint64 pts, guint64 duration = kNone) {
    GstBuffer* buffer = make_buffer(pts, duration);
    GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
    return buffer;
}

// Blocked with the first stream's start in hand, everything else queued.
void begin_all(QueueBench& bench, std::initializer_list<GstPad*> feeders) {
    for (GstPad* feeder : feeders) bench.begin(GST_FORMAT_TIME, feeder);
}

// As gst-launch does where no pad is named.
TEST_F(QueueMerge, LinkingWithoutANameTakesAFreePadOrMakesOne) {
    GError* error = nullptr;
    GstElement* pipeline =
        gst_parse_launch("hawserqueue name=q ! fakesink  fakesrc ! q.  fakesrc ! q.  fakesrc ! q.", &error);
    EXPECT_EQ(error, nullptr) << error->message;
    ASSERT_NE(pipeline, nullptr);
    GstElement* queue = gst_bin_get_by_name(GST_BIN(pipeline), "q");
    EXPECT_EQ(queue->numsinkpads, 3);
    for (const GList* at = queue->sinkpads; at; at = at->next)
        EXPECT_TRUE(gst_pad_is_linked(GST_PAD(at->data))) << GST_PAD_NAME(at->data);
    gst_object_unref(queue);
    gst_object_unref(pipeline);
}

TEST_F(QueueMerge, TheMoreUrgentGoesFirst) {
    QueueBench bench("hawserqueue");
    GstPad* pads[3] = {};
    GstPad* low = bench.add_feeder(&pads[0]);
    GstPad* high = bench.add_feeder(&pads[1]);
    GstPad* middle = bench.add_feeder(&pads[2]);
    g_object_set(pads[0], "priority", 7, nullptr);
    g_object_set(pads[1], "priority", 0, nullptr);
    bench.play(true);
    begin_all(bench, {low, high, middle});
    for (guint64 i = 0; i < 3; ++i) {
        bench.push_at(10 + i, kNone, 4, low);
        bench.push_at(20 + i, kNone, 4, middle);
        bench.push_at(30 + i, kNone, 4, high);
    }
    bench.unblock();
    ASSERT_TRUE(bench.wait_buffers(9));
    EXPECT_EQ(pts_of(bench), (std::vector<guint64>{30, 31, 32, 20, 21, 22, 10, 11, 12}));
}

TEST_F(QueueMerge, EqualsTakeTurns) {
    QueueBench bench("hawserqueue");
    GstPad* a = bench.add_feeder();
    GstPad* b = bench.add_feeder();
    bench.play(true);
    begin_all(bench, {a, b});
    for (guint64 i = 0; i < 4; ++i) bench.push_at(10 + i, kNone, 4, a);
    for (guint64 i = 0; i < 4; ++i) bench.push_at(20 + i, kNone, 4, b);
    bench.unblock();
    ASSERT_TRUE(bench.wait_buffers(8));
    const auto pts = pts_of(bench);
    for (std::size_t i = 1; i < pts.size(); ++i) EXPECT_NE(pts[i] / 10, pts[i - 1] / 10) << i;
}

TEST_F(QueueMerge, WithinAClassTheEarlierDeadlineGoesFirst) {
    QueueBench bench("hawserqueue");
    GstPad* pads[2] = {};
    GstPad* patient = bench.add_feeder(&pads[0]);
    GstPad* hasty = bench.add_feeder(&pads[1]);
    g_object_set(pads[0], "max-latency", 3600 * GST_SECOND, nullptr);
    g_object_set(pads[1], "max-latency", 60 * GST_SECOND, nullptr);
    bench.play(true);
    begin_all(bench, {patient, hasty});
    for (guint64 i = 0; i < 3; ++i) bench.push_at(10 + i, kNone, 4, patient);
    for (guint64 i = 0; i < 3; ++i) bench.push_at(20 + i, kNone, 4, hasty);
    bench.unblock();
    ASSERT_TRUE(bench.wait_buffers(6));
    EXPECT_EQ(pts_of(bench), (std::vector<guint64>{20, 21, 22, 10, 11, 12}));
}

TEST_F(QueueMerge, WhatIsLateGoesWithWhatDependsOnIt) {
    QueueBench bench("hawserqueue");
    GstPad* pad = gst_element_get_static_pad(bench.element(), "sink");
    bench.play(true);
    bench.begin();
    const auto frame = [](guint64 n) { return n * 40 * GST_MSECOND; };
    bench.push_at(frame(0), frame(1));
    g_object_set(pad, "max-latency", guint64{1}, nullptr);
    bench.push(delta(frame(1), frame(1)));
    g_object_set(pad, "max-latency", kNone, nullptr);
    bench.push(delta(frame(2), frame(1)));
    bench.push(delta(frame(3), frame(1)));
    bench.push_at(frame(4), frame(1));
    bench.push(delta(frame(5), frame(1)));
    gst_object_unref(pad);
    EXPECT_EQ(bench.buffers(), 6u);
    bench.unblock();
    ASSERT_TRUE(bench.wait_buffers(3));
    EXPECT_EQ(pts_of(bench), (std::vector<guint64>{frame(0), frame(4), frame(5)}));
    const auto buffers = bench.output_buffers();
    EXPECT_FALSE(GST_BUFFER_FLAG_IS_SET(buffers[0], GST_BUFFER_FLAG_DISCONT));
    EXPECT_TRUE(GST_BUFFER_FLAG_IS_SET(buffers[1], GST_BUFFER_FLAG_DISCONT));
    EXPECT_FALSE(GST_BUFFER_FLAG_IS_SET(buffers[2], GST_BUFFER_FLAG_DISCONT));
    const auto output = bench.output();  // stream-start, segment, buffer, gap, buffer, buffer
    ASSERT_EQ(output.size(), 6u);
    ASSERT_TRUE(output[3].is_event(GST_EVENT_GAP));
    guint64 begin = 0, length = 0;
    gst_event_parse_gap(output[3].event(), &begin, &length);
    EXPECT_EQ(begin, frame(1));
    EXPECT_EQ(length, frame(3));
    const Stats stats = stats_of(bench.element());
    EXPECT_EQ(stats.number("late"), 1u);
    EXPECT_EQ(stats.number("dependent"), 2u);
    EXPECT_EQ(stats.number("buffers-in"), 6u);
    EXPECT_EQ(stats.number("buffers-out"), 3u);
    EXPECT_EQ(bench.buffers(), 0u);
    EXPECT_EQ(bench.bytes(), 0u);
}

TEST_F(QueueMerge, AGapAtTheEndIsAnnounced) {
    QueueBench bench("hawserqueue");
    GstPad* pad = gst_element_get_static_pad(bench.element(), "sink");
    g_object_set(pad, "max-latency", guint64{1}, nullptr);
    gst_object_unref(pad);
    bench.play(true);
    bench.begin();
    bench.push_at(GST_SECOND, GST_SECOND);
    bench.push_event(gst_event_new_eos());
    bench.unblock();
    ASSERT_TRUE(bench.wait_event(GST_EVENT_EOS));
    using Types = std::vector<GstEventType>;
    EXPECT_EQ(bench.output_events(),
              (Types{GST_EVENT_STREAM_START, GST_EVENT_SEGMENT, GST_EVENT_GAP, GST_EVENT_EOS}));
}

TEST_F(QueueMerge, OnlyTheLateInputLoses) {
    QueueBench bench("hawserqueue");
    GstPad* pads[2] = {};
    GstPad* video = bench.add_feeder(&pads[0]);
    GstPad* audio = bench.add_feeder(&pads[1]);
    g_object_set(pads[0], "max-latency", guint64{1}, nullptr);
    g_object_set(pads[1], "priority", 1, nullptr);
    bench.play(true);
    begin_all(bench, {video, audio});
    for (guint64 i = 0; i < 10; ++i) {
        bench.push(i % 5 == 0 ? make_buffer(100 + i) : delta(100 + i), video);
        bench.push_at(i, kNone, 4, audio);
    }
    bench.unblock();
    ASSERT_TRUE(bench.wait_buffers(10));
    for (GstPad* feeder : {bench.src(), video, audio}) bench.push_event(gst_event_new_eos(), feeder);
    ASSERT_TRUE(bench.wait_event(GST_EVENT_EOS));
    EXPECT_EQ(pts_of(bench), (std::vector<guint64>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
    const auto pad_stats = stats_of(bench.element()).array("pads");
    ASSERT_EQ(pad_stats.size(), 3u);  // "sink" is one of them
    EXPECT_EQ(pad_stats[1].string("name"), "sink_0");
    EXPECT_EQ(pad_stats[1].number("late") + pad_stats[1].number("dependent"), 10u);
    EXPECT_GE(pad_stats[1].number("dependent"), 1u);
    EXPECT_EQ(pad_stats[2].number("late"), 0u);
    EXPECT_EQ(pad_stats[2].number("priority"), 1u);
    EXPECT_EQ(pad_stats[2].number("buffers-out"), 10u);
}

TEST_F(QueueMerge, EachPadHasItsOwnBounds) {
    QueueBench bench("hawserqueue");
    GstPad* a = bench.add_feeder();
    GstPad* b = bench.add_feeder();
    bench.set("max-size-buffers", 2u);
    bench.set("leaky", 1);
    bench.play(true);
    begin_all(bench, {a, b});
    for (guint64 i = 0; i < 5; ++i) bench.push_at(i, kNone, 4, a);
    EXPECT_EQ(bench.emitted("overrun"), 3);
    for (guint64 i = 0; i < 2; ++i) bench.push_at(i, kNone, 4, b);
    EXPECT_EQ(bench.emitted("overrun"), 3);
    EXPECT_EQ(bench.buffers(), 4u);
    EXPECT_EQ(stats_of(bench.element()).number("leaked-upstream"), 3u);
}

TEST_F(QueueMerge, ALeakForgetsNoSegmentOfAnotherInput) {
    QueueBench bench("hawserqueue");
    GstPad* a = bench.add_feeder();
    GstPad* b = bench.add_feeder();
    bench.set("max-size-buffers", 1u);
    bench.set("max-size-time", guint64{0});
    bench.set("leaky", 2);
    bench.play(true);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    bench.begin(GST_FORMAT_TIME, a, "test/x-a");
    bench.begin(GST_FORMAT_TIME, b, "test/x-b");
    segment.base = 7 * GST_SECOND;
    bench.push_event(gst_event_new_segment(&segment), b);
    for (guint64 i = 0; i < 3; ++i) bench.push_at(i, kNone, 4, b);
    bench.unblock();
    ASSERT_TRUE(bench.wait_buffers(1));
    EXPECT_EQ(pts_of(bench), (std::vector<guint64>{2}));
    GstEvent* event = gst_pad_get_sticky_event(bench.sink(), GST_EVENT_SEGMENT, 0);
    ASSERT_NE(event, nullptr);
    const GstSegment* now = nullptr;
    gst_event_parse_segment(event, &now);
    EXPECT_EQ(now->base, 7 * GST_SECOND);
    gst_event_unref(event);
    GstCaps* caps = gst_pad_get_current_caps(bench.sink());
    ASSERT_NE(caps, nullptr);
    EXPECT_TRUE(gst_structure_has_name(gst_caps_get_structure(caps, 0), "test/x-b"));
    gst_caps_unref(caps);
}

// ---- One stream of several

TEST_F(QueueMerge, OneStreamStartAndCapsWhereTheyChange) {
    QueueBench bench("hawserqueue");
    GstPad* a = bench.add_feeder();
    GstPad* b = bench.add_feeder();
    GstPad* c = bench.add_feeder();
    bench.play();
    const auto next = [&](GstPad* feeder, guint64 pts) {
        const std::size_t before = bench.output_buffers().size();
        bench.push_at(pts, kNone, 4, feeder);
        ASSERT_TRUE(bench.wait_buffers(before + 1));
    };
    bench.begin(GST_FORMAT_TIME, a, "test/x-a");
    next(a, 1);
    bench.begin(GST_FORMAT_TIME, b, "test/x-a");
    bench.begin(GST_FORMAT_TIME, c, "test/x-c");
    next(b, 2);
    next(c, 3);
    next(c, 4);
    next(a, 5);
    using Types = std::vector<GstEventType>;
    EXPECT_EQ(bench.output_events(),
              (Types{GST_EVENT_STREAM_START, GST_EVENT_CAPS, GST_EVENT_SEGMENT,  // a; the same for b
                     GST_EVENT_CAPS,                                             // c
                     GST_EVENT_CAPS}));                                          // a again
    EXPECT_EQ(pts_of(bench), (std::vector<guint64>{1, 2, 3, 4, 5}));
}

TEST_F(QueueMerge, SegmentsGoWithTheirBuffers) {
    QueueBench bench("hawserqueue");
    GstPad* a = bench.add_feeder();
    GstPad* b = bench.add_feeder();
    bench.play();
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    guint64 expected[2] = {0, 0};
    for (int i = 0; i < 2; ++i) {
        GstPad* feeder = i == 0 ? a : b;
        bench.push_event(gst_event_new_stream_start("x"), feeder);
        segment.base = (i + 1) * GST_SECOND;
        bench.push_event(gst_event_new_segment(&segment), feeder);
        expected[i] = segment.base;
    }
    for (std::size_t i = 0; i < 6; ++i) {
        bench.push_at(i, kNone, 4, i % 2 == 0 ? a : b);
        ASSERT_TRUE(bench.wait_buffers(i + 1));
        GstEvent* event = gst_pad_get_sticky_event(bench.sink(), GST_EVENT_SEGMENT, 0);
        ASSERT_NE(event, nullptr);
        const GstSegment* now = nullptr;
        gst_event_parse_segment(event, &now);
        EXPECT_EQ(now->base, expected[i % 2]);
        gst_event_unref(event);
    }
}

TEST_F(QueueMerge, EosWhenAllHaveEnded) {
    QueueBench bench("hawserqueue");
    GstPad* a = bench.add_feeder();
    GstPad* b = bench.add_feeder();
    // The test's pad on "sink" is linked: it takes part as well.
    bench.play();
    bench.begin();
    begin_all(bench, {a, b});
    bench.push_at(1, kNone, 4, a);
    bench.push_event(gst_event_new_eos(), a);
    bench.push_event(gst_event_new_eos());
    bench.push_at(2, kNone, 4, b);
    ASSERT_TRUE(bench.wait_buffers(2));
    EXPECT_EQ(bench.output_events().back(), GST_EVENT_SEGMENT);
    bench.push_event(gst_event_new_eos(), b);
    ASSERT_TRUE(bench.wait_event(GST_EVENT_EOS));
    // One of them begins anew.
    bench.begin(GST_FORMAT_TIME, a);
    EXPECT_EQ(bench.push_at(3, kNone, 4, a), GST_FLOW_OK);
    EXPECT_TRUE(bench.wait_buffers(3));
}

TEST_F(QueueMerge, UnusedPadsDoNotHoldUpEos) {
    Pipeline pipeline(
        "fakesrc num-buffers=10 format=time ! q.sink_0  fakesrc num-buffers=20 format=time ! q.sink_1 "
        "hawserqueue name=q sink_1::priority=0 ! fakesink name=end");
    const auto seen = pipeline.record("end");
    pipeline.play();
    EXPECT_TRUE(pipeline.wait_eos(kSoon)) << pipeline.log();
    EXPECT_EQ(seen->count(), 30u);
    guint priority = 99;
    gst_child_proxy_get(GST_CHILD_PROXY(pipeline.get("q")), "sink_1::priority", &priority, nullptr);
    EXPECT_EQ(priority, 0u);
}

TEST_F(QueueMerge, APadThatGoesDoesNotHoldUpEos) {
    QueueBench bench("hawserqueue");
    GstPad* pads[2] = {};
    GstPad* a = bench.add_feeder(&pads[0]);
    GstPad* b = bench.add_feeder(&pads[1]);
    bench.play();
    bench.begin();
    begin_all(bench, {a, b});
    bench.push_event(gst_event_new_eos());
    bench.push_event(gst_event_new_eos(), a);
    bench.push_at(1, kNone, 4, b);
    ASSERT_TRUE(bench.wait_buffers(1));
    gst_pad_unlink(b, pads[1]);
    gst_element_release_request_pad(bench.element(), pads[1]);
    EXPECT_TRUE(bench.wait_event(GST_EVENT_EOS));
}

TEST_F(QueueMerge, AFlushKeepsWhatOthersHold) {
    QueueBench bench("hawserqueue");
    GstPad* a = bench.add_feeder();
    GstPad* b = bench.add_feeder();
    bench.play(true);
    begin_all(bench, {a, b});
    for (guint64 i = 0; i < 3; ++i) bench.push_at(10 + i, kNone, 4, a);
    for (guint64 i = 0; i < 3; ++i) bench.push_at(20 + i, kNone, 4, b);
    bench.push_event(gst_event_new_flush_start(), a);
    EXPECT_EQ(bench.buffers(), 3u);
    EXPECT_EQ(bench.push_at(23, kNone, 4, b), GST_FLOW_OK);  // others need not know
    bench.unblock();
    bench.push_event(gst_event_new_flush_stop(TRUE), a);
    bench.begin(GST_FORMAT_TIME, a);
    bench.push_at(13, kNone, 4, a);
    ASSERT_TRUE(bench.wait_buffers(5));
    auto pts = pts_of(bench);
    std::sort(pts.begin(), pts.end());
    EXPECT_EQ(pts, (std::vector<guint64>{13, 20, 21, 22, 23}));
    EXPECT_EQ(stats_of(bench.element()).number("flushed"), 3u);
    GstEvent* segment = gst_pad_get_sticky_event(bench.sink(), GST_EVENT_SEGMENT, 0);
    EXPECT_NE(segment, nullptr);
    gst_clear_event(&segment);
}

TEST_F(QueueMerge, APadThatGoesWhileFlushingEndsTheFlush) {
    QueueBench bench("hawserqueue");
    GstPad* pads[2] = {};
    GstPad* a = bench.add_feeder(&pads[0]);
    GstPad* b = bench.add_feeder(&pads[1]);
    bench.play();
    begin_all(bench, {a, b});
    bench.push_event(gst_event_new_flush_start(), a);
    gst_pad_unlink(a, pads[0]);
    gst_element_release_request_pad(bench.element(), pads[0]);
    EXPECT_EQ(bench.push_at(1, kNone, 4, b), GST_FLOW_OK);
    EXPECT_TRUE(bench.wait_buffers(1));
}

TEST_F(QueueMerge, NamesAndDefaults) {
    QueueBench bench("hawserqueue");
    GstPad* pad = gst_element_request_pad_simple(bench.element(), "sink_7");
    ASSERT_NE(pad, nullptr);
    EXPECT_STREQ(GST_OBJECT_NAME(pad), "sink_7");
    guint priority = 0;
    guint64 latency = 0;
    g_object_get(pad, "priority", &priority, "max-latency", &latency, nullptr);
    EXPECT_EQ(priority, 4u);
    EXPECT_EQ(latency, kNone);
    g_object_set(pad, "max-latency", GST_SECOND, nullptr);
    g_object_get(pad, "max-latency", &latency, nullptr);
    EXPECT_EQ(latency, GST_SECOND);
    gst_element_release_request_pad(bench.element(), pad);
    gst_object_unref(pad);
}

}  // namespace
}  // namespace hawser::test
