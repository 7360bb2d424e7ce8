// Connections break; nothing may be lost, nothing may come twice.
#include <gtest/gtest.h>

#include <future>
#include <numeric>

#include "tests/support/link.h"
#include "tests/support/process.h"
#include "tests/support/proxy.h"

namespace hawser::test {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

std::string file_source() {
    return "filesrc location=" + webm_file() + " ! matroskademux ! ";
}

class Cuts : public ::testing::Test {
  protected:
    void SetUp() override { init_gst(); }

    static int port_of(Pipeline& pipeline) {
        GstElement* sink = pipeline.get("sink");
        EXPECT_TRUE(wait_property(sink, "current-port", kSoon,
                                  [&] { return property_text(sink, "current-port") != "0"; }));
        return std::stoi(property_text(sink, "current-port"));
    }
    static std::string uri(const Proxy& proxy) {
        return "hawser://127.0.0.1:" + std::to_string(proxy.port()) + "/test";
    }

    static void expect_books_balance(Receiver& receiver, std::size_t objects,
                                     std::size_t reconnects_at_least) {
        const auto stats = receiver.stats();
        EXPECT_EQ(stats.number("objects"), objects) << stats.text();
        EXPECT_EQ(stats.number("delivered"), objects) << stats.text();
        EXPECT_EQ(stats.number("lost"), 0u) << stats.text();
        EXPECT_EQ(stats.number("doubled"), 0u) << stats.text();
        EXPECT_EQ(stats.number("epochs"), 1u) << stats.text();
        EXPECT_GE(stats.number("reconnects"), reconnects_at_least) << stats.text();
        EXPECT_EQ(receiver.pads_added().size(), 1u);
        EXPECT_TRUE(receiver.pads_removed().empty());
        EXPECT_TRUE(receiver.pipeline.errors().empty()) << receiver.pipeline.log();
        EXPECT_TRUE(receiver.pipeline.element_messages("hawser-gap").empty()) << receiver.pipeline.log();
    }

    // The whole webm through ten resets, each `every` bytes after the last.
    static void whole_file(const std::string& properties, std::size_t every, bool down = true) {
        const auto want = run_to_end(file_source() + "fakesink name=end");
        Pipeline sender(file_source() + "hawsersink name=sink port=0 address=127.0.0.1 stream=/test " +
                        properties);
        sender.play();
        Proxy proxy(port_of(sender));
        proxy.cut_every(every, 10, down);
        Receiver receiver("uri=" + uri(proxy));
        receiver.play();
        const auto track = receiver.track("src_0");
        ASSERT_TRUE(track);
        EXPECT_TRUE(track->wait_eos(kLong))
            << receiver.pipeline.log() << sender.log() << track->count() << " buffers came";
        EXPECT_EQ(proxy.cuts(), 10u);
        EXPECT_EQ(difference(want, track->buffers()), "");
        expect_books_balance(receiver, want.size(), 10);
        EXPECT_TRUE(sender.wait_eos(kSoon)) << sender.log();
        EXPECT_TRUE(sender.errors().empty()) << sender.log();
        const auto sent = stats_of(sender.get("sink"));
        EXPECT_EQ(sent.number("objects"), want.size()) << sent.text();
        EXPECT_EQ(sent.number("skipped"), 0u) << sent.text();
    }
};

TEST_F(Cuts, AWholeFileThroughTenResets) {
    whole_file("", 50'000);
}

TEST_F(Cuts, AWholeFileThroughTenResetsBlocking) {
    whole_file("slow-client-policy=block", 50'000);
}

TEST_F(Cuts, AWholeFileThroughTenResetsASmallRing) {
    // The producer waits, again and again, for a receiver that comes and goes.
    whole_file("slow-client-policy=block max-size-bytes=65536", 50'000);
}

TEST_F(Cuts, AWholeFileWithTheSrcListening) {
    const auto want = run_to_end(file_source() + "fakesink name=end");
    Receiver receiver("uri=hawser://127.0.0.1:0/test?mode=listener");
    receiver.play();
    ASSERT_TRUE(wait_property(receiver.src, "current-port", kSoon,
                              [&] { return property_text(receiver.src, "current-port") != "0"; }));
    Proxy proxy(std::stoi(property_text(receiver.src, "current-port")));
    proxy.cut_every(50'000, 10, false);  // here the sender is the caller
    Pipeline sender(file_source() + "hawsersink name=sink mode=caller uri=" + uri(proxy));
    sender.play();
    const auto track = receiver.track("src_0");
    ASSERT_TRUE(track);
    EXPECT_TRUE(track->wait_eos(kLong))
        << receiver.pipeline.log() << sender.log() << track->count() << " buffers came";
    EXPECT_EQ(proxy.cuts(), 10u);
    EXPECT_EQ(difference(want, track->buffers()), "");
    expect_books_balance(receiver, want.size(), 10);
    EXPECT_TRUE(sender.wait_eos(kSoon)) << sender.log();
}

// What the tests below have in common: a sender fed by the test, a proxy, a receiver that is connected.
class CutsFed : public Cuts {
  protected:
    void start(const std::string& sink_properties, const std::string& src_properties = "") {
        sender_ = std::make_unique<Sender>("port=0 address=127.0.0.1 stream=/test " + sink_properties);
        sender_->play();
        proxy_ = std::make_unique<Proxy>(sender_->port());
        receiver_ = std::make_unique<Receiver>("uri=" + uri(*proxy_) + " " + src_properties);
        receiver_->play();
        pad().start();
        push(1);
        track_ = receiver_->track("src_0");
        ASSERT_TRUE(track_);
        ASSERT_TRUE(track_->wait_count(1, kSoon));
    }
    void TearDown() override {
        receiver_.reset();
        proxy_.reset();
        sender_.reset();
    }
    Feeder& pad() { return sender_->pad("sink_0"); }
    // Groups of ten.
    void push(unsigned count, std::size_t size = 1000) {
        for (unsigned i = 0; i < count; ++i, ++pushed_) {
            ASSERT_EQ(pad().push_bytes(size, pushed_, pushed_ * 10 * GST_MSECOND, pushed_ % 10 == 0),
                      GST_FLOW_OK);
        }
    }
    void finish_equal() {
        EXPECT_TRUE(pad().eos());
        EXPECT_TRUE(track_->wait_eos(kLong)) << receiver_->pipeline.log() << sender_->pipeline.log();
        EXPECT_EQ(difference(pad().sent(), track_->buffers()), "");
    }

    std::unique_ptr<Sender> sender_;
    std::unique_ptr<Proxy> proxy_;
    std::unique_ptr<Receiver> receiver_;
    std::shared_ptr<Recorder> track_;
    unsigned pushed_ = 0;
};

TEST_F(CutsFed, InTheMiddleOfLargeObjects) {
    start("");
    proxy_->cut_every(700'001, 10);
    push(8, 1'000'000);
    finish_equal();
    expect_books_balance(*receiver_, pushed_, 10);
}

TEST_F(CutsFed, InTheMiddleOfTheHandshake) {
    start("");
    for (const std::size_t bytes : {1u, 8u, 20u, 50u, 100u}) {
        SCOPED_TRACE(bytes);
        proxy_->cut_every(bytes, 3);
        const std::size_t cuts = proxy_->cuts();
        proxy_->cut();
        push(20);
        ASSERT_TRUE(proxy_->wait_cuts(cuts + 4, kLong)) << receiver_->pipeline.log();
        ASSERT_TRUE(track_->wait_count(pushed_, kLong)) << receiver_->pipeline.log();
    }
    finish_equal();
    expect_books_balance(*receiver_, pushed_, 5);
}

TEST_F(CutsFed, WhileTheReceiverIsAwayForLonger) {
    start("");
    proxy_->refuse(true);
    proxy_->cut();
    push(500);
    EXPECT_TRUE(receiver_->pipeline.wait_hawser_state("backoff", kSoon));
    EXPECT_FALSE(receiver_->pipeline.wait_error(1500ms)) << receiver_->pipeline.log();
    proxy_->refuse(false);
    finish_equal();
    expect_books_balance(*receiver_, pushed_, 1);
    // The replay is counted as such, and nothing else is.
    const auto stats = receiver_->stats();
    EXPECT_LE(stats.number("replayed"), stats.number("objects")) << stats.text();
}

TEST_F(CutsFed, AFrozenConnectionIsFoundOutAndReplaced) {
    start("peer-timeout=600000000", "peer-timeout=600000000");
    proxy_->freeze(true);
    push(50);
    // Nothing comes, nothing is closed: only the missing answers tell.
    EXPECT_TRUE(receiver_->pipeline.wait_hawser_state("backoff", kSoon)) << receiver_->pipeline.log();
    proxy_->freeze(false);
    finish_equal();
    expect_books_balance(*receiver_, pushed_, 1);
}

TEST_F(CutsFed, AtTheVeryEnd) {
    // The last buffers and EOS are under way when the connection breaks: linger is for that.
    start("");
    proxy_->freeze(true);
    push(50);
    auto eos = std::async(std::launch::async, [this] { return pad().eos(); });
    EXPECT_FALSE(track_->wait_eos(100ms));
    proxy_->cut();
    proxy_->freeze(false);
    EXPECT_TRUE(track_->wait_eos(kSoon)) << receiver_->pipeline.log();
    EXPECT_TRUE(sender_->pipeline.wait_eos(kSoon)) << sender_->pipeline.log();
    eos.wait();
    EXPECT_EQ(difference(pad().sent(), track_->buffers()), "");
}

TEST_F(CutsFed, WhatTheRingNoLongerHasIsReportedExactly) {
    start("max-size-buffers=100 slow-client-policy=drop");
    push(49);
    ASSERT_TRUE(track_->wait_count(50, kSoon));
    proxy_->refuse(true);
    proxy_->cut();
    push(1000);
    proxy_->refuse(false);
    ASSERT_TRUE(receiver_->pipeline.wait_element("hawser-recovered", kSoon)) << receiver_->pipeline.log();
    // So that the ring does not get past a receiver that still replays, which would be another loss.
    const auto gone = receiver_->pipeline.element_messages("hawser-recovered").at(0).number("lost");
    ASSERT_TRUE(track_->wait_count(pad().sent().size() - gone, kSoon)) << receiver_->pipeline.log();
    push(50);
    EXPECT_TRUE(pad().eos());
    ASSERT_TRUE(track_->wait_eos(kLong)) << receiver_->pipeline.log();
    const auto got = track_->buffers();
    const auto& sent = pad().sent();
    const auto stats = receiver_->stats();
    const std::uint64_t lost = stats.number("lost");
    EXPECT_GE(lost, 900u) << stats.text();
    EXPECT_EQ(got.size() + lost, sent.size()) << stats.text();
    EXPECT_EQ(stats.number("delivered"), got.size()) << stats.text();
    EXPECT_EQ(stats.number("doubled"), 0u) << stats.text();
    // The first 50 came; then a hole, told in three ways; then a keyframe marked DISCONT; then all the rest.
    ASSERT_GT(got.size(), 60u);
    CompareOptions options;
    EXPECT_EQ(difference({sent.begin(), sent.begin() + 50}, {got.begin(), got.begin() + 50}), "");
    EXPECT_FALSE(got[50].delta());
    EXPECT_TRUE(got[50].flags & GST_BUFFER_FLAG_DISCONT) << to_string(got[50]);
    options.ignore_first_discont = true;
    EXPECT_EQ(difference({sent.end() - static_cast<std::ptrdiff_t>(got.size() - 50), sent.end()},
                         {got.begin() + 50, got.end()}, options),
              "");
    const auto gaps = receiver_->pipeline.element_messages("hawser-gap");
    ASSERT_EQ(gaps.size(), 1u) << receiver_->pipeline.log();
    EXPECT_EQ(gaps[0].number("lost"), lost) << gaps[0].text();
    EXPECT_EQ(gaps[0].string("track"), "src_0") << gaps[0].text();
    EXPECT_FALSE(gaps[0].string("reason").empty());
    EXPECT_EQ(track_->events(GST_EVENT_GAP).size(), 1u);
    EXPECT_EQ(sender_->stats().number("skipped"), lost) << sender_->stats().text();
    EXPECT_EQ(sender_->stats().number("objects"), got.size() + lost);
}

TEST_F(CutsFed, OverASlowLineNothingIsLostWhereTheProducerWaits) {
    start("slow-client-policy=block max-size-bytes=200000");
    proxy_->limit(2'000'000);
    proxy_->delay(20ms);
    push(150, 20'000);
    finish_equal();
    expect_books_balance(*receiver_, pushed_, 0);
}

TEST_F(CutsFed, OverASlowLineWholeGroupsAreSkippedWhereItDoesNot) {
    start("slow-client-policy=drop max-size-bytes=400000");
    proxy_->limit(1'000'000);
    push(600, 20'000);
    EXPECT_TRUE(pad().eos());
    ASSERT_TRUE(track_->wait_eos(kLong)) << receiver_->pipeline.log();
    const auto got = track_->buffers();
    const auto stats = receiver_->stats();
    EXPECT_GT(stats.number("lost"), 0u);
    EXPECT_EQ(got.size() + stats.number("lost"), pushed_) << stats.text();
    // Wherever something is missing, the next buffer starts a group and says DISCONT.
    std::size_t next = 0;
    for (const auto& buffer : got) {
        const auto index = static_cast<std::size_t>(buffer.pts / (10 * GST_MSECOND));
        if (index != next) {
            EXPECT_FALSE(buffer.delta()) << "buffer " << index << " came after " << next;
            EXPECT_TRUE(buffer.flags & GST_BUFFER_FLAG_DISCONT) << "buffer " << index;
        }
        EXPECT_EQ(buffer.md5, pad().sent().at(index).md5);
        next = index + 1;
    }
}

TEST_F(CutsFed, SeveralTracksAtOnce) {
    Sender sender("port=0 address=127.0.0.1 stream=/test");
    for (const char* name : {"video", "audio", "data"}) sender.pad(name);
    sender.play();
    Proxy proxy(sender.port());
    proxy.cut_every(60'000, 10);
    Receiver receiver("uri=" + uri(proxy));
    receiver.play();
    std::vector<std::future<void>> pushing;
    for (const auto& [name, size] :
         {std::pair{"video", 5000u}, std::pair{"audio", 300u}, std::pair{"data", 40u}}) {
        pushing.push_back(std::async(std::launch::async, [&pad = sender.pad(name), bytes = size] {
            pad.start();
            for (unsigned i = 0; i < 300; ++i) {
                EXPECT_EQ(pad.push_bytes(bytes, i * 3 + bytes, i * 10 * GST_MSECOND, i % 15 == 0),
                          GST_FLOW_OK);
            }
            pad.eos();
        }));
    }
    for (const char* name : {"video", "audio", "data"}) {
        const auto track = receiver.track(name);
        ASSERT_TRUE(track);
        EXPECT_TRUE(track->wait_eos(kLong)) << name << receiver.pipeline.log();
        EXPECT_EQ(difference(sender.pad(name).sent(), track->buffers()), "") << name;
    }
    EXPECT_EQ(proxy.cuts(), 10u);
    EXPECT_TRUE(receiver.pipeline.wait_eos(kSoon));
}

}  // namespace
}  // namespace hawser::test
