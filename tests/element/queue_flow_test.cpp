// How a queue stops and goes on: flow returns, flushes, EOS, queries, states. Every test for GStreamer's
// queue and for hawserqueue.
#include "tests/element/queue_bench.h"

namespace hawser::test {
namespace {

using QueueFlow = AnyQueue;

constexpr guint64 kNone = GST_CLOCK_TIME_NONE;

// Pushes until the flow is `wanted`, which takes the queue's thread a moment.
bool push_until(QueueBench& bench, GstFlowReturn wanted) {
    const auto end = std::chrono::steady_clock::now() + kSoon;
    while (std::chrono::steady_clock::now() < end)
        if (bench.push_at(kNone) == wanted) return true;
    return false;
}

// ---- Flow returns

TEST_P(QueueFlow, DownstreamsResultReachesUpstream) {
    for (const GstFlowReturn flow :
         {GST_FLOW_ERROR, GST_FLOW_NOT_NEGOTIATED, GST_FLOW_NOT_LINKED, GST_FLOW_EOS, GST_FLOW_FLUSHING}) {
        QueueBench bench(GetParam());
        bench.answer(flow);
        bench.play();
        bench.begin();
        EXPECT_TRUE(push_until(bench, flow)) << gst_flow_get_name(flow);
        EXPECT_EQ(bench.push_at(kNone), flow);
    }
}

TEST_P(QueueFlow, WhoWaitsForRoomGetsTheResult) {
    QueueBench bench(GetParam());
    bench.set("max-size-buffers", 1u);
    bench.answer(GST_FLOW_ERROR);
    bench.play(true);
    bench.begin();
    bench.push_at(0);
    auto second = bench.push_later(make_buffer(1));
    ASSERT_TRUE(bench.wait_emitted("overrun", 1));
    bench.unblock();
    // It may slip in where the first was; then the next gets it.
    const GstFlowReturn flow = second.get();
    EXPECT_TRUE(flow == GST_FLOW_ERROR || push_until(bench, GST_FLOW_ERROR)) << gst_flow_get_name(flow);
}

TEST_P(QueueFlow, AnErrorLetsGoOfWhatIsQueued) {
    if (has_old_levels() && GetParam() == std::string("queue")) GTEST_SKIP() << "not so before 1.24";
    // Upstream's pool has two buffers; who waits for one gets it.
    QueueBench bench(GetParam());
    GstBufferPool* pool = gst_buffer_pool_new();
    GstStructure* config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, nullptr, 4, 0, 2);
    gst_buffer_pool_set_config(pool, config);
    gst_buffer_pool_set_active(pool, TRUE);
    bench.answer(GST_FLOW_ERROR);
    bench.play(true);
    bench.begin();
    for (int i = 0; i < 2; ++i) {
        GstBuffer* buffer = nullptr;
        ASSERT_EQ(gst_buffer_pool_acquire_buffer(pool, &buffer, nullptr), GST_FLOW_OK);
        EXPECT_EQ(bench.push(buffer), GST_FLOW_OK);
    }
    bench.unblock();
    auto third = std::async(std::launch::async, [pool] {
        GstBuffer* buffer = nullptr;
        const GstFlowReturn flow = gst_buffer_pool_acquire_buffer(pool, &buffer, nullptr);
        if (flow == GST_FLOW_OK) gst_buffer_unref(buffer);
        return flow;
    });
    if (third.wait_for(kSoon) != std::future_status::ready) {
        ADD_FAILURE() << "the queue keeps its buffers";
        gst_buffer_pool_set_flushing(pool, TRUE);
    }
    EXPECT_EQ(third.get(), GST_FLOW_OK);
    bench.stop();
    bench.forget_output();
    gst_buffer_pool_set_active(pool, FALSE);
    gst_object_unref(pool);
}

TEST_P(QueueFlow, NotLinkedUntilItIs) {
    QueueBench bench(GetParam(), false);
    bench.set("max-size-buffers", 1u);
    bench.play();
    bench.begin();
    ASSERT_TRUE(push_until(bench, GST_FLOW_NOT_LINKED));
    // Sticky events are taken all the same.
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    EXPECT_TRUE(bench.push_event(gst_event_new_segment(&segment)));
    EXPECT_EQ(bench.push_at(kNone), GST_FLOW_NOT_LINKED);
    EXPECT_FALSE(
        bench.push_event(gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM, gst_structure_new_empty("x"))));
    // Linking sends RECONFIGURE, with which it goes on.
    bench.link();
    EXPECT_TRUE(push_until(bench, GST_FLOW_OK));
    EXPECT_TRUE(bench.wait_buffers(1));
}

TEST_P(QueueFlow, DownstreamsEosEndsWithTheNextSegment) {
    QueueBench bench(GetParam());
    bench.answer(GST_FLOW_EOS);
    bench.play();
    bench.begin();
    ASSERT_TRUE(push_until(bench, GST_FLOW_EOS));
    const std::size_t before = bench.output_buffers().size();
    bench.answer(GST_FLOW_OK);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    EXPECT_TRUE(bench.push_event(gst_event_new_segment(&segment)));
    EXPECT_EQ(bench.push_at(1), GST_FLOW_OK);
    EXPECT_TRUE(bench.wait_buffers(before + 1));
}

TEST_P(QueueFlow, DownstreamsEosSkipsToTheNextSegmentInTheQueue) {
    if (GetParam() == std::string("queue")) GTEST_SKIP() << "pauses once it has pushed the segment";
    QueueBench bench(GetParam());
    bench.set("max-size-time", guint64{0});
    bench.play(true);
    bench.begin();
    for (guint64 i = 0; i < 5; ++i) bench.push_at(i);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.base = GST_SECOND;
    bench.push_event(gst_event_new_segment(&segment));
    bench.push_at(100);
    bench.push_at(101);
    // EOS for the first only.
    std::atomic<int> seen{0};
    gst_pad_add_probe(
        bench.sink(), GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad*, GstPadProbeInfo* info, gpointer data) {
            if (static_cast<std::atomic<int>*>(data)->fetch_add(1) > 0) return GST_PAD_PROBE_OK;
            gst_buffer_unref(GST_PAD_PROBE_INFO_BUFFER(info));
            info->data = nullptr;
            GST_PAD_PROBE_INFO_FLOW_RETURN(info) = GST_FLOW_EOS;
            return GST_PAD_PROBE_HANDLED;
        },
        &seen, nullptr);
    bench.unblock();
    ASSERT_TRUE(bench.wait_buffers(2));
    const auto buffers = bench.output_buffers();
    EXPECT_EQ(GST_BUFFER_PTS(buffers[0]), 100u);
    EXPECT_EQ(GST_BUFFER_PTS(buffers[1]), 101u);
    EXPECT_EQ(bench.push_at(102), GST_FLOW_OK);
    bench.stop();
    const Stats stats = stats_of(bench.element());
    EXPECT_EQ(stats.number("flushed") + stats.number("buffers-out"), 8u);
    EXPECT_GE(stats.number("flushed"), 4u);
}

TEST_P(QueueFlow, AnErrorBehindEosIsReported) {
    QueueBench bench(GetParam());
    bench.answer(GST_FLOW_ERROR);
    bench.play(true);
    bench.begin();
    bench.push_at(0);
    bench.push_event(gst_event_new_eos());
    bench.unblock();
    EXPECT_TRUE(bench.wait_message(GST_MESSAGE_ERROR));
    EXPECT_TRUE(bench.wait_event(GST_EVENT_EOS));
}

TEST_P(QueueFlow, EosAfterAnErrorReportsIt) {
    QueueBench bench(GetParam());
    bench.answer(GST_FLOW_ERROR);
    bench.play();
    bench.begin();
    ASSERT_TRUE(push_until(bench, GST_FLOW_ERROR));
    EXPECT_FALSE(bench.has_message(GST_MESSAGE_ERROR));
    EXPECT_FALSE(bench.push_event(gst_event_new_eos()));
    EXPECT_TRUE(bench.wait_message(GST_MESSAGE_ERROR));
}

// ---- EOS

TEST_P(QueueFlow, NothingComesAfterEos) {
    QueueBench bench(GetParam());
    bench.play();
    bench.begin();
    bench.push_at(0);
    EXPECT_TRUE(bench.push_event(gst_event_new_eos()));
    ASSERT_TRUE(bench.wait_event(GST_EVENT_EOS));
    // GstPad itself would refuse it; the queue is asked directly.
    GstPad* pad = gst_pad_get_peer(bench.src());
    gst_pad_sticky_events_foreach(
        pad,
        [](GstPad*, GstEvent** event, gpointer) -> gboolean {
            if (GST_EVENT_TYPE(*event) == GST_EVENT_EOS) gst_clear_event(event);
            return TRUE;
        },
        nullptr);
    EXPECT_EQ(gst_pad_chain(pad, make_buffer(1)), GST_FLOW_EOS);
    gst_object_unref(pad);
    EXPECT_EQ(bench.output_buffers().size(), 1u);
}

TEST_P(QueueFlow, StreamStartBeginsAnotherAfterEos) {
    QueueBench bench(GetParam());
    bench.play();
    for (int round = 1; round <= 3; ++round) {
        bench.begin();
        EXPECT_EQ(bench.push_at(0), GST_FLOW_OK);
        EXPECT_TRUE(bench.push_event(gst_event_new_eos()));
        ASSERT_TRUE(bench.wait_event(GST_EVENT_EOS, round));
        EXPECT_EQ(bench.output_buffers().size(), static_cast<std::size_t>(round));
        // Until the queue's thread has noted that it is done.
        const auto end = std::chrono::steady_clock::now() + kSoon;
        while (gst_pad_get_task_state(bench.queue_src()) != GST_TASK_PAUSED &&
               std::chrono::steady_clock::now() < end)
            std::this_thread::yield();
    }
}

TEST_P(QueueFlow, FlushOnEosDiscards) {
    QueueBench bench(GetParam());
    bench.set("flush-on-eos", TRUE);
    bench.play(true);
    bench.begin();
    for (guint64 i = 0; i < 5; ++i) bench.push_at(i);
    bench.push_event(gst_event_new_eos());
    EXPECT_EQ(bench.buffers(), 0u);
    EXPECT_EQ(bench.bytes(), 0u);
    bench.unblock();
    ASSERT_TRUE(bench.wait_event(GST_EVENT_EOS));
    EXPECT_TRUE(bench.output_buffers().empty());
}

// ---- Flushes

TEST_P(QueueFlow, FlushDiscardsAndGoesOn) {
    QueueBench bench(GetParam());
    bench.set("max-size-time", guint64{0});
    bench.play(true);
    bench.begin(GST_FORMAT_TIME, nullptr, "test/x-a");
    for (guint64 i = 0; i < 5; ++i) bench.push_at(i * GST_SECOND);
    bench.push_event(gst_event_new_flush_start());
    EXPECT_EQ(bench.buffers(), 0u);
    EXPECT_EQ(bench.push_at(9), GST_FLOW_FLUSHING);
    bench.unblock();
    bench.push_event(gst_event_new_flush_stop(TRUE));
    EXPECT_EQ(bench.time(), 0u);
    bench.begin();
    EXPECT_EQ(bench.push_at(10), GST_FLOW_OK);
    ASSERT_TRUE(bench.wait_buffers(1));
    EXPECT_EQ(GST_BUFFER_PTS(bench.output_buffers()[0]), 10u);
    // What was sticky is not lost.
    GstCaps* caps = gst_pad_get_current_caps(bench.sink());
    EXPECT_NE(caps, nullptr);
    gst_clear_caps(&caps);
}

TEST_P(QueueFlow, FlushReleasesWhoWaitsForRoom) {
    QueueBench bench(GetParam());
    bench.set("max-size-buffers", 1u);
    bench.play(true);
    bench.begin();
    bench.push_at(0);
    auto second = bench.push_later(make_buffer(1));
    ASSERT_TRUE(bench.wait_emitted("overrun", 1));
    bench.push_event(gst_event_new_flush_start());
    ASSERT_EQ(second.wait_for(kSoon), std::future_status::ready);
    EXPECT_EQ(second.get(), GST_FLOW_FLUSHING);
    bench.push_event(gst_event_new_flush_stop(TRUE));
}

TEST_P(QueueFlow, FlushAfterAnErrorMakesItGoOn) {
    QueueBench bench(GetParam());
    bench.answer(GST_FLOW_ERROR);
    bench.play();
    bench.begin();
    ASSERT_TRUE(push_until(bench, GST_FLOW_ERROR));
    bench.answer(GST_FLOW_OK);
    const std::size_t before = bench.output_buffers().size();
    bench.push_event(gst_event_new_flush_start());
    bench.push_event(gst_event_new_flush_stop(TRUE));
    bench.begin();
    EXPECT_EQ(bench.push_at(0), GST_FLOW_OK);
    EXPECT_TRUE(bench.wait_buffers(before + 1));
}

TEST_P(QueueFlow, FlushAfterEosMakesItGoOn) {
    QueueBench bench(GetParam());
    bench.play();
    bench.begin();
    bench.push_event(gst_event_new_eos());
    ASSERT_TRUE(bench.wait_event(GST_EVENT_EOS));
    bench.push_event(gst_event_new_flush_start());
    bench.push_event(gst_event_new_flush_stop(TRUE));
    bench.begin();
    EXPECT_EQ(bench.push_at(0), GST_FLOW_OK);
    EXPECT_TRUE(bench.wait_buffers(1));
}

// ---- Events and queries out of the order

TEST_P(QueueFlow, OutOfBandEventsOvertake) {
    QueueBench bench(GetParam());
    bench.play();
    bench.begin();
    ASSERT_TRUE(bench.wait_event(GST_EVENT_SEGMENT));
    bench.set("min-threshold-buffers", 10u);
    bench.push_at(0);
    EXPECT_TRUE(bench.push_event(
        gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM_OOB, gst_structure_new_empty("x"))));
    EXPECT_TRUE(bench.output().back().is_event(GST_EVENT_CUSTOM_DOWNSTREAM_OOB));
    EXPECT_EQ(bench.buffers(), 1u);
}

TEST_P(QueueFlow, UpstreamEventsPassAtOnce) {
    QueueBench bench(GetParam());
    static std::atomic<int> seen;
    seen = 0;
    gst_pad_set_event_function(bench.src(), [](GstPad*, GstObject*, GstEvent* event) -> gboolean {
        if (GST_EVENT_TYPE(event) == GST_EVENT_QOS || GST_EVENT_TYPE(event) == GST_EVENT_RECONFIGURE) ++seen;
        gst_event_unref(event);
        return TRUE;
    });
    bench.play();
    EXPECT_TRUE(gst_pad_push_event(bench.sink(), gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 1, 0, 0)));
    EXPECT_TRUE(gst_pad_push_event(bench.sink(), gst_event_new_reconfigure()));
    EXPECT_EQ(seen, 2);
}

TEST_P(QueueFlow, QueriesPassAtOnce) {
    QueueBench bench(GetParam());
    bench.on_query([](GstQuery* query) {
        if (GST_QUERY_TYPE(query) != GST_QUERY_CUSTOM) return false;
        gst_structure_set(gst_query_writable_structure(query), "seen", G_TYPE_BOOLEAN, TRUE, nullptr);
        return true;
    });
    bench.play();
    bench.begin();
    bench.set("min-threshold-buffers", 10u);
    bench.push_at(0);
    GstQuery* query = gst_query_new_custom(GST_QUERY_CUSTOM, gst_structure_new_empty("x"));
    EXPECT_TRUE(gst_pad_peer_query(bench.src(), query));
    EXPECT_TRUE(gst_structure_has_field(gst_query_get_structure(query), "seen"));
    gst_query_unref(query);
    EXPECT_EQ(bench.buffers(), 1u);
}

TEST_P(QueueFlow, SerializedQueriesWaitTheirTurn) {
    QueueBench bench(GetParam());
    std::atomic<std::size_t> before{0};
    bench.on_query([&](GstQuery* query) {
        if (GST_QUERY_TYPE(query) != GST_QUERY_ALLOCATION) return false;
        before = bench.output_buffers().size();
        gst_query_add_allocation_meta(query, GST_PROTECTION_META_API_TYPE, nullptr);
        return true;
    });
    bench.play();
    bench.begin();
    for (guint64 i = 0; i < 20; ++i) bench.push_at(i);
    GstCaps* caps = gst_caps_new_any();
    GstQuery* query = gst_query_new_allocation(caps, TRUE);
    EXPECT_TRUE(gst_pad_peer_query(bench.src(), query));
    EXPECT_EQ(before, 20u);
    EXPECT_EQ(gst_query_get_n_allocation_metas(query), 1u);
    gst_query_unref(query);
    bench.on_query([](GstQuery*) { return false; });
    query = gst_query_new_allocation(caps, TRUE);
    EXPECT_FALSE(gst_pad_peer_query(bench.src(), query));
    gst_query_unref(query);
    gst_caps_unref(caps);
}

TEST_P(QueueFlow, AFlushEndsSerializedQueries) {
    QueueBench bench(GetParam());
    bench.on_query([](GstQuery* query) { return GST_QUERY_TYPE(query) == GST_QUERY_ALLOCATION; });
    for (int round = 0; round < 100; ++round) {
        bench.play();
        auto asking = std::async(std::launch::async, [&] {
            GstCaps* caps = gst_caps_new_any();
            for (bool good = true; good;) {
                GstQuery* query = gst_query_new_allocation(caps, FALSE);
                good = gst_pad_peer_query(bench.src(), query);
                gst_query_unref(query);
            }
            gst_caps_unref(caps);
        });
        for (int i = 0; i < round; ++i) std::this_thread::yield();
        bench.push_event(gst_event_new_flush_start());
        ASSERT_EQ(asking.wait_for(kSoon), std::future_status::ready);
        bench.stop();
    }
}

TEST_P(QueueFlow, SchedulesPushOnly) {
    QueueBench bench(GetParam());
    bench.play();
    GstQuery* query = gst_query_new_scheduling();
    EXPECT_TRUE(gst_pad_query(bench.queue_src(), query));
    EXPECT_TRUE(gst_query_has_scheduling_mode(query, GST_PAD_MODE_PUSH));
    EXPECT_FALSE(gst_query_has_scheduling_mode(query, GST_PAD_MODE_PULL));
    gst_query_unref(query);
}

TEST_P(QueueFlow, ReportsItsLatency) {
    static guint64 upstream_max;
    const auto ask = [](QueueBench& bench) {
        gst_pad_set_query_function(bench.src(), [](GstPad*, GstObject*, GstQuery* query) -> gboolean {
            if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY) return FALSE;
            gst_query_set_latency(query, TRUE, GST_MSECOND, upstream_max);
            return TRUE;
        });
        GstQuery* query = gst_query_new_latency();
        EXPECT_TRUE(gst_pad_query(bench.queue_src(), query));
        std::pair<guint64, guint64> bounds;
        gboolean live = FALSE;
        gst_query_parse_latency(query, &live, &bounds.first, &bounds.second);
        EXPECT_TRUE(live);
        gst_query_unref(query);
        return bounds;
    };
    using Bounds = std::pair<guint64, guint64>;
    QueueBench bench(GetParam());
    bench.play();
    upstream_max = 5 * GST_MSECOND;
    EXPECT_EQ(ask(bench), Bounds(GST_MSECOND, GST_SECOND + 5 * GST_MSECOND));
    bench.set("min-threshold-time", 10 * GST_MSECOND);
    EXPECT_EQ(ask(bench), Bounds(11 * GST_MSECOND, GST_SECOND + 5 * GST_MSECOND));
    bench.set("min-threshold-time", guint64{0});
    bench.set("leaky", 2);
    EXPECT_EQ(ask(bench), Bounds(GST_MSECOND, GST_SECOND));
    bench.set("max-size-time", guint64{0});
    EXPECT_EQ(ask(bench), Bounds(GST_MSECOND, kNone));
    bench.set("leaky", 0);
    EXPECT_EQ(ask(bench), Bounds(GST_MSECOND, kNone));
    bench.set("max-size-time", GST_SECOND);
    upstream_max = kNone;
    EXPECT_EQ(ask(bench), Bounds(GST_MSECOND, kNone));
}

TEST_P(QueueFlow, PositionIsThatOfWhatGoesOut) {
    QueueBench bench(GetParam());
    bench.set("max-size-time", guint64{0});
    gst_pad_set_query_function(bench.src(), [](GstPad*, GstObject*, GstQuery* query) -> gboolean {
        GstFormat format = GST_FORMAT_UNDEFINED;
        if (GST_QUERY_TYPE(query) != GST_QUERY_POSITION) return FALSE;
        gst_query_parse_position(query, &format, nullptr);
        gst_query_set_position(query, format, format == GST_FORMAT_TIME ? 10 * GST_SECOND : 1000);
        return TRUE;
    });
    bench.play(true);
    bench.begin();
    bench.push_at(0, 4 * GST_SECOND, 300);
    gint64 position = 0;
    EXPECT_TRUE(gst_pad_query_position(bench.queue_src(), GST_FORMAT_TIME, &position));
    EXPECT_EQ(position, static_cast<gint64>(6 * GST_SECOND));
    EXPECT_TRUE(gst_pad_query_position(bench.queue_src(), GST_FORMAT_BYTES, &position));
    EXPECT_EQ(position, 700);
    bench.push_at(4 * GST_SECOND, 20 * GST_SECOND, 1000);
    EXPECT_TRUE(gst_pad_query_position(bench.queue_src(), GST_FORMAT_TIME, &position));
    EXPECT_EQ(position, 0);
}

// ---- States

TEST_P(QueueFlow, StopsWhileUpstreamWaitsForRoom) {
    QueueBench bench(GetParam());
    bench.set("max-size-buffers", 1u);
    bench.play(true);
    bench.begin();
    bench.push_at(0);
    auto second = bench.push_later(make_buffer(1));
    ASSERT_TRUE(bench.wait_emitted("overrun", 1));
    bench.unblock();
    bench.stop();
    ASSERT_EQ(second.wait_for(kSoon), std::future_status::ready);
    second.get();
}

TEST_P(QueueFlow, StopsWhileFlushing) {
    for (int round = 0; round < 100; ++round) {
        QueueBench bench(GetParam());
        bench.play();
        bench.push_event(gst_event_new_flush_start());
        auto going_on =
            std::async(std::launch::async, [&] { bench.push_event(gst_event_new_flush_stop(TRUE)); });
        for (int i = 0; i < round; ++i) std::this_thread::yield();
        bench.stop();
        ASSERT_EQ(going_on.wait_for(kSoon), std::future_status::ready);
    }
}

TEST_P(QueueFlow, RunsAgainAfterEachStop) {
    QueueBench bench(GetParam());
    for (int round = 0; round < 50; ++round) {
        bench.play();
        bench.begin();
        for (guint64 i = 0; i < 10; ++i) ASSERT_EQ(bench.push_at(i), GST_FLOW_OK);
        ASSERT_TRUE(bench.wait_buffers(10));
        bench.stop();
        EXPECT_EQ(bench.buffers(), 0u);
        EXPECT_EQ(bench.push_at(0), GST_FLOW_FLUSHING);
        bench.forget_output();
    }
}

TEST_P(QueueFlow, FreesWhatItHoldsWhenItStops) {
    QueueBench bench(GetParam());
    bench.play(true);
    bench.begin();
    const Ref<GstBuffer> held(make_buffer(0));
    bench.push_at(0);
    bench.push(gst_buffer_ref(held.get()));
    bench.unblock();
    bench.answer(GST_FLOW_ERROR);
    bench.stop();
    bench.forget_output();
    EXPECT_EQ(GST_MINI_OBJECT_REFCOUNT_VALUE(held.get()), 1);
}

HAWSER_FOR_ANY_QUEUE(QueueFlow);

}  // namespace
}  // namespace hawser::test
