// While hawsersink only renders, buffers do not go through GstBaseSink. Whoever looks must not notice.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/support/link.h"

namespace hawser::test {
namespace {

class Straight : public ::testing::Test {
  protected:
    Straight() : sender("port=0 address=127.0.0.1 wait-for-connection=false") {
        feeder = &sender.pad("sink_0");
        GstIterator* all = gst_bin_iterate_sinks(GST_BIN(sender.sink));
        GValue found = G_VALUE_INIT;
        EXPECT_EQ(gst_iterator_next(all, &found), GST_ITERATOR_OK);
        track_sink = GST_ELEMENT(g_value_dup_object(&found));
        g_value_unset(&found);
        gst_iterator_free(all);
        sender.play();
        feeder->start();
    }
    ~Straight() override { gst_object_unref(track_sink); }

    void push(int count) {
        for (int i = 0; i < count; ++i, ++pushed)
            ASSERT_EQ(feeder->push_bytes(100, pushed, pushed * GST_MSECOND), GST_FLOW_OK);
    }
    // Until the state change that the first buffer ends is over.
    void preroll() {
        push(1);
        EXPECT_EQ(gst_element_get_state(sender.sink, nullptr, nullptr, 5 * GST_SECOND),
                  GST_STATE_CHANGE_SUCCESS);
    }
    // Buffers that GstBaseSink has seen.
    guint64 rendered() const {
        GstStructure* stats = nullptr;
        g_object_get(track_sink, "stats", &stats, nullptr);
        guint64 count = 0;
        EXPECT_TRUE(gst_structure_get_uint64(stats, "rendered", &count));
        gst_structure_free(stats);
        return count;
    }

    // What the track answers; -1: nothing.
    GstClockTimeDiff position() const {
        gint64 position = 0;
        return gst_element_query_position(track_sink, GST_FORMAT_TIME, &position) ? position : -1;
    }

    Sender sender;
    Feeder* feeder;
    GstElement* track_sink;
    guint64 pushed = 0;
};

TEST_F(Straight, GoAllBuffersAndThePositionIsKnown) {
    preroll();
    const guint64 before = rendered();
    push(1000);
    EXPECT_EQ(rendered(), before);
    EXPECT_EQ(sender.stats().number("objects"), 1001u);
    EXPECT_EQ(position(), 1000 * GST_MSECOND);
}

TEST_F(Straight, ThePositionIsOfTheStream) {
    preroll();
    push(10);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.start = pushed * GST_MSECOND;
    segment.time = GST_SECOND;
    ASSERT_TRUE(feeder->push_event(gst_event_new_segment(&segment)));
    EXPECT_EQ(position(), 10 * GST_MSECOND);  // as long as nothing of it has come
    push(3);
    EXPECT_EQ(position(), GST_SECOND + 2 * GST_MSECOND);
}

TEST_F(Straight, ThePositionIsKeptInPause) {
    preroll();
    push(1000);
    ASSERT_EQ(gst_element_set_state(sender.sink, GST_STATE_PAUSED), GST_STATE_CHANGE_ASYNC);
    EXPECT_EQ(position(), 1000 * GST_MSECOND);
}

TEST_F(Straight, GapsAndTheEndMoveThePosition) {
    preroll();
    push(10);
    ASSERT_TRUE(feeder->push_event(gst_event_new_gap(GST_SECOND, GST_SECOND)));
    EXPECT_EQ(position(), GST_SECOND);
    GstBuffer* last = gst_buffer_new_allocate(nullptr, 10, nullptr);
    GST_BUFFER_PTS(last) = 3 * GST_SECOND;
    GST_BUFFER_DURATION(last) = GST_SECOND;
    ASSERT_EQ(feeder->push(last), GST_FLOW_OK);
    EXPECT_EQ(position(), 3 * GST_SECOND);
    ASSERT_TRUE(feeder->eos());
    EXPECT_EQ(position(), 4 * GST_SECOND);
}

TEST_F(Straight, ThePositionStaysWithinTheSegment) {
    preroll();
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.start = segment.time = 10 * GST_SECOND;
    segment.stop = 20 * GST_SECOND;
    ASSERT_TRUE(feeder->push_event(gst_event_new_segment(&segment)));
    ASSERT_EQ(feeder->push_bytes(100, 1, 9 * GST_SECOND), GST_FLOW_OK);
    EXPECT_EQ(position(), 10 * GST_SECOND);
    ASSERT_EQ(feeder->push_bytes(100, 1, 21 * GST_SECOND), GST_FLOW_OK);
    EXPECT_EQ(position(), 20 * GST_SECOND);
}

TEST_F(Straight, ThePositionIsForgottenByAFlush) {
    preroll();
    push(10);
    EXPECT_EQ(position(), 10 * GST_MSECOND);
    feeder->push_event(gst_event_new_flush_start());
    feeder->push_event(gst_event_new_flush_stop(TRUE));
    EXPECT_LE(position(), 0);
}

TEST_F(Straight, NotWithSync) {
    preroll();
    g_object_set(sender.sink, "sync", TRUE, nullptr);
    const guint64 before = rendered();
    push(20);
    EXPECT_EQ(rendered() - before, 20u);
}

TEST_F(Straight, NotPastAProbe) {
    preroll();
    GstPad* pad = gst_element_get_static_pad(track_sink, "sink");
    int seen = 0;
    const gulong probe = gst_pad_add_probe(
        pad, GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad*, GstPadProbeInfo*, gpointer count) {
            ++*static_cast<int*>(count);
            return GST_PAD_PROBE_OK;
        },
        &seen, nullptr);
    push(20);
    EXPECT_EQ(seen, 20);
    gst_pad_remove_probe(pad, probe);
    gst_object_unref(pad);
}

TEST_F(Straight, NotPastABlockThatComesMeanwhile) {
    preroll();
    push(5);
    GstPad* pad = gst_element_get_static_pad(track_sink, "sink");
    std::atomic<bool> blocked{false};
    const gulong probe = gst_pad_add_probe(
        pad, static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER),
        [](GstPad*, GstPadProbeInfo*, gpointer flag) {
            static_cast<std::atomic<bool>*>(flag)->store(true);
            return GST_PAD_PROBE_OK;
        },
        &blocked, nullptr);
    std::thread pusher([this] { push(10); });
    EXPECT_TRUE(eventually(kSoon, [&] { return blocked.load(); }));
    EXPECT_EQ(sender.stats().number("objects"), 6u);
    gst_pad_remove_probe(pad, probe);
    pusher.join();
    EXPECT_EQ(sender.stats().number("objects"), 16u);
    gst_object_unref(pad);
}

TEST_F(Straight, NotWhereTheLastSampleIsKept) {
    preroll();
    push(5);
    g_object_set(track_sink, "enable-last-sample", TRUE, nullptr);
    push(5);
    GstSample* sample = nullptr;
    g_object_get(track_sink, "last-sample", &sample, nullptr);
    ASSERT_NE(sample, nullptr);
    EXPECT_EQ(GST_BUFFER_PTS(gst_sample_get_buffer(sample)), 10 * GST_MSECOND);
    gst_sample_unref(sample);
}

TEST_F(Straight, NotWhereAStepDecides) {
    preroll();
    push(5);
    gst_element_send_event(track_sink, gst_event_new_step(GST_FORMAT_BUFFERS, 3, 1.0, FALSE, FALSE));
    const guint64 before = rendered();
    push(20);
    EXPECT_GE(rendered() - before, 17u);
}

TEST_F(Straight, NothingBehindTheEnd) {
    preroll();
    push(5);
    ASSERT_TRUE(feeder->eos());
    EXPECT_EQ(feeder->push_bytes(100, 0, GST_SECOND), GST_FLOW_EOS);
    EXPECT_EQ(sender.stats().number("objects"), 6u);
}

}  // namespace
}  // namespace hawser::test
