// A source that can wait runs no further ahead of the socket than is of use (docs/design/0015). Whatever
// happens meanwhile, it is neither held for good nor lets go of what its receiver has not got.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "tests/support/link.h"

namespace hawser::test {
namespace {

constexpr gsize kSize = 100'000;

class Pace : public ::testing::Test {
  protected:
    Pace() : sender("port=0 address=127.0.0.1 stream=/test"), pad(&sender.pad("sink_0")) {
        sender.play();
        pad->start();
    }
    ~Pace() override {
        if (track) track->hold(false);
        if (receiver) receiver->pipeline.stop();
        sender.pipeline.stop();
        if (pusher.joinable()) pusher.join();
    }

    // A receiver that takes one buffer and then no more.
    void receive() {
        receiver = std::make_unique<Receiver>("uri=" + sender.uri() + "?max-queue-bytes=1000000");
        receiver->play();
        ASSERT_TRUE(sender.wait_clients(1, kSoon));
    }
    // Pushes until something else than OK comes back, or `most` are through.
    void push(int most = 1'000'000) {
        pusher = std::thread([this, most, from = static_cast<GstPad*>(gst_object_ref(pad->pad()))] {
            while (flow == GST_FLOW_OK && pushed < most) {
                GstBuffer* buffer = gst_buffer_new_allocate(nullptr, kSize, nullptr);
                GST_BUFFER_PTS(buffer) = static_cast<guint64>(pushed) * GST_MSECOND;
                flow = gst_pad_push(from, buffer);
                if (flow == GST_FLOW_OK) ++pushed;
            }
            gst_object_unref(from);
            over = true;
        });
    }
    bool is_held() {
        const int before = pushed;
        std::this_thread::sleep_for(Milliseconds(50));
        return before > 1 && pushed == before;
    }
    void hold_it() {
        receive();
        push();
        track = receiver->track("src_0");
        ASSERT_TRUE(track);
        track->hold(true);
        ASSERT_TRUE(eventually(kSoon, [this] { return is_held(); }));
        held_at = pushed;
        EXPECT_LT(sender.stats().array("tracks").at(0).number("ring-bytes"), 64u << 20)
            << "long before it is full";
    }
    bool ended() {
        return eventually(kSoon, [this] { return over.load(); });
    }
    // Since hold_it().
    bool goes_on() {
        return eventually(kSoon, [this] { return pushed > held_at + 1; });
    }

    Sender sender;
    Feeder* pad;
    std::unique_ptr<Receiver> receiver;
    std::shared_ptr<Recorder> track;
    std::thread pusher;
    std::atomic<int> pushed{0};
    int held_at = 0;
    std::atomic<GstFlowReturn> flow{GST_FLOW_OK};
    std::atomic<bool> over{false};
};

TEST_F(Pace, NullLetsItGo) {
    hold_it();
    EXPECT_LE(sender.pipeline.stop(), Milliseconds(1000));
    ASSERT_TRUE(ended());
    EXPECT_EQ(flow, GST_FLOW_FLUSHING);
}

TEST_F(Pace, ItsPadIsReleased) {
    hold_it();
    sender.release_pad("sink_0");
    ASSERT_TRUE(ended());
    EXPECT_NE(flow, GST_FLOW_OK);
}

TEST_F(Pace, AFlushLetsItGo) {
    hold_it();
    EXPECT_TRUE(pad->push_event(gst_event_new_flush_start()));
    ASSERT_TRUE(ended());
    EXPECT_EQ(flow, GST_FLOW_FLUSHING);
    EXPECT_TRUE(pad->push_event(gst_event_new_flush_stop(TRUE)));
}

TEST_F(Pace, ASecondReceiverDoesNotWaitForTheFirst) {
    hold_it();
    Receiver second("uri=" + sender.uri());
    second.play();
    EXPECT_TRUE(goes_on());
    const auto other = second.track("src_0");
    ASSERT_TRUE(other);
    EXPECT_TRUE(other->wait_count(2, kSoon));
    second.pipeline.stop();
}

TEST_F(Pace, ASecondTrackIsNotWaitedFor) {
    hold_it();
    sender.pad("sink_1");
    EXPECT_TRUE(goes_on());
}

TEST_F(Pace, ItsReceiverGoes) {
    hold_it();
    track->hold(false);
    receiver->pipeline.stop();
    EXPECT_TRUE(goes_on());
}

TEST_F(Pace, ItsConnectionBreaksAndComesBack) {
    hold_it();
    g_signal_emit_by_name(sender.sink, "reconnect");
    track->hold(false);
    EXPECT_TRUE(goes_on());
    EXPECT_TRUE(eventually(kSoon, [this] { return receiver->stats().number("reconnects") == 1; }));
    EXPECT_EQ(receiver->stats().number("lost"), 0u);
}

TEST_F(Pace, PausedAndPlayingAgainLosesNothing) {
    receive();
    push(300);
    track = receiver->track("src_0");
    ASSERT_TRUE(track);
    track->hold(true);
    ASSERT_TRUE(eventually(kSoon, [this] { return is_held(); }));
    EXPECT_NE(sender.pipeline.set_state(GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    EXPECT_TRUE(sender.pipeline.wait_state(GST_STATE_PAUSED, kSoon));
    sender.pipeline.play();
    track->hold(false);
    ASSERT_TRUE(ended());
    ASSERT_TRUE(pad->eos());
    ASSERT_TRUE(track->wait_eos(kSoon));
    EXPECT_EQ(track->count(), 300u);
}

TEST_F(Pace, ALiveSourceIsNotHeld) {
    pad->set_live(true);
    receive();
    push(1500);
    track = receiver->track("src_0");
    ASSERT_TRUE(track);
    track->hold(true);
    EXPECT_TRUE(ended());
    EXPECT_EQ(pushed, 1500);
}

}  // namespace
}  // namespace hawser::test
