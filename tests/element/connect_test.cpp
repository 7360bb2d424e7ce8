// Who waits for whom, who listens, who is told apart from whom.
#include <gst/video/video.h>
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

class Connect : public ::testing::Test {
  protected:
    void SetUp() override { init_gst(); }
};

// `groups` groups of one keyframe and four delta units, 20 ms each.
void push_groups(Feeder& pad, unsigned groups, unsigned first = 0) {
    for (unsigned i = first * 5; i < (first + groups) * 5; ++i) {
        ASSERT_EQ(pad.push_bytes(1000, i, i * 20 * GST_MSECOND, i % 5 == 0), GST_FLOW_OK);
    }
}

TEST_F(Connect, TheSinkWaitsForItsFirstReceiver) {
    Sender sender("port=0 address=127.0.0.1 stream=/test");
    sender.play();
    auto& pad = sender.pad("sink_0");
    auto pushing = std::async(std::launch::async, [&] {
        pad.start();
        push_groups(pad, 10);
        return pad.eos();
    });
    EXPECT_EQ(pushing.wait_for(200ms), std::future_status::timeout) << "did not wait";
    Receiver receiver("uri=" + sender.uri());
    receiver.play();
    EXPECT_EQ(pushing.wait_for(kSoon), std::future_status::ready);
    const auto track = receiver.track("src_0");
    ASSERT_TRUE(track);
    EXPECT_TRUE(track->wait_eos(kSoon));
    pushing.wait();
    EXPECT_EQ(difference(pad.sent(), track->buffers()), "");
}

TEST_F(Connect, TheSinkDoesNotWaitWhereItShallNot) {
    Sender sender("port=0 address=127.0.0.1 stream=/test wait-for-connection=false");
    sender.play();
    auto& pad = sender.pad("sink_0");
    auto pushing = std::async(std::launch::async, [&] {
        pad.start();
        push_groups(pad, 100);
    });
    EXPECT_EQ(pushing.wait_for(kSoon), std::future_status::ready) << "waits although nobody asked it to";
    if (pushing.wait_for(0s) != std::future_status::ready) sender.pipeline.stop();
}

TEST_F(Connect, TheReceiverWaitsForItsSender) {
    const int port = free_port();
    Receiver receiver("uri=hawser://127.0.0.1:" + std::to_string(port) + "/test");
    receiver.play();
    EXPECT_TRUE(receiver.pipeline.wait_hawser_state("backoff", kSoon)) << receiver.pipeline.log();
    Sender sender("address=127.0.0.1 stream=/test port=" + std::to_string(port));
    sender.play();
    auto& pad = sender.pad("sink_0");
    pad.start();
    push_groups(pad, 5);
    pad.eos();
    const auto track = receiver.track("src_0");
    ASSERT_TRUE(track);
    EXPECT_TRUE(track->wait_eos(kSoon));
    EXPECT_EQ(difference(pad.sent(), track->buffers()), "");
    EXPECT_TRUE(receiver.pipeline.errors().empty()) << receiver.pipeline.log();
    EXPECT_FALSE(receiver.pipeline.has_eos() && !track->wait_eos(0s));
}

TEST_F(Connect, ACallingSinkAndAListeningSrc) {
    for (const bool sink_first : {true, false}) {
        SCOPED_TRACE(sink_first ? "sink first" : "src first");
        const std::string uri = "hawser://127.0.0.1:" + std::to_string(free_port()) + "/test";
        Sender sender("mode=caller uri=" + uri);
        Receiver receiver("mode=listener uri=" + uri);
        auto& pad = sender.pad("sink_0");
        if (sink_first) {
            sender.play();
            EXPECT_TRUE(sender.pipeline.wait_hawser_state("backoff", kSoon)) << sender.pipeline.log();
            receiver.play();
        } else {
            receiver.play();
            EXPECT_TRUE(receiver.pipeline.wait_hawser_state("listening", kSoon)) << receiver.pipeline.log();
            sender.play();
        }
        pad.start();
        push_groups(pad, 5);
        pad.eos();
        const auto track = receiver.track("src_0");
        ASSERT_TRUE(track);
        EXPECT_TRUE(track->wait_eos(kSoon));
        EXPECT_EQ(difference(pad.sent(), track->buffers()), "");
    }
}

TEST_F(Connect, PortZeroIsTold) {
    Sender sender("uri=hawser://127.0.0.1:0/test");
    int notified = 0;
    g_signal_connect(sender.sink, "notify::current-port",
                     G_CALLBACK(+[](GObject*, GParamSpec*, gpointer count) { ++*static_cast<int*>(count); }),
                     &notified);
    sender.play();
    EXPECT_GT(sender.port(), 0);
    EXPECT_GE(notified, 1);
    EXPECT_EQ(property_text(sender.sink, "port"), "0") << "the wish is not changed by its fulfilment";
    Receiver receiver("uri=hawser://127.0.0.1:0/test?mode=listener");
    receiver.play();
    EXPECT_TRUE(wait_property(receiver.src, "current-port", kSoon,
                              [&] { return property_text(receiver.src, "current-port") != "0"; }));
    sender.pipeline.stop();
    g_signal_handlers_disconnect_by_data(sender.sink, &notified);
}

TEST_F(Connect, OverIpv6) {
    Sender sender("uri=hawser://[::1]:0/test");
    sender.play();
    Receiver receiver("uri=hawser://[::1]:" + std::to_string(sender.port()) + "/test");
    receiver.play();
    auto& pad = sender.pad("sink_0");
    pad.start();
    push_groups(pad, 3);
    pad.eos();
    const auto track = receiver.track("src_0");
    ASSERT_TRUE(track) << sender.pipeline.log();
    EXPECT_TRUE(track->wait_eos(kSoon));
    EXPECT_EQ(difference(pad.sent(), track->buffers()), "");
}

TEST_F(Connect, TwoSinksShareAPort) {
    Sender left("uri=hawser://127.0.0.1:0/left");
    left.play();
    Sender right("uri=hawser://127.0.0.1:" + std::to_string(left.port()) + "/right");
    right.play();
    EXPECT_EQ(right.port(), left.port());
    Receiver from_right("uri=" + left.uri("/right"));
    Receiver from_left("uri=" + left.uri("/left"));
    from_right.play();
    from_left.play();
    for (Sender* sender : {&left, &right}) {
        auto& pad = sender->pad("sink_0");
        pad.start(sender == &left ? "application/x-left" : "application/x-right");
        for (unsigned i = 0; i < 20; ++i) {
            EXPECT_EQ(pad.push_bytes(500, (sender == &left ? 0 : 1000) + i, i * GST_MSECOND), GST_FLOW_OK);
        }
        pad.eos();
    }
    for (auto [sender, receiver] : {std::pair{&left, &from_left}, std::pair{&right, &from_right}}) {
        const auto track = receiver->track("src_0");
        ASSERT_TRUE(track);
        EXPECT_TRUE(track->wait_eos(kSoon)) << receiver->pipeline.log();
        EXPECT_EQ(difference(sender->pad("sink_0").sent(), track->buffers()), "");
    }
    // One goes, the other keeps the port.
    left.pipeline.stop();
    Receiver again("uri=" + right.uri("/right"));
    again.play();
    EXPECT_TRUE(again.pipeline.wait_hawser_state("streaming", kSoon) ||
                again.pipeline.wait_hawser_state("ended", 0s))
        << again.pipeline.log();
}

TEST_F(Connect, TwoSinksOfOneNameDoNotShareAPort) {
    Sender one("uri=hawser://127.0.0.1:0/cam");
    one.play();
    Pipeline two("hawsersink name=sink uri=hawser://127.0.0.1:" + std::to_string(one.port()) + "/cam");
    EXPECT_EQ(two.set_state(GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    const auto error = two.wait_error(kSoon);
    ASSERT_TRUE(error) << two.log();
    EXPECT_NE(error->text.find("/cam"), std::string::npos) << error->text;
}

TEST_F(Connect, TracksKeepTheirNames) {
    Sender sender("port=0 address=127.0.0.1 stream=/test");
    sender.pad("video");
    sender.pad("sink_3");
    sender.pad("sink_%u");
    sender.play();
    Receiver receiver("uri=" + sender.uri());
    receiver.play();
    std::vector<std::future<void>> pushing;
    for (const char* name : {"video", "sink_3", "sink_%u"}) {
        pushing.push_back(std::async(std::launch::async, [&pad = sender.pad(name), name] {
            pad.start(std::string("application/x-") + (name[0] == 'v' ? "video" : "other"), name);
            push_groups(pad, 2);
            pad.eos();
        }));
    }
    const std::string third = GST_OBJECT_NAME(sender.pad("sink_%u").request_pad());
    ASSERT_EQ(third.rfind("sink_", 0), 0u) << third;
    for (const auto& [pad, track_name] : {std::pair<std::string, std::string>{"video", "video"},
                                          {"sink_3", "src_3"},
                                          {"sink_%u", "src_" + third.substr(5)}}) {
        const auto track = receiver.track(track_name);
        ASSERT_TRUE(track);
        EXPECT_TRUE(track->wait_eos(kSoon)) << track_name << receiver.pipeline.log();
        EXPECT_EQ(difference(sender.pad(pad).sent(), track->buffers()), "") << track_name;
    }
    EXPECT_TRUE(receiver.wait_no_more_pads(kSoon)) << "no-more-pads was not emitted";
    EXPECT_TRUE(receiver.pipeline.wait_eos(kSoon));
    EXPECT_EQ(receiver.pads_added().size(), 3u);
}

TEST_F(Connect, ALateJoinerBeginsWithCapsAndAKeyframe) {
    Sender sender("port=0 address=127.0.0.1 stream=/test wait-for-connection=false");
    sender.play();
    auto& pad = sender.pad("sink_0");
    pad.set_live(true);
    pad.start("video/x-test, width=(int)99", "late");
    GstTagList* tags = gst_tag_list_new(GST_TAG_TITLE, "still valid", nullptr);
    pad.push_event(gst_event_new_tag(tags));
    push_groups(pad, 20);
    pad.push_bytes(1000, 1000, 2 * GST_SECOND, false);
    Receiver receiver("uri=" + sender.uri());
    receiver.play();
    const auto track = receiver.track("src_0");
    ASSERT_TRUE(track);
    ASSERT_TRUE(track->wait_count(1, kSoon));
    pad.push_bytes(1000, 1001, 2 * GST_SECOND + 20 * GST_MSECOND, false);
    pad.eos();
    ASSERT_TRUE(track->wait_eos(kSoon));
    EXPECT_FALSE(track->events(GST_EVENT_STREAM_START).empty());
    EXPECT_FALSE(track->events(GST_EVENT_CAPS).empty());
    EXPECT_FALSE(track->events(GST_EVENT_SEGMENT).empty());
    EXPECT_FALSE(track->events(GST_EVENT_TAG).empty());
    EXPECT_EQ(track->events(GST_EVENT_CAPS).at(0).before, 0u);
    const auto got = track->buffers();
    EXPECT_FALSE(got.at(0).delta()) << "begins in the middle of a group";
    // It starts at the newest group (buffer 95), and has all from there on.
    const auto& sent = pad.sent();
    CompareOptions options;
    options.ignore_first_discont = true;
    EXPECT_EQ(difference({sent.begin() + 95, sent.end()}, got, options), "");
    EXPECT_EQ(receiver.stats().number("lost"), 0u) << "what was before it came is no loss";
}

TEST_F(Connect, ALateJoinerWithoutAGroupAsksForAKeyframe) {
    Sender sender("port=0 address=127.0.0.1 stream=/test wait-for-connection=false max-size-buffers=4");
    sender.play();
    auto& pad = sender.pad("sink_0");
    pad.set_live(true);
    pad.start();
    pad.push_bytes(1000, 0, 0, true);
    for (unsigned i = 1; i < 50; ++i) pad.push_bytes(1000, i, i * 20 * GST_MSECOND, false);
    EXPECT_EQ(pad.upstream_count(GST_EVENT_CUSTOM_UPSTREAM), 0u);
    std::vector<std::unique_ptr<Receiver>> receivers;
    for (int i = 0; i < 5; ++i) {
        receivers.push_back(std::make_unique<Receiver>("uri=" + sender.uri()));
        receivers.back()->play();
    }
    EXPECT_TRUE(sender.wait_clients(5, kSoon));
    EXPECT_TRUE(pad.wait_upstream(GST_EVENT_CUSTOM_UPSTREAM, kSoon, "GstForceKeyUnit"))
        << sender.pipeline.log();
    EXPECT_LE(pad.upstream_count(GST_EVENT_CUSTOM_UPSTREAM), 3u)
        << "five requests at once are one, or nearly";
    pad.push_bytes(1000, 50, GST_SECOND, false);
    pad.push_bytes(1000, 51, GST_SECOND + 20 * GST_MSECOND, true);
    for (auto& receiver : receivers) {
        const auto track = receiver->track("src_0");
        ASSERT_TRUE(track);
        ASSERT_TRUE(track->wait_count(1, kSoon)) << receiver->pipeline.log();
        EXPECT_FALSE(track->buffers().at(0).delta());
        EXPECT_EQ(track->buffers().at(0).md5, pad.sent().at(51).md5);
    }
}

TEST_F(Connect, ClientsAreAnnounced) {
    Sender sender("port=0 address=127.0.0.1 stream=/test wait-for-connection=false");
    struct Seen {
        std::mutex mutex;
        std::condition_variable changed;
        std::vector<std::pair<guint64, std::string>> added, removed;
    } seen;
    g_signal_connect(sender.sink, "client-added",
                     G_CALLBACK(+[](GstElement*, guint64 id, const gchar* address, gpointer data) {
                         auto& s = *static_cast<Seen*>(data);
                         std::lock_guard lock(s.mutex);
                         s.added.emplace_back(id, address);
                         s.changed.notify_all();
                     }),
                     &seen);
    g_signal_connect(sender.sink, "client-removed",
                     G_CALLBACK(+[](GstElement*, guint64 id, const gchar* reason, gpointer data) {
                         auto& s = *static_cast<Seen*>(data);
                         std::lock_guard lock(s.mutex);
                         s.removed.emplace_back(id, reason);
                         s.changed.notify_all();
                     }),
                     &seen);
    sender.play();
    auto& pad = sender.pad("sink_0");
    pad.start();
    push_groups(pad, 1);
    {
        Receiver one("uri=" + sender.uri()), two("uri=" + sender.uri());
        one.play();
        two.play();
        EXPECT_TRUE(sender.wait_clients(2, kSoon));
        std::unique_lock lock(seen.mutex);
        ASSERT_TRUE(seen.changed.wait_for(lock, kSoon, [&] { return seen.added.size() == 2; }));
        EXPECT_NE(seen.added[0].first, seen.added[1].first);
        EXPECT_NE(seen.added[0].second.find("127.0.0.1"), std::string::npos) << seen.added[0].second;
        lock.unlock();
        const auto stats = sender.stats();
        EXPECT_EQ(stats.number("clients"), 2u) << stats.text();
        EXPECT_EQ(stats.array("client-stats").size(), 2u) << stats.text();
    }
    EXPECT_TRUE(sender.wait_clients(0, kSoon)) << sender.stats().text();
    {
        std::unique_lock lock(seen.mutex);
        ASSERT_TRUE(seen.changed.wait_for(lock, kSoon, [&] { return seen.removed.size() == 2; }));
        EXPECT_FALSE(seen.removed[0].second.empty()) << "no reason";
    }
    EXPECT_EQ(sender.stats().number("clients-total"), 2u);
    sender.pipeline.stop();
    g_signal_handlers_disconnect_by_data(sender.sink, &seen);
}

TEST_F(Connect, StatsAddUp) {
    Sender sender("port=0 address=127.0.0.1 stream=/test");
    sender.play();
    Receiver receiver("uri=" + sender.uri());
    receiver.play();
    auto& pad = sender.pad("video");
    pad.start();
    push_groups(pad, 40);
    pad.eos();
    const auto track = receiver.track("video");
    ASSERT_TRUE(track);
    ASSERT_TRUE(track->wait_eos(kSoon));
    ASSERT_TRUE(sender.pipeline.wait_eos(kSoon)) << sender.pipeline.log();
    const auto sent = sender.stats();
    // The end of the stream itself is handed over when its push has returned, which it has not yet perhaps.
    ASSERT_TRUE(eventually(kSoon, [&] { return receiver.stats().number("queued-bytes") == 0; }));
    const auto got = receiver.stats();
    EXPECT_EQ(sent.number("objects"), 200u) << sent.text();
    EXPECT_EQ(sent.number("bytes"), 200000u) << sent.text();
    EXPECT_EQ(sent.number("skipped"), 0u) << sent.text();
    EXPECT_EQ(got.number("objects"), 200u) << got.text();
    EXPECT_EQ(got.number("bytes"), 200000u) << got.text();
    EXPECT_EQ(got.number("delivered") + got.number("lost"), 200u) << got.text();
    EXPECT_EQ(got.number("doubled"), 0u) << got.text();
    EXPECT_EQ(got.number("replayed"), 0u) << got.text();
    EXPECT_EQ(got.number("reconnects"), 0u) << got.text();
    EXPECT_EQ(got.number("epochs"), 1u) << got.text();
    EXPECT_EQ(got.number("epoch"), sent.number("epoch"));
    const auto tracks = got.array("tracks");
    ASSERT_EQ(tracks.size(), 1u) << got.text();
    EXPECT_EQ(tracks[0].string("name"), "video");
    EXPECT_EQ(tracks[0].number("objects"), 200u);
    const auto sent_tracks = sent.array("tracks");
    ASSERT_EQ(sent_tracks.size(), 1u) << sent.text();
    EXPECT_EQ(sent_tracks[0].string("name"), "video");
}

TEST_F(Connect, ReconnectBreaksTheConnectionAndLosesNothing) {
    Sender sender("port=0 address=127.0.0.1 stream=/test");
    sender.play();
    Receiver receiver("uri=" + sender.uri());
    receiver.play();
    auto& pad = sender.pad("sink_0");
    pad.start();
    push_groups(pad, 10);
    const auto track = receiver.track("src_0");
    ASSERT_TRUE(track);
    ASSERT_TRUE(track->wait_count(50, kSoon));
    for (std::size_t round = 1; round <= 4; ++round) {
        g_signal_emit_by_name(round % 2 == 0 ? receiver.src : sender.sink, "reconnect");
        push_groups(pad, 10, static_cast<unsigned>(round) * 10);
        ASSERT_TRUE(receiver.pipeline.wait_element("hawser-recovered", kSoon, round))
            << receiver.pipeline.log();
        ASSERT_TRUE(track->wait_count(50 + round * 50, kSoon));
    }
    pad.eos();
    ASSERT_TRUE(track->wait_eos(kSoon));
    EXPECT_EQ(difference(pad.sent(), track->buffers()), "");
    const auto stats = receiver.stats();
    EXPECT_EQ(stats.number("reconnects"), 4u) << stats.text();
    EXPECT_EQ(stats.number("epochs"), 1u) << stats.text();
    EXPECT_EQ(stats.number("lost"), 0u) << stats.text();
    EXPECT_EQ(receiver.pads_added().size(), 1u);
    EXPECT_TRUE(receiver.pads_removed().empty());
}

TEST_F(Connect, MoreClientsThanAllowedAreTurnedAway) {
    Sender sender("port=0 address=127.0.0.1 stream=/test wait-for-connection=false max-clients=1");
    sender.play();
    auto& pad = sender.pad("sink_0");
    pad.start();
    push_groups(pad, 1);
    Receiver one("uri=" + sender.uri());
    one.play();
    EXPECT_TRUE(sender.wait_clients(1, kSoon));
    Receiver two("uri=" + sender.uri());
    two.play();
    EXPECT_TRUE(two.pipeline.wait_hawser_state("backoff", kSoon) || two.pipeline.wait_error(0ms))
        << two.pipeline.log();
    push_groups(pad, 1, 1);
    const auto track = one.track("src_0");
    ASSERT_TRUE(track);
    EXPECT_TRUE(track->wait_count(10, kSoon));
    EXPECT_EQ(two.pads_added().size(), 0u);
}

TEST_F(Connect, LatencyIsAnswered) {
    Sender sender("port=0 address=127.0.0.1 stream=/test wait-for-connection=false");
    sender.play();
    auto& pad = sender.pad("sink_0");
    pad.start();
    push_groups(pad, 1);
    Receiver receiver("latency=250 uri=" + sender.uri());
    receiver.play();
    const auto track = receiver.track("src_0");
    ASSERT_TRUE(track);
    ASSERT_TRUE(track->wait_count(1, kSoon));
    GstQuery* query = gst_query_new_latency();
    ASSERT_TRUE(gst_pad_query(track->pad(), query));
    gboolean live = FALSE;
    GstClockTime min = 0, max = 0;
    gst_query_parse_latency(query, &live, &min, &max);
    gst_query_unref(query);
    EXPECT_TRUE(live);
    EXPECT_GE(min, 250 * GST_MSECOND);
    EXPECT_TRUE(max == GST_CLOCK_TIME_NONE || max >= min);
}

}  // namespace
}  // namespace hawser::test
