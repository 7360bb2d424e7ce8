// Real video and real audio in one connection, decoded and muxed at the far side.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/link.h"
#include "tests/support/port.h"
#include "tests/support/process.h"

namespace hawser::test {
namespace {

using std::chrono_literals::operator""s;

std::int64_t apart(GstClockTime a, GstClockTime b) {
    return std::abs(static_cast<std::int64_t>(a) - static_cast<std::int64_t>(b));
}

TEST(Media, VideoAndAudioArriveInSyncAndComplete) {
    init_gst();
    TempDir directory;
    const std::string out = directory.path("out.mkv");
    const std::string uri = "hawser://127.0.0.1:" + std::to_string(free_port()) + "/show";
    Process receiver(Process::gst_launch(
        "hawsersrc name=in uri=" + uri +
            " in.video ! queue ! decodebin ! videoconvertscale ! "
            "video/x-raw,format=I420,width=160,height=120 ! mux. "
            " in.audio ! queue ! decodebin ! audioconvert ! audio/x-raw,format=S16LE ! mux. "
            " matroskamux name=mux ! filesink location=" +
            out,
        {"-m"}));
    Process sender(Process::gst_launch("hawsersink name=out uri=" + uri + " filesrc location=" + webm_file() +
                                       " ! matroskademux ! queue ! out.video filesrc location=" + ogg_file() +
                                       " ! oggdemux ! vorbisparse ! queue ! out.audio"));
    EXPECT_EQ(sender.wait_exit(40s), 0) << sender.output();
    ASSERT_EQ(receiver.wait_exit(40s), 0) << receiver.output();

    const auto reference =
        run_to_end("filesrc location=" + webm_file() + " ! matroskademux ! fakesink name=end");
    const auto heard =
        run_to_end("filesrc location=" + ogg_file() +
                   " ! oggdemux ! vorbisparse ! vorbisdec ! audioconvert ! audio/x-raw,format=S16LE ! "
                   "fakesink name=end");
    const auto video = run_to_end("filesrc location=" + out +
                                  " ! matroskademux name=d d.video_0 ! queue max-size-buffers=0 "
                                  "max-size-time=0 max-size-bytes=0 ! fakesink name=end sync=false  "
                                  "d.audio_0 ! queue ! fakesink sync=false");
    const auto audio = run_to_end("filesrc location=" + out +
                                  " ! matroskademux name=d d.audio_0 ! queue max-size-buffers=0 "
                                  "max-size-time=0 max-size-bytes=0 ! fakesink name=end sync=false  "
                                  "d.video_0 ! queue ! fakesink sync=false");

    // Complete: every frame, every sample.
    ASSERT_EQ(video.size(), reference.size()) << receiver.output();
    std::size_t samples = 0, heard_samples = 0;
    for (const auto& buffer : audio) samples += buffer.size / 4;
    for (const auto& buffer : heard) heard_samples += buffer.size / 4;
    EXPECT_EQ(samples, heard_samples);

    // In sync: both began at 0 in their files, so that they begin together here too, and every frame keeps
    // its distance.
    ASSERT_FALSE(audio.empty());
    const GstClockTime start = audio.front().pts;
    EXPECT_LE(apart(video.front().pts, start), static_cast<std::int64_t>(5 * GST_MSECOND))
        << "video begins at " << video.front().pts << ", audio at " << start;
    std::int64_t worst = 0;
    for (std::size_t i = 0; i < video.size(); ++i) {
        worst = std::max(worst, apart(video[i].pts - start, reference[i].pts - reference[0].pts));
    }
    EXPECT_LE(worst, static_cast<std::int64_t>(5 * GST_MSECOND));
}

TEST(Media, TheSameFramesReachARecorder) {
    // Not decoded: what is muxed again must be, frame by frame, what was demuxed.
    init_gst();
    TempDir directory;
    const std::string out = directory.path("out.mkv");
    const std::string uri = "hawser://127.0.0.1:" + std::to_string(free_port()) + "/show";
    Process receiver(Process::gst_launch("hawsersrc name=in uri=" + uri +
                                         " in.video ! matroskamux ! filesink location=" + out));
    Process sender(Process::gst_launch("hawsersink name=out uri=" + uri + " filesrc location=" + webm_file() +
                                       " ! matroskademux ! out.video"));
    EXPECT_EQ(sender.wait_exit(30s), 0) << sender.output();
    ASSERT_EQ(receiver.wait_exit(30s), 0) << receiver.output();
    const auto want = run_to_end("filesrc location=" + webm_file() + " ! matroskademux ! fakesink name=end");
    const auto got = run_to_end("filesrc location=" + out + " ! matroskademux ! fakesink name=end");
    CompareOptions options;
    // The muxer counts from the moment at which the receiver's pipeline started.
    options.timestamps = options.flags = options.offsets = false;
    EXPECT_EQ(difference(want, got, options), "");
    for (std::size_t i = 0; i < std::min(want.size(), got.size()); ++i) {
        ASSERT_LE(apart(want[i].pts - want[0].pts, got[i].pts - got[0].pts),
                  static_cast<std::int64_t>(GST_MSECOND))
            << "frame " << i;
    }
}

TEST(Media, LiveVideoAndAudioStayTogether) {
    init_gst();
    Pipeline sender(
        "hawsersink name=sink port=0 address=127.0.0.1 stream=/live "
        "videotestsrc is-live=true num-buffers=60 ! video/x-raw,width=64,height=48,framerate=30/1 ! "
        "sink.video "
        "audiotestsrc is-live=true num-buffers=100 samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=1 "
        "! sink.audio");
    sender.play();
    GstElement* sink = sender.get("sink");
    ASSERT_TRUE(wait_property(sink, "current-port", kSoon,
                              [&] { return property_text(sink, "current-port") != "0"; }));
    Receiver receiver("uri=hawser://127.0.0.1:" + property_text(sink, "current-port") + "/live");
    receiver.play();
    const auto video = receiver.track("video"), audio = receiver.track("audio");
    ASSERT_TRUE(video && audio);
    EXPECT_TRUE(video->wait_eos(10s)) << receiver.pipeline.log();
    EXPECT_TRUE(audio->wait_eos(10s)) << receiver.pipeline.log();
    const auto frames = video->buffers(), sounds = audio->buffers();
    ASSERT_FALSE(frames.empty() || sounds.empty());
    // The running times of both differ from their PTS by the same amount.
    const auto shift = [](const BufferInfo& buffer) {
        return static_cast<std::int64_t>(buffer.running_time) - static_cast<std::int64_t>(buffer.pts);
    };
    for (const auto& frame : frames) {
        EXPECT_LE(std::abs(shift(frame) - shift(sounds.front())),
                  static_cast<std::int64_t>(20 * GST_MSECOND));
    }
    EXPECT_EQ(shift(frames.front()), shift(frames.back())) << "shifted in mid-stream";
    // And they are meant for about now: within the latency and a bit.
    EXPECT_NE(frames.front().running_time, GST_CLOCK_TIME_NONE);
}

}  // namespace
}  // namespace hawser::test
