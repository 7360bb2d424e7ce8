// Whose memory hawsersink keeps: upstream's as it is where nobody waits for it, a copy where somebody does.
#include <gst/video/gstvideopool.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include "tests/support/link.h"

namespace hawser::test {
namespace {

class Memory : public testing::Test {
  protected:
    void SetUp() override { init_gst(); }

    // A pool of 4 buffers: whoever keeps those stops its owner for good.
    static GstBufferPool* bounded_pool(guint size) {
        GstBufferPool* pool = gst_buffer_pool_new();
        GstStructure* config = gst_buffer_pool_get_config(pool);
        gst_buffer_pool_config_set_params(config, nullptr, size, 4, 4);
        EXPECT_TRUE(gst_buffer_pool_set_config(pool, config));
        EXPECT_TRUE(gst_buffer_pool_set_active(pool, TRUE));
        return pool;
    }
    static void expect_never_starved(Feeder& pad, guint size, int count) {
        GstBufferPool* pool = bounded_pool(size);
        GstBufferPoolAcquireParams at_once{};
        at_once.flags = GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT;
        for (int i = 0; i < count; ++i) {
            GstBuffer* buffer = nullptr;
            ASSERT_EQ(gst_buffer_pool_acquire_buffer(pool, &buffer, &at_once), GST_FLOW_OK) << i;
            GST_BUFFER_PTS(buffer) = i * GST_MSECOND;
            ASSERT_EQ(pad.push(buffer), GST_FLOW_OK) << i;
        }
        gst_buffer_pool_set_active(pool, FALSE);
        gst_object_unref(pool);
    }
};

TEST_F(Memory, APoolOfFourIsNeverStarvedWithoutReceivers) {
    for (const guint size : {100u, 20'000u, 500'000u}) {
        Sender sender("port=0 address=127.0.0.1 stream=/test wait-for-connection=false");
        sender.play();
        sender.pad("sink_0").start();
        expect_never_starved(sender.pad("sink_0"), size, 200);
    }
}

TEST_F(Memory, APoolOfFourIsNeverStarvedByAReceiverThatTakesNothing) {
    Sender sender("port=0 address=127.0.0.1 stream=/test slow-client-policy=drop");
    sender.play();
    Receiver receiver("uri=" + sender.uri());
    receiver.pipeline.set_state(GST_STATE_PAUSED);  // a live source sends nothing on
    sender.pad("sink_0").start();
    expect_never_starved(sender.pad("sink_0"), 500'000, 200);
}

struct Seen {
    GstBufferPool* offered = nullptr;
    int buffers = 0, from_pool = 0;
    std::size_t misaligned = 0;
};

GstPadProbeReturn look(GstPad*, GstPadProbeInfo* info, gpointer data) {
    auto* seen = static_cast<Seen*>(data);
    if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER) {
        GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
        ++seen->buffers;
        if (buffer->pool && buffer->pool == seen->offered) ++seen->from_pool;
        GstMapInfo map;
        if (gst_buffer_map(buffer, &map, GST_MAP_READ)) {
            if (reinterpret_cast<std::uintptr_t>(map.data) % 64 != 0) ++seen->misaligned;
            gst_buffer_unmap(buffer, &map);
        }
        return GST_PAD_PROBE_OK;
    }
    GstQuery* query = GST_PAD_PROBE_INFO_QUERY(info);
    if (GST_QUERY_TYPE(query) != GST_QUERY_ALLOCATION || gst_query_get_n_allocation_pools(query) == 0)
        return GST_PAD_PROBE_OK;
    guint size = 0, least = 1, most = 1;
    gst_query_parse_nth_allocation_pool(query, 0, &seen->offered, &size, &least, &most);
    EXPECT_EQ(size, 320u * 240 * 3 / 2);
    EXPECT_EQ(most, 0u) << "without a bound, or the ring may not keep them";
    gst_object_unref(seen->offered);  // the test's element keeps it
    return GST_PAD_PROBE_OK;
}

TEST_F(Memory, AnUpstreamThatNegotiatesWritesIntoMemoryThatNeedsNoCopy) {
    Pipeline pipeline(
        "videotestsrc name=test num-buffers=30 ! video/x-raw,format=I420,width=320,height=240 ! "
        "hawsersink port=0 address=127.0.0.1 wait-for-connection=false linger=0");
    Seen seen;
    GstPad* pad = gst_element_get_static_pad(pipeline.get("test"), "src");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, look, &seen, nullptr);
    // PULL: when it has been answered.
    gst_pad_add_probe(
        pad, static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM | GST_PAD_PROBE_TYPE_PULL),
        look, &seen, nullptr);
    pipeline.play();
    ASSERT_TRUE(pipeline.wait_eos(kLong)) << pipeline.log();
    pipeline.stop();
    gst_object_unref(pad);
    EXPECT_EQ(seen.buffers, 30);
    EXPECT_EQ(seen.from_pool, 30);
    EXPECT_EQ(seen.misaligned, 0u);
}

}  // namespace
}  // namespace hawser::test
