// What takes long because the world does: run with `ctest -L slow`.
#include <gtest/gtest.h>

#include "tests/chaos/stopped.h"
#include "tests/support/link.h"
#include "tests/support/process.h"
#include "tests/support/proxy.h"

namespace hawser::test {
namespace {

using std::chrono_literals::operator""s;

TEST(SlowCuts, AtTheirOwnPaceAcrossTheWholeFile) {
    // Paced by the timestamps (37 s), a reset each 55 frames or so.
    init_gst();
    const std::string source = "filesrc location=" + webm_file() + " ! matroskademux ! ";
    const auto want = run_to_end(source + "fakesink name=end");
    Pipeline sender(source +
                    "identity sync=true ! hawsersink name=sink port=0 address=127.0.0.1 stream=/test");
    sender.play();
    GstElement* sink = sender.get("sink");
    ASSERT_TRUE(wait_property(sink, "current-port", kSoon,
                              [&] { return property_text(sink, "current-port") != "0"; }));
    Proxy proxy(std::stoi(property_text(sink, "current-port")));
    Receiver receiver("uri=hawser://127.0.0.1:" + std::to_string(proxy.port()) + "/test");
    receiver.play();
    const auto track = receiver.track("src_0");
    ASSERT_TRUE(track);
    for (std::size_t cut = 1; cut <= 10; ++cut) {
        ASSERT_TRUE(track->wait_count(cut * 50, kLong)) << receiver.pipeline.log();
        EXPECT_EQ(proxy.cut(), 1u);
        ASSERT_TRUE(receiver.pipeline.wait_element("hawser-recovered", 2s, cut)) << receiver.pipeline.log();
    }
    EXPECT_TRUE(track->wait_eos(kLong)) << receiver.pipeline.log();
    EXPECT_EQ(difference(want, track->buffers()), "");
    const auto stats = receiver.stats();
    EXPECT_EQ(stats.number("delivered"), want.size()) << stats.text();
    EXPECT_EQ(stats.number("lost"), 0u) << stats.text();
    EXPECT_EQ(stats.number("doubled"), 0u) << stats.text();
    EXPECT_EQ(stats.number("reconnects"), 10u) << stats.text();
}

TEST(SlowStopped, OneOfTenIsStoppedForAMinute) {
    StoppedRun run;
    run.stopped_for = 60s;
    run.expect_the_others_unharmed();
}

}  // namespace
}  // namespace hawser::test
