// Metas come from the network, and whoever maps a frame trusts them.
#include "elements/meta_codec.h"

#include <gst/audio/audio.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include "elements/gst_ptr.h"

namespace hawser::elements {
namespace {

class MetaCodec : public testing::Test {
  protected:
    static void SetUpTestSuite() { gst_init(nullptr, nullptr); }

    static Ptr<GstBuffer> buffer(gsize size) {
        return Ptr<GstBuffer>::adopt(gst_buffer_new_allocate(nullptr, size, nullptr));
    }
    // A 64x48 I420 frame's meta as it travels.
    static wire::Meta video_meta() {
        const auto frame = buffer(64 * 48 * 3 / 2);
        gst_buffer_add_video_meta(frame.get(), GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_I420, 64, 48);
        wire::ObjectExtension extension;
        EXPECT_EQ(encode_metas(frame.get(), extension), 0u);
        return extension.metas(0);
    }
};

TEST_F(MetaCodec, VideoMetaReadsBackTheSame) {
    const auto frame = buffer(64 * 48 * 3 / 2);
    ASSERT_TRUE(decode_meta(video_meta(), frame.get()));
    const GstVideoMeta* meta = gst_buffer_get_video_meta(frame.get());
    ASSERT_TRUE(meta);
    EXPECT_EQ(meta->format, GST_VIDEO_FORMAT_I420);
    EXPECT_EQ(meta->width, 64u);
    EXPECT_EQ(meta->n_planes, 3u);
    EXPECT_EQ(meta->stride[1], 32);
    EXPECT_EQ(meta->offset[2], gsize{64 * 48 * 5 / 4});
}

TEST_F(MetaCodec, PlanesOutsideThePayloadAreRefused) {
    const auto small = buffer(64 * 48 * 3 / 2 - 1);
    EXPECT_FALSE(decode_meta(video_meta(), small.get()));
    EXPECT_FALSE(gst_buffer_get_video_meta(small.get()));
}

TEST_F(MetaCodec, CutAndLengthenedDataIsRefused) {
    const wire::Meta whole = video_meta();
    for (std::size_t length = 0; length < whole.data().size(); ++length) {
        wire::Meta cut = whole;
        cut.mutable_data()->resize(length);
        EXPECT_FALSE(decode_meta(cut, buffer(1 << 16).get())) << length;
    }
    wire::Meta longer = whole;
    longer.mutable_data()->push_back('\0');
    EXPECT_FALSE(decode_meta(longer, buffer(1 << 16).get()));
}

TEST_F(MetaCodec, NoByteCanMakeAMapLeaveThePayload) {
    const wire::Meta whole = video_meta();
    for (std::size_t at = 0; at < whole.data().size(); ++at) {
        for (const char value : {'\x00', '\x01', '\x7f', '\x80', '\xff'}) {
            wire::Meta changed = whole;
            (*changed.mutable_data())[at] = value;
            const auto frame = buffer(64 * 48 * 3 / 2);
            if (!decode_meta(changed, frame.get())) continue;
            const GstVideoMeta* meta = gst_buffer_get_video_meta(frame.get());
            for (guint plane = 0; plane < meta->n_planes; ++plane)
                EXPECT_LT(meta->offset[plane], gst_buffer_get_size(frame.get()));
        }
    }
}

TEST_F(MetaCodec, PlanarAudioOutsideThePayloadIsRefused) {
    const auto samples = buffer(2 * 100 * 4);
    GstAudioInfo info;
    gst_audio_info_set_format(&info, GST_AUDIO_FORMAT_F32LE, 48000, 2, nullptr);
    info.layout = GST_AUDIO_LAYOUT_NON_INTERLEAVED;
    gst_buffer_add_audio_meta(samples.get(), &info, 100, nullptr);
    wire::ObjectExtension extension;
    EXPECT_EQ(encode_metas(samples.get(), extension), 0u);
    EXPECT_TRUE(decode_meta(extension.metas(0), buffer(2 * 100 * 4).get()));
    EXPECT_FALSE(decode_meta(extension.metas(0), buffer(2 * 100 * 4 - 1).get()));
}

TEST_F(MetaCodec, ReferenceTimestampReadsBackTheSame) {
    const auto from = buffer(1);
    const auto caps = Ptr<GstCaps>::adopt(gst_caps_from_string("timestamp/x-ntp"));
    gst_buffer_add_reference_timestamp_meta(from.get(), caps.get(), 5, 6);
    wire::ObjectExtension extension;
    EXPECT_EQ(encode_metas(from.get(), extension), 0u);
    const auto to = buffer(1);
    ASSERT_TRUE(decode_meta(extension.metas(0), to.get()));
    const GstReferenceTimestampMeta* meta = gst_buffer_get_reference_timestamp_meta(to.get(), caps.get());
    ASSERT_TRUE(meta);
    EXPECT_EQ(meta->timestamp, 5u);
    EXPECT_EQ(meta->duration, 6u);
}

TEST_F(MetaCodec, WhatOnlyKeepsMemoryAliveIsNotCounted) {
    const auto parent = buffer(1);
    const auto child = buffer(1);
    gst_buffer_add_parent_buffer_meta(child.get(), parent.get());
    wire::ObjectExtension extension;
    EXPECT_EQ(encode_metas(child.get(), extension), 0u);
    EXPECT_EQ(extension.metas_size(), 0);
    gst_buffer_add_protection_meta(child.get(), gst_structure_new_empty("drm"));
    EXPECT_EQ(encode_metas(child.get(), extension), 1u);
}

}  // namespace
}  // namespace hawser::elements
