// A line that is too narrow for all that is offered: what is urgent goes through whole and in time, and what
// is left out is left out so that the rest can be decoded.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <thread>

#include "tests/support/link.h"
#include "tests/support/proxy.h"

namespace hawser::test {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using Clock = std::chrono::steady_clock;

constexpr unsigned kSeconds = 12;
constexpr unsigned kFrames = 25;  // a second, and in a group
constexpr unsigned kPackets = 50;

// Feeds `count` buffers, one every `period`; notes when each left. A buffer's PTS is its number of periods.
class Pace {
  public:
    Pace(Feeder& pad, std::chrono::nanoseconds period, unsigned count,
         const std::function<std::pair<std::size_t, bool>(unsigned)>& size_and_key)
        : thread_([&pad, period, count, size_and_key, this] {
              const auto begin = Clock::now();
              for (unsigned i = 0; i < count; ++i) {
                  std::this_thread::sleep_until(begin + i * period);  // the source's own pace
                  const auto [size, key] = size_and_key(i);
                  left.push_back(Clock::now());
                  pad.push_bytes(size, i, static_cast<GstClockTime>(i * period.count()), key);
              }
              pad.eos();
          }) {}
    ~Pace() { join(); }
    void join() {
        if (thread_.joinable()) thread_.join();
    }
    std::vector<Clock::time_point> left;

  private:
    std::thread thread_;
};

// 64 kbit/s of audio and 4 Mbit/s of video over 2 Mbit/s (issue: the data plane).
TEST(NarrowLine, AudioGoesThroughAndVideoLosesTailsOfGroups) {
    init_gst();
    Sender sender("port=0 address=127.0.0.1 stream=/test wait-for-connection=false");
    Feeder& audio = sender.pad("audio");
    Feeder& video = sender.pad("video");
    audio.set_live(true);
    video.set_live(true);
    g_object_set(audio.request_pad(), "priority", 1u, nullptr);
    g_object_set(video.request_pad(), "priority", 5u, "max-latency", guint64{700 * GST_MSECOND}, nullptr);
    sender.play();
    Proxy proxy(sender.port());
    proxy.narrow(2'000'000 / 8, 4 * 1024);
    audio.start("audio/x-test");
    video.start("video/x-test");
    Receiver receiver("uri=hawser://127.0.0.1:" + std::to_string(proxy.port()) + "/test");
    receiver.play();
    ASSERT_TRUE(sender.wait_clients(1, kSoon));
    const auto audio_track = receiver.track("audio");
    const auto video_track = receiver.track("video");
    ASSERT_TRUE(audio_track && video_track);

    Pace packets(audio, std::chrono::nanoseconds(1'000'000'000) / kPackets, kSeconds * kPackets,
                 [](unsigned) {
                     return std::pair{std::size_t{160}, true};
                 });
    Pace frames(video, std::chrono::nanoseconds(1'000'000'000) / kFrames, kSeconds * kFrames, [](unsigned i) {
        return i % kFrames == 0 ? std::pair{std::size_t{100'000}, true}
                                : std::pair{std::size_t{16'667}, false};
    });
    packets.join();
    frames.join();
    ASSERT_TRUE(audio_track->wait_eos(kLong)) << receiver.pipeline.log();
    ASSERT_TRUE(video_track->wait_eos(kLong)) << receiver.pipeline.log();

    // Audio: all of it, and none of it late.
    const auto heard = audio_track->buffers();
    const auto arrivals = audio_track->arrivals();
    ASSERT_EQ(heard.size(), kSeconds * kPackets);
    std::vector<double> delays;
    for (std::size_t i = 0; i < heard.size(); ++i)
        delays.push_back(std::chrono::duration<double, std::milli>(arrivals[i] - packets.left[i]).count());
    std::sort(delays.begin(), delays.end());
    const double p99 = delays[delays.size() * 99 / 100];
    RecordProperty("audio_p50_ms", std::to_string(delays[delays.size() / 2]));
    RecordProperty("audio_p99_ms", std::to_string(p99));
    EXPECT_LT(p99, 150.0) << "median " << delays[delays.size() / 2] << " ms, most " << delays.back() << " ms";

    // Video: every keyframe; of each group a beginning without holes.
    const GstClockTime period = GST_SECOND / kFrames;
    std::size_t keys = 0;
    std::size_t expected = 0;
    const auto seen = video_track->buffers();
    for (const BufferInfo& frame : seen) {
        const auto number = static_cast<std::size_t>((frame.pts + period / 2) / period);
        if (number % kFrames == 0)
            ++keys;
        else
            EXPECT_EQ(number, expected) << "a frame whose reference is missing";
        expected = number + 1;
    }
    EXPECT_EQ(keys, kSeconds);
    EXPECT_LT(seen.size(), std::size_t{kSeconds} * kFrames);
    EXPECT_GT(seen.size(), std::size_t{kSeconds} * kFrames / 5);

    // The books: what did not come was reported, with its reason, at both ends.
    const std::size_t missing = std::size_t{kSeconds} * kFrames - seen.size();
    const auto sent = sender.stats();
    const auto got = receiver.stats();
    EXPECT_EQ(sent.number("skipped"), missing) << sent.text();
    EXPECT_NE(sent.text().find("deadline\\=\\(guint64\\)" + std::to_string(missing)), std::string::npos)
        << sent.text();
    EXPECT_EQ(got.number("lost"), missing) << got.text();
    EXPECT_EQ(got.number("delivered"), heard.size() + seen.size()) << got.text();
    std::size_t told = 0;
    for (const Stats& gap : receiver.pipeline.element_messages("hawser-gap")) {
        EXPECT_EQ(gap.string("track"), "video") << gap.text();
        EXPECT_EQ(gap.string("reason"), "deadline") << gap.text();
        told += gap.number("lost");
    }
    EXPECT_EQ(told, missing);
}

}  // namespace
}  // namespace hawser::test
