// A queue on the bench: the test pushes into it, and records what comes out.
#pragma once

#include <gst/gst.h>
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <map>
#include <string>
#include <vector>

#include "tests/support/pipeline.h"

namespace hawser::test {

// Whether GStreamer's queue counts levels as it did before 1.24.
bool has_old_levels();

// One thing that came out of the queue's src pad, referenced.
struct Output {
    GstMiniObject* object = nullptr;
    bool is_buffer() const { return GST_IS_BUFFER(object); }
    bool is_list() const { return GST_IS_BUFFER_LIST(object); }
    bool is_event(GstEventType type) const { return GST_IS_EVENT(object) && GST_EVENT_TYPE(object) == type; }
    GstBuffer* buffer() const { return GST_BUFFER_CAST(object); }
    GstBufferList* list() const { return GST_BUFFER_LIST_CAST(object); }
    GstEvent* event() const { return GST_EVENT_CAST(object); }
};

class QueueBench {
  public:
    // An element of that name, not yet started. Its sink pad is linked, its src pad if `linked`.
    explicit QueueBench(const std::string& factory, bool linked = true);
    ~QueueBench();
    QueueBench(const QueueBench&) = delete;
    QueueBench& operator=(const QueueBench&) = delete;

    GstElement* element() const { return queue_; }
    GstPad* src() const { return feeders_.front(); }  // the test's; pushes into `sink`
    GstPad* sink() const { return sink_; }            // the test's; takes from `src`
    GstPad* queue_src() const { return queue_src_; }
    // Another of the test's pads, linked to a new request pad.
    GstPad* add_feeder(GstPad** queue_pad = nullptr);

    template <typename T>
    void set(const char* property, T value) {
        g_object_set(queue_, property, value, nullptr);
    }
    guint buffers() const { return number("current-level-buffers"); }
    guint bytes() const { return number("current-level-bytes"); }
    guint64 time() const;

    // To PLAYING. The src pad blocks first where `blocked`; returns once the queue has found itself empty.
    void play(bool blocked = false);
    void stop();
    void block();
    void unblock();
    void link();  // where it was not

    // stream-start, (caps,) segment.
    void begin(GstFormat format = GST_FORMAT_TIME, GstPad* from = nullptr, const char* caps = nullptr);
    GstFlowReturn push(GstBuffer* buffer, GstPad* from = nullptr);
    GstFlowReturn push_at(guint64 pts, guint64 duration = GST_CLOCK_TIME_NONE, gsize size = 4,
                          GstPad* from = nullptr);
    bool push_event(GstEvent* event, GstPad* from = nullptr);
    // In another thread.
    std::future<GstFlowReturn> push_later(GstBuffer* buffer);

    // What the test's sink pad answers to buffers and queries from now on.
    void answer(GstFlowReturn flow) { flow_ = flow; }
    void on_query(std::function<bool(GstQuery*)> handler);
    void on_signal(const std::string& name, std::function<void()> handler);

    int emitted(const std::string& signal) const;
    bool wait_emitted(const std::string& signal, int times) const;
    std::vector<Output> output() const;
    std::vector<GstBuffer*> output_buffers() const;
    std::vector<GstEventType> output_events() const;
    bool wait_output(std::size_t count) const;
    bool wait_buffers(std::size_t count) const;
    bool wait_event(GstEventType type, int times = 1) const;
    bool wait(const std::function<bool()>& done, Milliseconds bound = kSoon) const;
    void forget_output();
    // The next message of this type; null where there is none in time.
    Ref<GstMessage> wait_message(GstMessageType type, Milliseconds bound = kSoon);
    bool has_message(GstMessageType type);

  private:
    struct Handler {
        QueueBench* bench;
        std::string name;
        int count = 0;
        std::function<void()> extra;
    };
    guint number(const char* property) const;
    GstPad* make_sink();
    void take(GstMiniObject* object);
    static void on_emission(GstElement*, gpointer handler);

    GstElement* queue_ = nullptr;
    GstBus* bus_ = nullptr;
    GstPad* queue_src_ = nullptr;
    GstPad* sink_ = nullptr;
    std::vector<GstPad*> feeders_;
    gulong probe_ = 0;
    std::atomic<GstFlowReturn> flow_{GST_FLOW_OK};
    std::function<bool(GstQuery*)> query_;

    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::map<std::string, Handler> handlers_;
    std::vector<Output> output_;
};

GstBuffer* make_buffer(guint64 pts, guint64 duration = GST_CLOCK_TIME_NONE, gsize size = 4);

// The element's name is the parameter: what holds for the one has to hold for the other.
class AnyQueue : public ::testing::TestWithParam<const char*> {
  protected:
    void SetUp() override { init_gst(); }
};

#define HAWSER_FOR_ANY_QUEUE(suite)                                              \
    INSTANTIATE_TEST_SUITE_P(, suite, ::testing::Values("queue", "hawserqueue"), \
                             [](const auto& which) { return std::string(which.param); })

}  // namespace hawser::test
