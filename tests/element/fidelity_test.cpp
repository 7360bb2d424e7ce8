// What goes in comes out: every byte, time, flag and meta of a buffer.
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include "tests/support/link.h"

namespace hawser::test {
namespace {

class Fidelity : public ::testing::Test {
  protected:
    void SetUp() override {
        init_gst();
        sender_ = std::make_unique<Sender>("port=0 address=127.0.0.1 stream=/test");
        sender_->play();
        receiver_ = std::make_unique<Receiver>("uri=" + sender_->uri(), true);
        receiver_->play();
        pad().start();
    }
    void TearDown() override {
        receiver_.reset();
        sender_.reset();
    }
    Feeder& pad() { return sender_->pad("sink_0"); }

    void push(GstBuffer* buffer) {
        pad().remember(buffer);
        ASSERT_EQ(pad().push(buffer), GST_FLOW_OK) << sender_->pipeline.log();
    }
    GstBuffer* make(std::size_t size, std::uint64_t seed) {
        const auto bytes = random_bytes(size, seed);
        return size > 0 ? gst_buffer_new_memdup(bytes.data(), bytes.size()) : gst_buffer_new();
    }
    // Ends the stream and compares all that came with all that went.
    void expect_all_arrived(Milliseconds bound = kLong) {
        EXPECT_TRUE(pad().eos());
        track_ = receiver_->track("src_0");
        ASSERT_TRUE(track_);
        EXPECT_TRUE(track_->wait_eos(bound)) << receiver_->pipeline.log();
        EXPECT_EQ(difference(pad().sent(), track_->buffers()), "");
        EXPECT_TRUE(sender_->pipeline.errors().empty()) << sender_->pipeline.log();
        EXPECT_TRUE(receiver_->pipeline.errors().empty()) << receiver_->pipeline.log();
    }

    std::unique_ptr<Sender> sender_;
    std::unique_ptr<Receiver> receiver_;
    std::shared_ptr<Recorder> track_;
};

TEST_F(Fidelity, TimesAndOffsetsPresentAndAbsent) {
    // Every combination of present and absent; the values are not in any order that would make them easy to
    // guess.
    for (unsigned i = 0; i < 64; ++i) {
        GstBuffer* buffer = make(100 + i, i);
        const GstClockTime base = i * 33366667;
        if (i & 1) GST_BUFFER_PTS(buffer) = base + (i % 3) * 66733333;
        if (i & 2) GST_BUFFER_DTS(buffer) = base;
        if (i & 4) GST_BUFFER_DURATION(buffer) = i % 5 == 0 ? 0 : 33366667 + i;
        if (i & 8) GST_BUFFER_OFFSET(buffer) = i * 1000003;
        if (i & 16) GST_BUFFER_OFFSET_END(buffer) = (1ull << 60) + i;
        push(buffer);
    }
    expect_all_arrived();
}

TEST_F(Fidelity, LargeTimes) {
    for (const GstClockTime pts :
         {GstClockTime{0}, GstClockTime{1}, GstClockTime{100 * 3600 * GST_SECOND}, GstClockTime{1} << 61}) {
        GstBuffer* buffer = make(10, pts);
        GST_BUFFER_PTS(buffer) = pts;
        GST_BUFFER_DTS(buffer) = pts;
        push(buffer);
    }
    // A DTS that is later than the PTS, and one that is much earlier.
    GstBuffer* buffer = make(10, 77);
    GST_BUFFER_PTS(buffer) = GST_SECOND;
    GST_BUFFER_DTS(buffer) = 3600 * GST_SECOND;
    push(buffer);
    buffer = make(10, 78);
    GST_BUFFER_PTS(buffer) = 7200 * GST_SECOND;
    GST_BUFFER_DTS(buffer) = 0;
    push(buffer);
    expect_all_arrived();
}

TEST_F(Fidelity, EveryFlag) {
    unsigned all = 0;
    std::vector<unsigned> sets{GST_BUFFER_FLAG_DISCONT, 0};
    for (unsigned bit = 4; bit < 31; ++bit) {
        if (1u << bit == GST_BUFFER_FLAG_TAG_MEMORY) continue;  // about this process's memory
        sets.push_back(1u << bit);
        all |= 1u << bit;
    }
    sets.push_back(all);
    sets.push_back(0);
    for (std::size_t i = 0; i < sets.size(); ++i) {
        GstBuffer* buffer = make(50, i);
        GST_BUFFER_PTS(buffer) = i * GST_MSECOND;
        GST_BUFFER_FLAG_SET(buffer, sets[i]);
        push(buffer);
    }
    expect_all_arrived();
}

TEST_F(Fidelity, EverySize) {
    const std::size_t sizes[] = {
        0,     1,     2,     15,    16,    17,     187,    1316,    4095,          4096, 4097, 65023, 65024,
        65025, 65503, 65535, 65536, 65537, 131072, 131073, 1 << 20, (1 << 20) + 1, 0,    0,    3};
    for (std::size_t i = 0; i < std::size(sizes); ++i) {
        GstBuffer* buffer = make(sizes[i], i);
        GST_BUFFER_PTS(buffer) = i * GST_MSECOND;
        push(buffer);
    }
    expect_all_arrived();
}

TEST_F(Fidelity, TwentyMegabytesInOneBuffer) {
    for (unsigned i = 0; i < 3; ++i) {
        GstBuffer* buffer = make(20'000'000, i);
        GST_BUFFER_PTS(buffer) = i * GST_SECOND;
        push(buffer);
        push(make(7, 100 + i));
    }
    expect_all_arrived();
}

TEST_F(Fidelity, ThousandsOfSmallBuffers) {
    for (unsigned i = 0; i < 5000; ++i) {
        GstBuffer* buffer = make(1 + (i * 7919) % 2000, i);
        GST_BUFFER_PTS(buffer) = i * GST_MSECOND;
        if (i % 50 != 0) GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
        push(buffer);
    }
    expect_all_arrived();
    const auto src = receiver_->stats();
    EXPECT_EQ(src.number("objects"), 5000u) << src.text();
    EXPECT_EQ(src.number("delivered"), 5000u) << src.text();
    EXPECT_EQ(src.number("lost"), 0u) << src.text();
    EXPECT_EQ(src.number("doubled"), 0u) << src.text();
}

TEST_F(Fidelity, SeveralMemoriesInOneBuffer) {
    GstBuffer* buffer = gst_buffer_new();
    for (unsigned i = 0; i < 7; ++i) {
        const auto bytes = random_bytes(1 + i * 30011, i);
        gpointer copy = g_memdup2(bytes.data(), bytes.size());
        gst_buffer_append_memory(buffer, gst_memory_new_wrapped(GST_MEMORY_FLAG_READONLY, copy, bytes.size(),
                                                                0, bytes.size(), copy, g_free));
    }
    ASSERT_EQ(gst_buffer_n_memory(buffer), 7u);
    push(buffer);
    // A part of a memory, not at its beginning.
    Ref<GstBuffer> whole(make(5000, 9));
    push(gst_buffer_copy_region(whole.get(), GST_BUFFER_COPY_ALL, 1001, 3000));
    expect_all_arrived();
    ASSERT_EQ(track_->count(), 2u);
    EXPECT_EQ(track_->buffers()[0].memories, 7u);
}

TEST_F(Fidelity, VideoMetaWithOddStrides) {
    GstBuffer* buffer = make(64 * 50 + 2 * 40 * 25, 1);
    gsize offsets[GST_VIDEO_MAX_PLANES] = {0, 64 * 50, 64 * 50 + 40 * 25};
    gint strides[GST_VIDEO_MAX_PLANES] = {64, 40, 40};
    gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_I420, 51, 49, 3,
                                   offsets, strides);
    push(buffer);
    push(make(10, 2));
    expect_all_arrived();
    const auto kept = track_->kept();
    ASSERT_EQ(kept.size(), 2u);
    const GstVideoMeta* meta = gst_buffer_get_video_meta(kept[0].get());
    ASSERT_NE(meta, nullptr);
    EXPECT_EQ(meta->format, GST_VIDEO_FORMAT_I420);
    EXPECT_EQ(meta->width, 51u);
    EXPECT_EQ(meta->height, 49u);
    ASSERT_EQ(meta->n_planes, 3u);
    for (unsigned plane = 0; plane < 3; ++plane) {
        EXPECT_EQ(meta->offset[plane], offsets[plane]) << plane;
        EXPECT_EQ(meta->stride[plane], strides[plane]) << plane;
    }
    EXPECT_EQ(gst_buffer_get_video_meta(kept[1].get()), nullptr);
    // It can be mapped as a frame: the meta agrees with the memory.
    GstVideoInfo info;
    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_I420, 51, 49);
    GstVideoFrame frame;
    ASSERT_TRUE(gst_video_frame_map(&frame, &info, kept[0].get(), GST_MAP_READ));
    EXPECT_EQ(GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0), 64);
    gst_video_frame_unmap(&frame);
}

TEST_F(Fidelity, ReferenceTimestampMeta) {
    GstBuffer* buffer = make(10, 1);
    Ref<GstCaps> utc(gst_caps_from_string("timestamp/x-unix"));
    Ref<GstCaps> ptp(gst_caps_from_string("timestamp/x-ptp, domain=(uint)7"));
    gst_buffer_add_reference_timestamp_meta(buffer, utc.get(), 1700000000 * GST_SECOND + 5, 40 * GST_MSECOND);
    gst_buffer_add_reference_timestamp_meta(buffer, ptp.get(), 12345, GST_CLOCK_TIME_NONE);
    push(buffer);
    expect_all_arrived();
    const auto kept = track_->kept();
    ASSERT_EQ(kept.size(), 1u);
    const auto* meta = gst_buffer_get_reference_timestamp_meta(kept[0].get(), utc.get());
    ASSERT_NE(meta, nullptr);
    EXPECT_EQ(meta->timestamp, 1700000000 * GST_SECOND + 5);
    EXPECT_EQ(meta->duration, 40 * GST_MSECOND);
    meta = gst_buffer_get_reference_timestamp_meta(kept[0].get(), ptp.get());
    ASSERT_NE(meta, nullptr);
    EXPECT_EQ(meta->timestamp, 12345u);
    EXPECT_EQ(meta->duration, GST_CLOCK_TIME_NONE);
}

TEST_F(Fidelity, UnknownMetasAreLeftOutWithoutHarm) {
    // A custom meta cannot be serialised in GStreamer 1.22: the buffer arrives without it.
    static const gchar* no_tags[] = {nullptr};
    if (gst_meta_get_info("hawser-test-meta") == nullptr) {
        gst_meta_register_custom("hawser-test-meta", no_tags, nullptr, nullptr, nullptr);
    }
    GstBuffer* buffer = make(10, 1);
    ASSERT_NE(gst_buffer_add_custom_meta(buffer, "hawser-test-meta"), nullptr);
    push(buffer);
    expect_all_arrived();
}

TEST_F(Fidelity, BufferLists) {
    GstBufferList* list = gst_buffer_list_new();
    for (unsigned i = 0; i < 20; ++i) {
        GstBuffer* buffer = make(1316, i);
        GST_BUFFER_PTS(buffer) = i * GST_MSECOND;
        pad().remember(buffer);
        gst_buffer_list_add(list, buffer);
    }
    ASSERT_EQ(gst_pad_push_list(pad().pad(), list), GST_FLOW_OK);
    expect_all_arrived();
}

TEST_F(Fidelity, ABufferOfABoundedPoolIsGivenBackToIt) {
    // A camera's pool has few buffers: what is kept for late joiners must not be its memory.
    Ref<GstCaps> caps(gst_caps_from_string("application/x-test"));
    GstBufferPool* pool = gst_buffer_pool_new();
    GstStructure* config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, caps.get(), 300000, 2, 2);
    ASSERT_TRUE(gst_buffer_pool_set_config(pool, config));
    ASSERT_TRUE(gst_buffer_pool_set_active(pool, TRUE));
    for (unsigned i = 0; i < 30; ++i) {
        GstBuffer* buffer = nullptr;
        ASSERT_EQ(gst_buffer_pool_acquire_buffer(pool, &buffer, nullptr), GST_FLOW_OK);
        const auto bytes = random_bytes(300000, i);
        gst_buffer_fill(buffer, 0, bytes.data(), bytes.size());
        GST_BUFFER_PTS(buffer) = i * GST_MSECOND;
        push(buffer);
    }
    expect_all_arrived();
    gst_buffer_pool_set_active(pool, FALSE);
    gst_object_unref(pool);
}

}  // namespace
}  // namespace hawser::test
