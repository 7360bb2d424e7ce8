// State changes: nothing blocks, nothing is forgotten, and NULL is reached within a second from wherever it
// is.
#include <gtest/gtest.h>

#include <future>

#include "tests/support/link.h"
#include "tests/support/port.h"
#include "tests/support/process.h"
#include "tests/support/proxy.h"

namespace hawser::test {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
constexpr auto kNullWithin = 1000ms;

class States : public ::testing::Test {
  protected:
    void SetUp() override { init_gst(); }
    static std::string src_uri(int port, const std::string& query = "") {
        return "uri=hawser://127.0.0.1:" + std::to_string(port) + "/test" + query;
    }
    static std::string fast_src() { return "fakesrc sizetype=fixed sizemax=20000 format=time ! "; }
};

TEST_F(States, SrcIsLiveAndDoesNotConnectInItsStateChange) {
    Receiver receiver(src_uri(free_port()));
    const auto start = Clock::now();
    EXPECT_EQ(receiver.pipeline.set_state(GST_STATE_PAUSED), GST_STATE_CHANGE_NO_PREROLL);
    EXPECT_EQ(receiver.pipeline.set_state(GST_STATE_PLAYING), GST_STATE_CHANGE_SUCCESS);
    EXPECT_LT(Clock::now() - start, 500ms);
    EXPECT_LE(receiver.pipeline.stop(), kNullWithin);
}

TEST_F(States, SinkWithoutDataDoesNotBlock) {
    Sender sender("port=0 address=127.0.0.1");
    sender.pad("sink_0");
    const auto start = Clock::now();
    EXPECT_NE(sender.pipeline.set_state(GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    EXPECT_LT(Clock::now() - start, 500ms);
    EXPECT_LE(sender.pipeline.stop(), kNullWithin);
}

TEST_F(States, NullWhileTheSinkWaitsForAConnection) {
    Pipeline pipeline(fast_src() + "hawsersink name=sink port=0 address=127.0.0.1");
    pipeline.play();
    EXPECT_TRUE(pipeline.wait_hawser_state("listening", kSoon)) << pipeline.log();
    EXPECT_LE(pipeline.stop(), kNullWithin);
}

TEST_F(States, NullWhileACallingSinkFindsNobody) {
    Pipeline pipeline(fast_src() + "hawsersink name=sink mode=caller " + src_uri(free_port()));
    pipeline.play();
    EXPECT_TRUE(pipeline.wait_hawser_state("backoff", kSoon)) << pipeline.log();
    EXPECT_LE(pipeline.stop(), kNullWithin);
    EXPECT_TRUE(pipeline.errors().empty()) << pipeline.log();
}

TEST_F(States, NullDuringBackOff) {
    Receiver receiver(
        src_uri(free_port(), "?reconnect-min-delay=20000000000&reconnect-max-delay=20000000000"));
    receiver.play();
    EXPECT_TRUE(receiver.pipeline.wait_hawser_state("backoff", kSoon)) << receiver.pipeline.log();
    EXPECT_LE(receiver.pipeline.stop(), kNullWithin);
    EXPECT_TRUE(receiver.pipeline.errors().empty()) << receiver.pipeline.log();
}

TEST_F(States, NullWhileListening) {
    Receiver receiver("uri=hawser://127.0.0.1:0/test?mode=listener");
    receiver.play();
    EXPECT_TRUE(receiver.pipeline.wait_hawser_state("listening", kSoon)) << receiver.pipeline.log();
    EXPECT_LE(receiver.pipeline.stop(), kNullWithin);
}

TEST_F(States, NullDuringTheHandshake) {
    ForeignServer silent("", false);
    Receiver receiver(src_uri(silent.port(), "?handshake-timeout=60000000000"));
    receiver.play();
    EXPECT_TRUE(receiver.pipeline.wait_hawser_state("handshake", kSoon)) << receiver.pipeline.log();
    EXPECT_LE(receiver.pipeline.stop(), kNullWithin);
}

TEST_F(States, NullWhileResolvingOrConnecting) {
    // A name that nobody knows and an address that answers nothing (TEST-NET-1).
    for (const char* host : {"no-such-host.invalid", "192.0.2.1"}) {
        Receiver receiver(std::string("uri=hawser://") + host + ":7000/test");
        receiver.play();
        EXPECT_LE(receiver.pipeline.stop(), kNullWithin) << host;
    }
}

TEST_F(States, NullInTheMiddleOfData) {
    Pipeline sender(fast_src() +
                    "hawsersink name=sink wait-for-connection=true stream=/test address=127.0.0.1 port=0");
    sender.play();
    GstElement* sink = sender.get("sink");
    ASSERT_TRUE(wait_property(sink, "current-port", kSoon,
                              [&] { return property_text(sink, "current-port") != "0"; }));
    const int port = std::stoi(property_text(sink, "current-port"));
    {
        Receiver receiver(src_uri(port));
        receiver.play();
        const auto track = receiver.track("src_0");
        ASSERT_TRUE(track);
        EXPECT_TRUE(track->wait_count(100, kSoon));
        EXPECT_LE(receiver.pipeline.stop(), kNullWithin);
    }
    Receiver again(src_uri(port));
    again.play();
    const auto track = again.track("src_0");
    ASSERT_TRUE(track);
    EXPECT_TRUE(track->wait_count(100, kSoon));
    EXPECT_LE(sender.stop(), kNullWithin);
    EXPECT_LE(again.pipeline.stop(), kNullWithin);
}

TEST_F(States, NullWithAFrozenPeer) {
    Pipeline sender(fast_src() +
                    "hawsersink name=sink stream=/test address=127.0.0.1 port=0 slow-client-policy=block "
                    "max-block=600000000000 max-size-bytes=1000000 peer-timeout=600000000000");
    sender.play();
    GstElement* sink = sender.get("sink");
    ASSERT_TRUE(wait_property(sink, "current-port", kSoon,
                              [&] { return property_text(sink, "current-port") != "0"; }));
    Proxy proxy(std::stoi(property_text(sink, "current-port")));
    Receiver receiver(src_uri(proxy.port(), "?peer-timeout=600000000000"));
    receiver.play();
    const auto track = receiver.track("src_0");
    ASSERT_TRUE(track);
    ASSERT_TRUE(track->wait_count(10, kSoon));
    proxy.freeze(true);
    // The producer stands still now, or soon; neither may keep the state change waiting.
    EXPECT_LE(sender.stop(), kNullWithin);
    EXPECT_LE(receiver.pipeline.stop(), kNullWithin);
}

TEST_F(States, NullWhileTheSinkLingersAfterEos) {
    Sender sender("port=0 address=127.0.0.1 stream=/test linger=60000000000 peer-timeout=600000000000");
    sender.play();
    Proxy proxy(sender.port());
    Receiver receiver(src_uri(proxy.port()));
    receiver.play();
    auto& pad = sender.pad("sink_0");
    pad.start();
    EXPECT_EQ(pad.push_bytes(1000, 1, 0), GST_FLOW_OK);
    const auto track = receiver.track("src_0");
    ASSERT_TRUE(track);
    ASSERT_TRUE(track->wait_count(1, kSoon));
    proxy.freeze(true);
    auto eos = std::async(std::launch::async, [&] { return pad.eos(); });
    EXPECT_FALSE(sender.pipeline.wait_eos(300ms)) << "EOS although nobody has acknowledged the last buffer";
    EXPECT_LE(sender.pipeline.stop(), kNullWithin);
    eos.wait();
}

TEST_F(States, NullWhileDownstreamIsStuck) {
    Sender sender("port=0 address=127.0.0.1 stream=/test");
    sender.play();
    Receiver receiver(src_uri(sender.port()));
    receiver.play();
    auto& pad = sender.pad("sink_0");
    pad.start();
    pad.push_bytes(1000, 1, 0);
    const auto track = receiver.track("src_0");
    ASSERT_TRUE(track);
    ASSERT_TRUE(track->wait_count(1, kSoon));
    track->slow_down(200ms);
    for (unsigned i = 1; i < 20; ++i) pad.push_bytes(1000, i, i * GST_MSECOND);
    ASSERT_TRUE(track->wait_count(2, kSoon));
    EXPECT_LE(receiver.pipeline.stop(), kNullWithin);
}

TEST_F(States, TheSameElementsServeAgainAndAgain) {
    Sender sender("port=0 address=127.0.0.1 stream=/test");
    std::string uri;
    for (int round = 0; round < 4; ++round) {
        SCOPED_TRACE(round);
        sender.play();
        Receiver receiver(src_uri(sender.port()));
        receiver.play();
        auto& pad = sender.pad("sink_0");
        pad.start();
        for (unsigned i = 0; i < 5; ++i) EXPECT_EQ(pad.push_bytes(100, i, i * GST_MSECOND), GST_FLOW_OK);
        EXPECT_TRUE(pad.eos());
        const auto track = receiver.track("src_0");
        ASSERT_TRUE(track);
        EXPECT_TRUE(track->wait_eos(kSoon)) << receiver.pipeline.log();
        EXPECT_EQ(track->count(), 5u);
        EXPECT_TRUE(receiver.pipeline.wait_eos(kSoon));
        EXPECT_LE(sender.pipeline.stop(), kNullWithin);
        EXPECT_EQ(property_text(sender.sink, "state"), "idle");
        // A stopped sink's pads are inactive; the feeder starts afresh as an upstream element would.
        gst_pad_set_active(pad.pad(), FALSE);
        gst_pad_set_active(pad.pad(), TRUE);
    }
}

TEST_F(States, TheSrcServesAgainAndAgain) {
    Sender sender("port=0 address=127.0.0.1 stream=/test wait-for-connection=false");
    sender.play();
    auto& pad = sender.pad("sink_0");
    pad.start();
    pad.push_bytes(100, 1, 0);
    Receiver receiver(src_uri(sender.port()));
    for (std::size_t round = 1; round <= 4; ++round) {
        SCOPED_TRACE(round);
        receiver.play();
        EXPECT_TRUE(receiver.wait_pads(round, kSoon)) << receiver.pipeline.log();
        EXPECT_TRUE(receiver.track("src_0")->wait_count(1, kSoon)) << receiver.pipeline.log();
        EXPECT_LE(receiver.pipeline.stop(), kNullWithin);
        EXPECT_EQ(property_text(receiver.src, "state"), "idle");
        EXPECT_EQ(receiver.pads_removed().size(), round) << "a stopped src has no pads";
    }
}

TEST_F(States, PausedAndPlayingAgain) {
    Pipeline sender(
        "fakesrc is-live=true do-timestamp=true sizetype=fixed sizemax=100 format=time datarate=20000 ! "
        "hawsersink name=sink stream=/test address=127.0.0.1 port=0");
    sender.play();
    GstElement* sink = sender.get("sink");
    ASSERT_TRUE(wait_property(sink, "current-port", kSoon,
                              [&] { return property_text(sink, "current-port") != "0"; }));
    Receiver receiver(src_uri(std::stoi(property_text(sink, "current-port"))));
    receiver.play();
    const auto track = receiver.track("src_0");
    ASSERT_TRUE(track);
    ASSERT_TRUE(track->wait_count(5, kSoon));
    EXPECT_EQ(receiver.pipeline.set_state(GST_STATE_PAUSED), GST_STATE_CHANGE_NO_PREROLL);
    EXPECT_EQ(receiver.pipeline.set_state(GST_STATE_PLAYING), GST_STATE_CHANGE_SUCCESS);
    const auto seen = track->count();
    EXPECT_TRUE(track->wait_count(seen + 5, kSoon)) << receiver.pipeline.log();
    EXPECT_TRUE(receiver.pipeline.errors().empty()) << receiver.pipeline.log();
}

TEST_F(States, StateIsToldByPropertyAndMessages) {
    Sender sender("port=0 address=127.0.0.1 stream=/test");
    sender.play();
    EXPECT_TRUE(sender.pipeline.wait_hawser_state("listening", kSoon)) << sender.pipeline.log();
    Receiver receiver(src_uri(sender.port()));
    EXPECT_EQ(property_text(receiver.src, "state"), "idle");
    receiver.play();
    auto& pad = sender.pad("sink_0");
    pad.start();
    pad.push_bytes(100, 1, 0);
    EXPECT_TRUE(receiver.pipeline.wait_hawser_state("connecting", kSoon)) << receiver.pipeline.log();
    EXPECT_TRUE(receiver.pipeline.wait_hawser_state("streaming", kSoon)) << receiver.pipeline.log();
    EXPECT_TRUE(wait_property(receiver.src, "state", kSoon,
                              [&] { return property_text(receiver.src, "state") == "streaming"; }));
    pad.eos();
    EXPECT_TRUE(receiver.pipeline.wait_eos(kSoon)) << receiver.pipeline.log();
    sender.pipeline.stop();
    EXPECT_TRUE(receiver.pipeline.wait_hawser_state("ended", kSoon)) << receiver.pipeline.log();
    // Each message says from which state and why; each begins where the one before it ended.
    std::string last = "idle";
    for (const auto& message : receiver.pipeline.element_messages("hawser-state")) {
        EXPECT_EQ(message.string("old-state"), last) << message.text();
        last = message.string("state");
        EXPECT_TRUE(message.has("reason")) << message.text();
    }
    receiver.pipeline.stop();
    EXPECT_EQ(property_text(receiver.src, "state"), "idle");
}

}  // namespace
}  // namespace hawser::test
