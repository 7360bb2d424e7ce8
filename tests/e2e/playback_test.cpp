// The players of GStreamer play a hawser:// URI.
#include <gtest/gtest.h>

#include "tests/support/link.h"
#include "tests/support/process.h"

namespace hawser::test {
namespace {

using std::chrono_literals::operator""s;

class Playback : public ::testing::Test {
  protected:
    void SetUp() override {
        init_gst();
        sender_ = std::make_unique<Pipeline>(
            "hawsersink name=sink port=0 address=127.0.0.1 stream=/show "
            "videotestsrc num-buffers=60 ! video/x-raw,width=64,height=48,framerate=30/1 ! vp8enc deadline=1 "
            "! sink.video "
            "audiotestsrc num-buffers=100 samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=2 ! "
            "vorbisenc ! sink.audio");
        sender_->play();
        GstElement* sink = sender_->get("sink");
        ASSERT_TRUE(wait_property(sink, "current-port", kSoon,
                                  [&] { return property_text(sink, "current-port") != "0"; }));
        uri_ = "hawser://127.0.0.1:" + property_text(sink, "current-port") + "/show";
    }
    void TearDown() override { sender_.reset(); }

    // 60 frames of video and about two seconds of audio, raw.
    static void expect_show(const Recorder& video, const Recorder& audio) {
        EXPECT_EQ(video.count(), 60u);
        EXPECT_GT(audio.bytes(), 0u);
        EXPECT_EQ(video.events(GST_EVENT_EOS).size(), 1u);
        EXPECT_EQ(audio.events(GST_EVENT_EOS).size(), 1u);
    }

    std::unique_ptr<Pipeline> sender_;
    std::string uri_;
};

TEST_F(Playback, Playbin) {
    for (const char* factory : {"playbin", "playbin3"}) {
        SCOPED_TRACE(factory);
        if (std::string(factory) == "playbin3") {
            TearDown();
            SetUp();
        }
        Pipeline player;
        GstElement* bin = player.add(factory);
        GstElement* video_sink = gst_element_factory_make("fakesink", "video-end");
        GstElement* audio_sink = gst_element_factory_make("fakesink", "audio-end");
        Ref<GstPad> video_pad(gst_element_get_static_pad(video_sink, "sink"));
        Ref<GstPad> audio_pad(gst_element_get_static_pad(audio_sink, "sink"));
        const auto video = Recorder::attach(video_pad.get()), audio = Recorder::attach(audio_pad.get());
        g_object_set(bin, "uri", uri_.c_str(), "video-sink", video_sink, "audio-sink", audio_sink, nullptr);
        player.play();
        EXPECT_TRUE(player.wait_eos(20s)) << player.log();
        EXPECT_TRUE(player.errors().empty()) << player.log();
        expect_show(*video, *audio);
        EXPECT_LE(player.stop(), 1s);
    }
}

TEST_F(Playback, PlaybinAtItsPace) {
    Pipeline player;
    GstElement* bin = player.add("playbin");
    GstElement* video_sink = gst_element_factory_make("fakesink", "video-end");
    GstElement* audio_sink = gst_element_factory_make("fakesink", "audio-end");
    g_object_set(video_sink, "sync", TRUE, nullptr);
    g_object_set(audio_sink, "sync", TRUE, nullptr);
    Ref<GstPad> video_pad(gst_element_get_static_pad(video_sink, "sink"));
    const auto video = Recorder::attach(video_pad.get());
    g_object_set(bin, "uri", uri_.c_str(), "video-sink", video_sink, "audio-sink", audio_sink, nullptr);
    player.play();
    EXPECT_TRUE(player.wait_eos(20s)) << player.log();
    EXPECT_TRUE(player.errors().empty()) << player.log();
    EXPECT_EQ(video->count(), 60u);
}

TEST_F(Playback, Uridecodebin) {
    for (const char* factory : {"uridecodebin", "uridecodebin3"}) {
        SCOPED_TRACE(factory);
        if (std::string(factory) == "uridecodebin3") {
            TearDown();
            SetUp();
        }
        Pipeline player(std::string(factory) + " name=d uri=" + uri_ +
                        " d. ! queue ! video/x-raw(ANY) ! fakesink name=video sync=false async=false"
                        " d. ! queue ! audio/x-raw(ANY) ! fakesink name=audio sync=false async=false");
        const auto video = player.record("video"), audio = player.record("audio");
        player.play();
        EXPECT_TRUE(player.wait_eos(20s)) << player.log();
        EXPECT_TRUE(player.errors().empty()) << player.log();
        expect_show(*video, *audio);
        EXPECT_LE(player.stop(), 1s);
    }
}

TEST_F(Playback, GstPlay) {
    Process player(
        {"gst-play-1.0", "--no-interactive", "--videosink=fakesink", "--audiosink=fakesink", uri_});
    EXPECT_EQ(player.wait_exit(30s), 0) << player.output();
    EXPECT_TRUE(player.matching("ERROR|CRITICAL").empty()) << player.output();
    EXPECT_FALSE(player.matching("[Rr]eached end").empty()) << player.output();
}

TEST_F(Playback, Discoverer) {
    Process discoverer({"gst-discoverer-1.0", "-t", "10", uri_});
    EXPECT_EQ(discoverer.wait_exit(30s), 0) << discoverer.output();
    EXPECT_FALSE(discoverer.matching("video").empty()) << discoverer.output();
    EXPECT_FALSE(discoverer.matching("audio").empty()) << discoverer.output();
}

}  // namespace
}  // namespace hawser::test
