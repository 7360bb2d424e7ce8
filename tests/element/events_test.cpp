// Events: all that a pad can say but buffers, downstream in order with them, and upstream.
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include "tests/support/link.h"

namespace hawser::test {
namespace {

using std::chrono_literals::operator""ms;

class Events : public ::testing::Test {
  protected:
    void SetUp() override {
        init_gst();
        sender_ = std::make_unique<Sender>("port=0 address=127.0.0.1 stream=/test");
        sender_->play();
        receiver_ = std::make_unique<Receiver>("uri=" + sender_->uri());
        receiver_->play();
    }
    void TearDown() override {
        receiver_.reset();
        sender_.reset();
    }
    Feeder& pad() { return sender_->pad("sink_0"); }
    void push(unsigned count = 1) {
        for (unsigned i = 0; i < count; ++i, ++pushed_) {
            ASSERT_EQ(pad().push_bytes(100, pushed_, pushed_ * 20 * GST_MSECOND), GST_FLOW_OK);
        }
    }
    std::shared_ptr<Recorder> finish() {
        EXPECT_TRUE(pad().eos());
        auto track = receiver_->track("src_0");
        if (!track) return nullptr;
        EXPECT_TRUE(track->wait_eos(kSoon)) << receiver_->pipeline.log();
        EXPECT_EQ(difference(pad().sent(), track->buffers()), "");
        return track;
    }

    std::unique_ptr<Sender> sender_;
    std::unique_ptr<Receiver> receiver_;
    unsigned pushed_ = 0;
};

TEST_F(Events, TheStickyOnesComeFirstAndInOrder) {
    pad().start("video/x-test, width=(int)320, height=(int)240", "a/stream-id");
    push(3);
    const auto track = finish();
    ASSERT_TRUE(track);
    const auto events = track->events();
    ASSERT_GE(events.size(), 4u);
    EXPECT_EQ(events[0].type, GST_EVENT_STREAM_START);
    EXPECT_EQ(events[1].type, GST_EVENT_CAPS);
    EXPECT_EQ(events[2].type, GST_EVENT_SEGMENT);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(events[i].before, 0u) << events[i].name;
    EXPECT_EQ(events.back().type, GST_EVENT_EOS);
    EXPECT_EQ(events.back().before, 3u);
    const gchar* stream_id = nullptr;
    gst_event_parse_stream_start(events[0].event.get(), &stream_id);
    EXPECT_STREQ(stream_id, "a/stream-id");
    GstCaps* caps = nullptr;
    gst_event_parse_caps(events[1].event.get(), &caps);
    Ref<GstCaps> want(gst_caps_from_string("video/x-test, width=(int)320, height=(int)240"));
    EXPECT_TRUE(gst_caps_is_strictly_equal(caps, want.get())) << events[1].text;
    EXPECT_TRUE(receiver_->pipeline.wait_eos(kSoon));
    EXPECT_TRUE(sender_->pipeline.wait_eos(kSoon)) << "the sink did not say EOS";
}

TEST_F(Events, CapsWithBuffersInThem) {
    // Codec data must arrive bit by bit.
    pad().start(
        "video/x-h264, stream-format=(string)avc, codec_data=(buffer)0142c01effe1, "
        "framerate=(fraction)30000/1001, "
        "streamheader=(buffer)< 0102, 0304 >");
    push(1);
    const auto track = finish();
    ASSERT_TRUE(track);
    GstCaps* caps = nullptr;
    gst_event_parse_caps(track->events(GST_EVENT_CAPS).at(0).event.get(), &caps);
    Ref<GstCaps> want(
        gst_caps_from_string("video/x-h264, stream-format=(string)avc, codec_data=(buffer)0142c01effe1, "
                             "framerate=(fraction)30000/1001, "
                             "streamheader=(buffer)< 0102, 0304 >"));
    EXPECT_TRUE(gst_caps_is_strictly_equal(caps, want.get())) << track->events(GST_EVENT_CAPS)[0].text;
}

TEST_F(Events, CapsChangeInMidStreamAtTheSamePlace) {
    pad().start("video/x-test, width=(int)320");
    push(5);
    Ref<GstCaps> wide(gst_caps_from_string("video/x-test, width=(int)640"));
    pad().push_event(gst_event_new_caps(wide.get()));
    push(4);
    Ref<GstCaps> wider(gst_caps_from_string("video/x-test, width=(int)1280"));
    pad().push_event(gst_event_new_caps(wider.get()));
    push(1);
    const auto track = finish();
    ASSERT_TRUE(track);
    const auto caps = track->events(GST_EVENT_CAPS);
    ASSERT_EQ(caps.size(), 3u);
    const char* widths[] = {"320", "640", "1280"};
    const std::size_t before[] = {0, 5, 9};
    for (int i = 0; i < 3; ++i) {
        EXPECT_NE(caps[i].text.find(widths[i]), std::string::npos) << caps[i].text;
        EXPECT_EQ(caps[i].before, before[i]) << widths[i];
    }
}

TEST_F(Events, SegmentsKeepWhatTheySay) {
    pad().start();
    push(2);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.rate = 2.0;
    segment.applied_rate = 0.5;
    segment.start = 10 * GST_SECOND;
    segment.stop = 20 * GST_SECOND;
    segment.time = 100 * GST_SECOND;
    segment.position = 11 * GST_SECOND;
    pad().push_event(gst_event_new_segment(&segment));
    for (unsigned i = 0; i < 3; ++i) pad().push_bytes(50, 70 + i, 10 * GST_SECOND + i * GST_SECOND);
    const auto track = finish();
    ASSERT_TRUE(track);
    const auto segments = track->events(GST_EVENT_SEGMENT);
    ASSERT_EQ(segments.size(), 2u);
    EXPECT_EQ(segments[1].before, 2u);
    const GstSegment* got = nullptr;
    gst_event_parse_segment(segments[1].event.get(), &got);
    EXPECT_EQ(got->format, GST_FORMAT_TIME);
    EXPECT_EQ(got->rate, 2.0);
    EXPECT_EQ(got->applied_rate, 0.5);
    EXPECT_EQ(got->start, 10 * GST_SECOND);
    EXPECT_EQ(got->stop, 20 * GST_SECOND);
    EXPECT_EQ(got->time, 100 * GST_SECOND);
}

TEST_F(Events, ASegmentInBytes) {
    pad().push_event(gst_event_new_stream_start("bytes"));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_BYTES);
    segment.stop = 300;
    pad().push_event(gst_event_new_segment(&segment));
    for (unsigned i = 0; i < 3; ++i) pad().push_bytes(100, i, GST_CLOCK_TIME_NONE);
    const auto track = finish();
    ASSERT_TRUE(track);
    const auto segments = track->events(GST_EVENT_SEGMENT);
    ASSERT_EQ(segments.size(), 1u);
    const GstSegment* got = nullptr;
    gst_event_parse_segment(segments[0].event.get(), &got);
    EXPECT_EQ(got->format, GST_FORMAT_BYTES);
    EXPECT_EQ(got->stop, 300u);
    EXPECT_TRUE(track->events(GST_EVENT_CAPS).empty()) << "caps that nobody sent";
}

TEST_F(Events, TagsOfBothScopes) {
    pad().start();
    GstTagList* stream = gst_tag_list_new(GST_TAG_TITLE, "Überschrift", GST_TAG_BITRATE, 128000u, nullptr);
    pad().push_event(gst_event_new_tag(stream));
    push(2);
    GstTagList* global = gst_tag_list_new(GST_TAG_ARTIST, "Somebody", nullptr);
    gst_tag_list_set_scope(global, GST_TAG_SCOPE_GLOBAL);
    pad().push_event(gst_event_new_tag(global));
    push(1);
    const auto track = finish();
    ASSERT_TRUE(track);
    const auto tags = track->events(GST_EVENT_TAG);
    ASSERT_EQ(tags.size(), 2u);
    GstTagList* list = nullptr;
    gst_event_parse_tag(tags[0].event.get(), &list);
    gchar* title = nullptr;
    ASSERT_TRUE(gst_tag_list_get_string(list, GST_TAG_TITLE, &title));
    EXPECT_STREQ(title, "Überschrift");
    g_free(title);
    guint bitrate = 0;
    EXPECT_TRUE(gst_tag_list_get_uint(list, GST_TAG_BITRATE, &bitrate));
    EXPECT_EQ(bitrate, 128000u);
    EXPECT_EQ(tags[0].before, 0u);
    gst_event_parse_tag(tags[1].event.get(), &list);
    EXPECT_EQ(gst_tag_list_get_scope(list), GST_TAG_SCOPE_GLOBAL);
    EXPECT_EQ(tags[1].before, 2u);
}

TEST_F(Events, GapWithItsTimes) {
    pad().start();
    push(2);
    pad().push_event(gst_event_new_gap(40 * GST_MSECOND, 500 * GST_MSECOND));
    push(1);
    const auto track = finish();
    ASSERT_TRUE(track);
    const auto gaps = track->events(GST_EVENT_GAP);
    ASSERT_EQ(gaps.size(), 1u);
    GstClockTime timestamp = 0, duration = 0;
    gst_event_parse_gap(gaps[0].event.get(), &timestamp, &duration);
    EXPECT_EQ(timestamp, 40 * GST_MSECOND);
    EXPECT_EQ(duration, 500 * GST_MSECOND);
    EXPECT_EQ(gaps[0].before, 2u);
    EXPECT_EQ(receiver_->stats().number("lost"), 0u) << "a GAP of the sender is not a loss";
}

TEST_F(Events, CustomOnesOfEveryKind) {
    pad().start();
    push(1);
    const auto structure = [](const char* name) {
        return gst_structure_new(name, "number", G_TYPE_INT, 42, "text", G_TYPE_STRING, "täxt; with, signs\"",
                                 "fraction", GST_TYPE_FRACTION, 30000, 1001, "big", G_TYPE_UINT64,
                                 G_MAXUINT64, nullptr);
    };
    pad().push_event(gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM, structure("plain")));
    push(1);
    pad().push_event(gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, structure("sticky")));
    push(1);
    pad().push_event(gst_event_new_custom(GST_EVENT_CUSTOM_BOTH, structure("both")));
    const auto track = finish();
    ASSERT_TRUE(track);
    const std::pair<const char*, GstEventType> kinds[] = {{"plain", GST_EVENT_CUSTOM_DOWNSTREAM},
                                                          {"sticky", GST_EVENT_CUSTOM_DOWNSTREAM_STICKY},
                                                          {"both", GST_EVENT_CUSTOM_BOTH}};
    std::size_t before = 1;
    for (const auto& [name, type] : kinds) {
        const auto some = track->events(type);
        ASSERT_EQ(some.size(), 1u) << name << " did not arrive, or more than once";
        GstStructure* want = structure(name);
        EXPECT_TRUE(gst_structure_is_equal(gst_event_get_structure(some[0].event.get()), want))
            << some[0].text;
        gst_structure_free(want);
        EXPECT_EQ(some[0].before, before) << name;
        ++before;
    }
}

TEST_F(Events, CustomOutOfBand) {
    pad().start();
    push(1);
    const auto track = receiver_->track("src_0");
    ASSERT_TRUE(track);
    pad().push_event(
        gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM_OOB, gst_structure_new_empty("out-of-band")));
    EXPECT_TRUE(track->wait_custom("out-of-band", kSoon));
}

TEST_F(Events, FlushPassesAndTheStreamGoesOn) {
    pad().start();
    push(3);
    auto track = receiver_->track("src_0");
    ASSERT_TRUE(track);
    ASSERT_TRUE(track->wait_count(3, kSoon));
    pad().push_event(gst_event_new_flush_start());
    pad().push_event(gst_event_new_flush_stop(TRUE));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.start = segment.time = 60 * GST_SECOND;
    pad().push_event(gst_event_new_segment(&segment));
    for (unsigned i = 0; i < 3; ++i) {
        const auto bytes = random_bytes(100, 500 + i);
        GstBuffer* buffer = gst_buffer_new_memdup(bytes.data(), bytes.size());
        GST_BUFFER_PTS(buffer) = 60 * GST_SECOND + i * GST_MSECOND;
        if (i == 0)
            GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);  // as every source does after a flush
        pad().remember(buffer);
        EXPECT_EQ(pad().push(buffer), GST_FLOW_OK);
    }
    track = finish();
    ASSERT_TRUE(track);
    EXPECT_EQ(track->events(GST_EVENT_FLUSH_START).size(), 1u);
    EXPECT_EQ(track->events(GST_EVENT_FLUSH_STOP).size(), 1u);
}

TEST_F(Events, AStreamThatStartsAnew) {
    pad().start("video/x-test, part=(int)1", "first");
    push(2);
    pad().start("video/x-test, part=(int)2", "second");
    push(2);
    const auto track = finish();
    ASSERT_TRUE(track);
    const auto starts = track->events(GST_EVENT_STREAM_START);
    ASSERT_EQ(starts.size(), 2u);
    const gchar* id = nullptr;
    gst_event_parse_stream_start(starts[1].event.get(), &id);
    EXPECT_STREQ(id, "second");
    EXPECT_EQ(starts[1].before, 2u);
    EXPECT_EQ(receiver_->pads_added().size(), 1u) << "one track, one pad";
}

TEST_F(Events, ForceKeyUnitTravelsUpstream) {
    pad().start();
    push(1);
    const auto track = receiver_->track("src_0");
    ASSERT_TRUE(track);
    ASSERT_TRUE(track->wait_count(1, kSoon));
    Ref<GstPad> peer(gst_pad_get_peer(track->pad()));
    EXPECT_TRUE(gst_pad_push_event(
        peer.get(), gst_video_event_new_upstream_force_key_unit(GST_CLOCK_TIME_NONE, TRUE, 3)));
    EXPECT_TRUE(pad().wait_upstream(GST_EVENT_CUSTOM_UPSTREAM, kSoon, "GstForceKeyUnit"))
        << sender_->pipeline.log() << receiver_->pipeline.log();
}

TEST_F(Events, EosAtOnce) {
    pad().start();
    EXPECT_TRUE(pad().eos());
    EXPECT_TRUE(sender_->pipeline.wait_eos(kSoon)) << sender_->pipeline.log();
    const auto track = receiver_->track("src_0");
    ASSERT_TRUE(track);
    EXPECT_TRUE(track->wait_eos(kSoon));
    EXPECT_TRUE(receiver_->pipeline.wait_eos(kSoon)) << receiver_->pipeline.log();
    EXPECT_EQ(track->count(), 0u);
}

}  // namespace
}  // namespace hawser::test
