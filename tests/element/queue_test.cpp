// What a queue shows and how it fills: every test for GStreamer's queue and for hawserqueue.
#include "tests/element/queue_bench.h"

namespace hawser::test {
namespace {

using Queue = AnyQueue;

bool has_discont(GstBuffer* buffer) {
    return GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT);
}

// A buffer with a reference of the test's, so that it can be seen when the queue lets go of it.
struct Watched {
    Ref<GstBuffer> mine;
    explicit Watched(guint64 pts = GST_CLOCK_TIME_NONE, gsize size = 4)
        : mine(make_buffer(pts, GST_CLOCK_TIME_NONE, size)) {}
    GstBuffer* give() const { return gst_buffer_ref(mine.get()); }
    bool is_alone() const { return GST_MINI_OBJECT_REFCOUNT_VALUE(mine.get()) == 1; }
};

TEST(QueueInterface, HasAllPropertiesAndSignalsOfQueue) {
    init_gst();
    Ref<GstElement> theirs(GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("queue", nullptr))));
    Ref<GstElement> ours(GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("hawserqueue", nullptr))));
    guint count = 0;
    GParamSpec** specs = g_object_class_list_properties(G_OBJECT_GET_CLASS(theirs.get()), &count);
    int compared = 0;
    for (guint i = 0; i < count; ++i) {
        const char* name = g_param_spec_get_name(specs[i]);
        if (specs[i]->owner_type != G_OBJECT_TYPE(theirs.get()) || std::string(name) == "notify-levels")
            continue;
        GParamSpec* own = g_object_class_find_property(G_OBJECT_GET_CLASS(ours.get()), name);
        ASSERT_NE(own, nullptr) << name;
        EXPECT_EQ(own->flags & ~(G_PARAM_STATIC_STRINGS), specs[i]->flags & ~(G_PARAM_STATIC_STRINGS))
            << name;
        const GValue* a = g_param_spec_get_default_value(own);
        const GValue* b = g_param_spec_get_default_value(specs[i]);
        if (G_IS_PARAM_SPEC_ENUM(own)) {
            EXPECT_EQ(g_value_get_enum(a), g_value_get_enum(b)) << name;
            const GEnumClass* values = G_PARAM_SPEC_ENUM(specs[i])->enum_class;
            const GEnumClass* own_values = G_PARAM_SPEC_ENUM(own)->enum_class;
            ASSERT_EQ(own_values->n_values, values->n_values);
            for (guint n = 0; n < values->n_values; ++n) {
                EXPECT_EQ(own_values->values[n].value, values->values[n].value);
                EXPECT_STREQ(own_values->values[n].value_nick, values->values[n].value_nick);
            }
        } else {
            EXPECT_EQ(own->value_type, specs[i]->value_type) << name;
            EXPECT_EQ(g_param_values_cmp(own, a, b), 0) << name;
        }
        ++compared;
    }
    EXPECT_GE(compared, 12);
    g_free(specs);
    for (const char* name : {"underrun", "running", "overrun", "pushing"}) {
        GSignalQuery query{};
        g_signal_query(g_signal_lookup(name, G_OBJECT_TYPE(ours.get())), &query);
        ASSERT_NE(query.signal_id, 0u) << name;
        EXPECT_EQ(query.n_params, 0u);
    }
    for (const char* name : {"sink", "src"}) {
        GstPad* pad = gst_element_get_static_pad(ours.get(), name);
        EXPECT_NE(pad, nullptr) << name;
        gst_clear_object(&pad);
    }
}

TEST_P(Queue, SaysThatItIsEmptyWhenItStarts) {
    QueueBench bench(GetParam());
    bench.play();
    EXPECT_EQ(bench.emitted("underrun"), 1);
    EXPECT_EQ(bench.emitted("overrun"), 0);
}

TEST_P(Queue, SilentEmitsNothing) {
    QueueBench bench(GetParam());
    bench.set("silent", TRUE);
    bench.set("max-size-buffers", 1u);
    bench.set("leaky", 1);
    bench.play(true);
    bench.begin();
    for (int i = 0; i < 5; ++i) EXPECT_EQ(bench.push_at(i * GST_SECOND), GST_FLOW_OK);
    bench.unblock();
    EXPECT_TRUE(bench.wait_buffers(1));
    for (const char* name : {"underrun", "running", "overrun", "pushing"})
        EXPECT_EQ(bench.emitted(name), 0) << name;
}

TEST_P(Queue, HandsOverInOrder) {
    QueueBench bench(GetParam());
    bench.play();
    bench.begin(GST_FORMAT_TIME, nullptr, "test/x-a");
    std::vector<GstBuffer*> pushed;
    for (guint64 i = 0; i < 100; ++i) {
        pushed.push_back(make_buffer(i * GST_MSECOND));
        ASSERT_EQ(bench.push(pushed.back()), GST_FLOW_OK);
    }
    GstCaps* caps = gst_caps_from_string("test/x-b");
    bench.push_event(gst_event_new_caps(caps));
    gst_caps_unref(caps);
    bench.push_event(gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM, gst_structure_new_empty("mark")));
    bench.push_event(gst_event_new_gap(GST_SECOND, GST_SECOND));
    bench.push_at(2 * GST_SECOND);
    bench.push_event(gst_event_new_eos());
    ASSERT_TRUE(bench.wait_event(GST_EVENT_EOS));
    const std::vector<Output> output = bench.output();
    ASSERT_EQ(output.size(), 3u + 100 + 3 + 1 + 1);
    EXPECT_TRUE(output[0].is_event(GST_EVENT_STREAM_START));
    EXPECT_TRUE(output[1].is_event(GST_EVENT_CAPS));
    EXPECT_TRUE(output[2].is_event(GST_EVENT_SEGMENT));
    for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(output[3 + i].object, GST_MINI_OBJECT_CAST(pushed[i]));
    EXPECT_TRUE(output[103].is_event(GST_EVENT_CAPS));
    EXPECT_TRUE(output[104].is_event(GST_EVENT_CUSTOM_DOWNSTREAM));
    EXPECT_TRUE(output[105].is_event(GST_EVENT_GAP));
    EXPECT_TRUE(output[106].is_buffer());
}

TEST_P(Queue, FullBlocksUntilThereIsRoom) {
    QueueBench bench(GetParam());
    bench.set("max-size-buffers", 2u);
    bench.play(true);
    bench.begin(GST_FORMAT_BYTES);
    const std::vector<GstBuffer*> pushed{make_buffer(0), make_buffer(1), make_buffer(2)};
    bench.push(pushed[0]);
    bench.push(pushed[1]);
    EXPECT_EQ(bench.emitted("overrun"), 0);
    EXPECT_EQ(bench.buffers(), 2u);
    auto third = bench.push_later(pushed[2]);
    ASSERT_TRUE(bench.wait_emitted("overrun", 1));
    EXPECT_EQ(third.wait_for(Milliseconds(20)), std::future_status::timeout);
    EXPECT_EQ(bench.emitted("underrun"), 1);
    bench.unblock();
    EXPECT_EQ(third.get(), GST_FLOW_OK);
    ASSERT_TRUE(bench.wait_buffers(3));
    EXPECT_EQ(bench.output_buffers(), pushed);
    EXPECT_TRUE(bench.wait_emitted("underrun", 2));
    EXPECT_GE(bench.emitted("running"), 2);  // after the underrun and after the overrun
    EXPECT_GE(bench.emitted("pushing"), 1);
    EXPECT_EQ(bench.buffers(), 0u);
}

TEST_P(Queue, OverrunHandlerMayMakeRoom) {
    QueueBench bench(GetParam());
    bench.set("max-size-buffers", 2u);
    bench.on_signal("overrun", [&] { bench.set("max-size-buffers", 3u); });
    bench.play(true);
    bench.begin();
    for (guint64 i = 0; i < 3; ++i) EXPECT_EQ(bench.push_at(i), GST_FLOW_OK);
    EXPECT_EQ(bench.buffers(), 3u);
    EXPECT_EQ(bench.emitted("overrun"), 1);
}

TEST_P(Queue, MoreRoomWakesWhoWaitsForIt) {
    QueueBench bench(GetParam());
    bench.set("max-size-bytes", 4u);
    bench.play(true);
    bench.begin();
    bench.push_at(0);
    auto second = bench.push_later(make_buffer(1));
    ASSERT_TRUE(bench.wait_emitted("overrun", 1));
    bench.set("max-size-bytes", 0u);
    ASSERT_EQ(second.wait_for(kSoon), std::future_status::ready);
    EXPECT_EQ(bench.bytes(), 8u);
}

TEST_P(Queue, LeakyUpstreamDropsWhatIsNew) {
    QueueBench bench(GetParam());
    bench.set("max-size-buffers", 2u);
    bench.set("leaky", 1);
    bench.play(true);
    bench.begin(GST_FORMAT_BYTES);
    const Watched kept[3], gone[2];
    bench.push(kept[0].give());
    bench.push(kept[1].give());
    EXPECT_EQ(bench.push(gone[0].give()), GST_FLOW_OK);
    EXPECT_EQ(bench.push(gone[1].give()), GST_FLOW_OK);
    EXPECT_EQ(bench.emitted("overrun"), 2);
    EXPECT_TRUE(gone[0].is_alone() && gone[1].is_alone());
    bench.unblock();
    ASSERT_TRUE(bench.wait_buffers(2));
    ASSERT_TRUE(bench.wait_emitted("underrun", 2));
    bench.push(kept[2].give());
    ASSERT_TRUE(bench.wait_buffers(3));
    const auto output = bench.output_buffers();
    EXPECT_EQ(output[0], kept[0].mine.get());
    EXPECT_EQ(output[1], kept[1].mine.get());
    EXPECT_FALSE(has_discont(output[0]) || has_discont(output[1]));
    EXPECT_TRUE(has_discont(output[2]));
    EXPECT_FALSE(has_discont(kept[2].mine.get()));  // ours is not written to
}

TEST_P(Queue, LeakyDownstreamDropsWhatIsOld) {
    QueueBench bench(GetParam());
    bench.set("max-size-buffers", 2u);
    bench.set("leaky", 2);
    bench.play(true);
    bench.begin(GST_FORMAT_BYTES);
    const Watched gone;
    bench.push(gone.give());
    EXPECT_FALSE(gone.is_alone());
    const std::vector<GstBuffer*> kept{make_buffer(1), make_buffer(2)};
    bench.push(kept[0]);
    bench.push(kept[1]);
    EXPECT_EQ(bench.emitted("overrun"), 1);
    EXPECT_EQ(bench.buffers(), 2u);
    EXPECT_TRUE(gone.is_alone());
    bench.unblock();
    ASSERT_TRUE(bench.wait_buffers(2));
    EXPECT_TRUE(bench.wait_emitted("underrun", 2));
    EXPECT_EQ(bench.output_buffers(), kept);
    EXPECT_TRUE(has_discont(kept[0]));
    EXPECT_FALSE(has_discont(kept[1]));
    EXPECT_TRUE(bench.wait_event(GST_EVENT_SEGMENT));
}

TEST_P(Queue, LeakyDownstreamForgetsNoStickyEvents) {
    QueueBench bench(GetParam());
    bench.set("max-size-buffers", 1u);
    bench.set("leaky", 2);
    bench.play(true);
    bench.begin(GST_FORMAT_TIME, nullptr, "test/x-a");
    for (guint64 i = 0; i < 3; ++i) {
        GstCaps* caps = gst_caps_new_simple("test/x-a", "n", G_TYPE_INT, static_cast<int>(i), nullptr);
        bench.push_event(gst_event_new_caps(caps));
        gst_caps_unref(caps);
        bench.push_at(i);
    }
    bench.unblock();
    ASSERT_TRUE(bench.wait_buffers(1));
    GstCaps* caps = gst_pad_get_current_caps(bench.sink());
    ASSERT_NE(caps, nullptr);
    int n = -1;
    gst_structure_get_int(gst_caps_get_structure(caps, 0), "n", &n);
    EXPECT_EQ(n, 2);
    gst_caps_unref(caps);
    GstEvent* segment = gst_pad_get_sticky_event(bench.sink(), GST_EVENT_SEGMENT, 0);
    EXPECT_NE(segment, nullptr);
    gst_clear_event(&segment);
}

TEST_P(Queue, SmallerBoundsLeakDownstreamAtOnce) {
    QueueBench bench(GetParam());
    bench.set("leaky", 2);
    bench.play(true);
    bench.begin();
    for (guint64 i = 0; i < 10; ++i) bench.push_at(i);
    bench.set("max-size-buffers", 4u);
    EXPECT_EQ(bench.buffers(), 3u);  // less than full
}

// ---- Levels

// The level does not count what lies before the first buffer, unless in older GStreamers.
guint64 level(guint64 since_first, guint64 first) {
    return has_old_levels() ? since_first + first : since_first;
}

TEST_P(Queue, CountsBuffersAndBytes) {
    QueueBench bench(GetParam());
    bench.play(true);
    bench.begin();
    for (gsize i = 1; i <= 5; ++i) bench.push_at(i, GST_CLOCK_TIME_NONE, i * 100);
    EXPECT_EQ(bench.buffers(), 5u);
    EXPECT_EQ(bench.bytes(), 1500u);
    bench.unblock();
    ASSERT_TRUE(bench.wait_emitted("underrun", 2));
    EXPECT_EQ(bench.buffers(), 0u);
    EXPECT_EQ(bench.bytes(), 0u);
    EXPECT_EQ(bench.time(), 0u);
}

TEST_P(Queue, CountsTimeFromTimestampsAndDurations) {
    QueueBench bench(GetParam());
    bench.set("max-size-buffers", 6u);
    bench.set("max-size-time", 10 * GST_SECOND);
    bench.play(true);
    bench.begin(GST_FORMAT_BYTES);
    const struct {
        guint64 pts, duration, level;
    } steps[] = {
        {1, GST_CLOCK_TIME_NONE, 0},                                   // no duration
        {2, GST_CLOCK_TIME_NONE, 1}, {3, 1, 3}, {5, 1, 5}, {5, 1, 5},  // the same time once more
        {7, GST_CLOCK_TIME_NONE, 6},
    };
    for (const auto& step : steps) {
        bench.push_at(step.pts * GST_SECOND, GST_CLOCK_TIME_IS_VALID(step.duration)
                                                 ? step.duration * GST_SECOND
                                                 : GST_CLOCK_TIME_NONE);
        EXPECT_EQ(bench.time(), level(step.level * GST_SECOND, GST_SECOND)) << "at " << step.pts;
    }
    auto full = bench.push_later(make_buffer(8 * GST_SECOND));
    EXPECT_TRUE(bench.wait_emitted("overrun", 1));
    bench.unblock();
    EXPECT_EQ(full.get(), GST_FLOW_OK);
}

TEST_P(Queue, CountsListsByTheirBuffers) {
    QueueBench bench(GetParam());
    bench.set("max-size-time", 10 * GST_SECOND);
    bench.play(true);
    bench.begin(GST_FORMAT_BYTES);
    const auto list = [](std::initializer_list<guint64> ms, guint64 duration) {
        GstBufferList* made = gst_buffer_list_new();
        for (const guint64 each : ms)
            gst_buffer_list_add(made,
                                make_buffer(each * GST_MSECOND,
                                            duration == 0 ? GST_CLOCK_TIME_NONE : duration * GST_MSECOND));
        return made;
    };
    bench.push_at(GST_SECOND);
    GstBufferList* second = list({1500, 2000}, 0);
    gst_pad_push_list(bench.src(), second);
    EXPECT_EQ(bench.buffers(), 3u);
    EXPECT_EQ(bench.bytes(), 12u);
    EXPECT_EQ(bench.time(), level(GST_SECOND, GST_SECOND));
    gst_pad_push_list(bench.src(), list({3000, 3500}, 500));
    EXPECT_EQ(bench.buffers(), 5u);
    EXPECT_EQ(bench.time(), level(3 * GST_SECOND, GST_SECOND));
    gst_pad_push_list(bench.src(), list({5000, 5250, 5500, 5750}, 250));
    EXPECT_EQ(bench.buffers(), 9u);
    EXPECT_EQ(bench.time(), level(5 * GST_SECOND, GST_SECOND));
    bench.unblock();
    ASSERT_TRUE(bench.wait_buffers(9));
    const std::vector<Output> output = bench.output();
    ASSERT_EQ(output.size(), 2u + 4);
    EXPECT_TRUE(output[2].is_buffer());
    EXPECT_EQ(output[3].object, GST_MINI_OBJECT_CAST(second));  // lists stay lists
    EXPECT_TRUE(bench.wait_emitted("underrun", 2));
    EXPECT_EQ(bench.buffers(), 0u);
    EXPECT_EQ(bench.time(), 0u);
}

TEST_P(Queue, CountsTimeInRunningTime) {
    QueueBench bench(GetParam());
    bench.set("max-size-time", guint64{0});
    bench.play(true);
    bench.push_event(gst_event_new_stream_start("bench"));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.rate = 2;
    segment.start = segment.position = segment.time = 100 * GST_SECOND;
    bench.push_event(gst_event_new_segment(&segment));
    bench.push_at(100 * GST_SECOND, 4 * GST_SECOND);
    EXPECT_EQ(bench.time(), 2 * GST_SECOND);
    bench.push_event(gst_event_new_gap(104 * GST_SECOND, 2 * GST_SECOND));
    EXPECT_EQ(bench.time(), 3 * GST_SECOND);
    bench.unblock();
    ASSERT_TRUE(bench.wait_event(GST_EVENT_GAP));
    ASSERT_TRUE(bench.wait_emitted("underrun", 2));
    EXPECT_EQ(bench.time(), 0u);
}

TEST_P(Queue, SegmentsAloneHoldNoTime) {
    QueueBench bench(GetParam());
    bench.play(true);
    bench.push_event(gst_event_new_stream_start("bench"));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.start = segment.position = GST_SECOND;
    segment.stop = 5 * GST_SECOND;
    bench.push_event(gst_event_new_segment(&segment));
    EXPECT_EQ(bench.time(), 0u);
    segment.base = 4 * GST_SECOND;
    bench.push_event(gst_event_new_segment(&segment));
    EXPECT_EQ(bench.time(), has_old_levels() ? 4 * GST_SECOND : 0u);
}

TEST_P(Queue, MaxSizeTimeCountsOnlyWhatIsKnown) {
    QueueBench bench(GetParam());
    bench.set("max-size-time", 5 * GST_SECOND);
    bench.play(true);
    bench.begin(GST_FORMAT_BYTES);
    bench.push_at(GST_SECOND, GST_SECOND);
    const guint64 before = bench.time();
    bench.push_at(GST_CLOCK_TIME_NONE);  // neither time nor duration
    EXPECT_EQ(bench.time(), before);
    EXPECT_EQ(bench.emitted("overrun"), 0);
}

TEST_P(Queue, MaxSizeTimeAloneIsABound) {
    QueueBench bench(GetParam());
    bench.set("max-size-buffers", 0u);
    bench.set("max-size-bytes", 0u);
    bench.set("max-size-time", 2 * GST_SECOND);
    bench.set("leaky", 1);  // so that no push waits
    bench.play(true);
    bench.begin();
    for (guint64 i = 0; i < 10; ++i) bench.push_at(i * GST_SECOND, GST_SECOND);
    EXPECT_EQ(bench.buffers(), 2u);
    bench.push_event(gst_event_new_flush_start());
    bench.push_event(gst_event_new_flush_stop(TRUE));
    bench.begin();
    for (guint64 i = 0; i < 10; ++i) bench.push_at(i * GST_SECOND / 10, GST_SECOND / 10);
    EXPECT_EQ(bench.buffers(), 10u) << "1 s";
    for (guint64 i = 1; i < 10; ++i) bench.push_at(i * GST_SECOND, GST_SECOND);
    EXPECT_EQ(bench.buffers(), 11u);
}

// ---- Thresholds

TEST_P(Queue, MinThresholdHoldsDataBack) {
    QueueBench bench(GetParam());
    bench.set("min-threshold-buffers", 3u);
    bench.play();
    bench.begin();
    ASSERT_TRUE(bench.wait_event(GST_EVENT_SEGMENT));  // events are not held back
    bench.push_at(0);
    bench.push_at(1);
    EXPECT_EQ(bench.buffers(), 2u);
    bench.push_at(2);
    // What is above the threshold goes on.
    ASSERT_TRUE(bench.wait_buffers(1));
    bench.push_at(3);
    ASSERT_TRUE(bench.wait_buffers(2));
    EXPECT_EQ(bench.buffers(), 2u);
    bench.push_event(gst_event_new_eos());
    EXPECT_TRUE(bench.wait_event(GST_EVENT_EOS));
    EXPECT_EQ(bench.output_buffers().size(), 4u);
}

TEST_P(Queue, MinThresholdChangesAtOnce) {
    QueueBench bench(GetParam());
    bench.set("min-threshold-bytes", 1000u);
    bench.play();
    bench.begin();
    bench.push_at(0);
    EXPECT_EQ(bench.buffers(), 1u);
    bench.set("min-threshold-bytes", 4u);
    EXPECT_TRUE(bench.wait_buffers(1));
}

TEST_P(Queue, FullBeatsMinThreshold) {
    QueueBench bench(GetParam());
    bench.set("min-threshold-buffers", 10u);
    bench.set("max-size-buffers", 2u);
    bench.play();
    bench.begin();
    for (guint64 i = 0; i < 5; ++i) EXPECT_EQ(bench.push_at(i), GST_FLOW_OK);
    EXPECT_TRUE(bench.wait_buffers(3));
}

TEST_P(Queue, QueryPassesMinThreshold) {
    QueueBench bench(GetParam());
    bench.on_query([](GstQuery* query) { return GST_QUERY_TYPE(query) == GST_QUERY_DRAIN; });
    bench.set("min-threshold-buffers", 10u);
    bench.play();
    bench.begin();
    bench.push_at(0);
    GstQuery* query = gst_query_new_drain();
    EXPECT_TRUE(gst_pad_peer_query(bench.src(), query));
    gst_query_unref(query);
    EXPECT_EQ(bench.output_buffers().size(), 1u);  // in front of the query
}

HAWSER_FOR_ANY_QUEUE(Queue);

}  // namespace
}  // namespace hawser::test
