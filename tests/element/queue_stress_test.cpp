// Everything at once: buffers flow while states, flushes, ends, pads and properties change at random. What is
// tested is that nothing hangs, is lost from view, comes out of order or is leaked.
#include <random>

#include "tests/element/queue_bench.h"

namespace hawser::test {
namespace {

constexpr int kSteps = 400;
constexpr auto kBound = std::chrono::seconds(50);

// Pushes numbered buffers from a thread of its own, and everything that has to come before them again.
class Feeder {
  public:
    Feeder(GstPad* pad, int id, unsigned seed)
        : pad_(pad), id_(id), random_(seed), thread_([this] { run(); }) {}
    ~Feeder() { stop(); }
    void stop() {
        stop_ = true;
        if (thread_.joinable()) thread_.join();
    }
    // From another thread, as a seek does; the rest of the flush comes from its own.
    void flush() {
        gst_pad_push_event(pad_, gst_event_new_flush_start());
        flushing_ = true;
    }

  private:
    void run() {
        while (!stop_) {
            if (flushing_.exchange(false)) {
                gst_pad_push_event(pad_, gst_event_new_flush_stop(TRUE));
                begin_ = true;
            }
            if (std::exchange(begin_, false)) begin();
            const unsigned dice = random_() % 1000;
            if (dice == 0) {
                gst_pad_push_event(pad_, gst_event_new_eos());
                begin_ = true;
            } else if (dice < 4) {
                GstQuery* query = gst_query_new_drain();
                gst_pad_peer_query(pad_, query);
                gst_query_unref(query);
            } else if (dice < 8) {
                gst_pad_push_event(pad_, gst_event_new_gap(number_ * GST_MSECOND, GST_MSECOND));
            } else if (dice < 20) {
                GstBufferList* list = gst_buffer_list_new();
                for (int i = 0; i < 3; ++i) gst_buffer_list_add(list, next());
                note(gst_pad_push_list(pad_, list));
            } else {
                note(gst_pad_push(pad_, next()));
            }
        }
    }
    void begin() {
        gst_pad_push_event(pad_, gst_event_new_stream_start("stress"));
        GstSegment segment;
        gst_segment_init(&segment, GST_FORMAT_TIME);
        gst_pad_push_event(pad_, gst_event_new_segment(&segment));
    }
    // Its number and whose it is, so that the far end can look.
    GstBuffer* next() {
        GstBuffer* buffer = make_buffer(number_ * GST_MSECOND, GST_MSECOND, 8);
        if (number_ % 8 != 0) GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
        GST_BUFFER_OFFSET(buffer) = number_++;
        GST_BUFFER_OFFSET_END(buffer) = static_cast<guint64>(id_);
        return buffer;
    }
    void note(GstFlowReturn flow) {
        if (flow == GST_FLOW_OK) return;
        begin_ = true;
        std::this_thread::yield();
    }

    GstPad* const pad_;
    const int id_;
    std::minstd_rand random_;
    std::atomic<bool> stop_{false}, flushing_{false};
    bool begin_ = true;
    std::uint64_t number_ = 0;
    std::thread thread_;
};

// What comes out of each feeder has to come out in order.
struct Order {
    std::atomic<std::uint64_t> seen{0}, wrong{0};
    std::map<guint64, guint64> last;

    void see(GstBuffer* buffer) {
        ++seen;
        const auto [found, first] =
            last.try_emplace(GST_BUFFER_OFFSET_END(buffer), GST_BUFFER_OFFSET(buffer));
        if (!first && GST_BUFFER_OFFSET(buffer) <= found->second) ++wrong;
        found->second = GST_BUFFER_OFFSET(buffer);
    }
    static GstPadProbeReturn on_data(GstPad*, GstPadProbeInfo* info, gpointer self) {
        auto* order = static_cast<Order*>(self);
        if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER) {
            order->see(GST_PAD_PROBE_INFO_BUFFER(info));
        } else if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER_LIST) {
            GstBufferList* list = GST_PAD_PROBE_INFO_BUFFER_LIST(info);
            for (guint i = 0; i < gst_buffer_list_length(list); ++i) order->see(gst_buffer_list_get(list, i));
        }
        return GST_PAD_PROBE_DROP;  // seen; the bench need not keep it
    }
};

class QueueStress : public ::testing::TestWithParam<unsigned> {
  protected:
    void SetUp() override { init_gst(); }
};

TEST_P(QueueStress, RandomChangesWhileBuffersFlow) {
    const auto start = std::chrono::steady_clock::now();
    std::minstd_rand random(GetParam());
    Order order;
    QueueBench bench("hawserqueue");
    gst_pad_add_probe(
        bench.sink(),
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
        Order::on_data, &order, nullptr);
    bench.on_query([](GstQuery* query) { return GST_QUERY_TYPE(query) == GST_QUERY_DRAIN; });
    bench.set("max-size-buffers", 20u);
    ASSERT_NE(gst_element_set_state(bench.element(), GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    struct Input {
        GstPad* feeder;
        GstPad* pad;
        std::unique_ptr<Feeder> thread;
    };
    std::vector<Input> inputs;
    int ids = 0;
    const auto add = [&](GstPad* feeder, GstPad* pad) {
        inputs.push_back({feeder, pad, std::make_unique<Feeder>(feeder, ids, GetParam() + 7 * ids)});
        ++ids;
    };
    add(bench.src(), nullptr);
    for (int step = 0; step < kSteps; ++step) {
        ASSERT_LT(std::chrono::steady_clock::now() - start, kBound);
        // Something has to flow in between, where it can.
        const std::uint64_t before = order.seen;
        for (int i = 0; i < 200 && order.seen < before + 5; ++i) std::this_thread::yield();
        Input& any = inputs[random() % inputs.size()];
        switch (random() % 9) {
            case 0:
            case 1:
                any.thread->flush();
                break;
            case 2:
                gst_element_set_state(bench.element(),
                                      random() % 2 == 0 ? GST_STATE_READY : GST_STATE_PAUSED);
                gst_element_set_state(bench.element(), GST_STATE_PLAYING);
                break;
            case 3:
                bench.set("leaky", static_cast<int>(random() % 3));
                break;
            case 4:
                bench.set("max-size-buffers", static_cast<guint>(1 + random() % 50));
                bench.set("min-threshold-buffers", static_cast<guint>(random() % 2 == 0 ? 0 : random() % 40));
                break;
            case 5: {
                if (inputs.size() >= 4) break;
                GstPad* pad = nullptr;
                GstPad* feeder = bench.add_feeder(&pad);
                g_object_set(pad, "priority", static_cast<guint>(random() % 8), "max-latency",
                             random() % 2 == 0 ? GST_CLOCK_TIME_NONE : GST_MSECOND, nullptr);
                add(feeder, pad);
                break;
            }
            case 6:
                if (inputs.size() < 2) break;
                // Its thread may be in the middle of a push.
                gst_element_release_request_pad(bench.element(), inputs.back().pad);
                inputs.pop_back();
                break;
            case 7:
                bench.answer(random() % 2 == 0 ? GST_FLOW_EOS : GST_FLOW_ERROR);
                std::this_thread::yield();
                bench.answer(GST_FLOW_OK);
                break;
            default:
                EXPECT_LE(bench.buffers(), 1'000'000u);  // never below nothing
                stats_of(bench.element());
                break;
        }
    }
    bench.stop();  // releases who waits for room
    inputs.clear();
    EXPECT_EQ(bench.buffers(), 0u);
    EXPECT_EQ(bench.bytes(), 0u);
    EXPECT_EQ(order.wrong, 0u);
    EXPECT_GT(order.seen, 0u);
    RecordProperty("buffers", std::to_string(order.seen));
}

INSTANTIATE_TEST_SUITE_P(Seeds, QueueStress, ::testing::Values(1u, 20u, 300u, 4000u));

}  // namespace
}  // namespace hawser::test
