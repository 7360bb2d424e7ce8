// Pipelines inside the test program, everything they do recorded: buffers and events by pad, messages by bus.
// All waits are for an event, with a bound.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/media.h"

namespace hawser::test {

using Milliseconds = std::chrono::milliseconds;
// Long enough for a loaded machine, short enough to be bearable when something hangs.
constexpr Milliseconds kSoon{5000};
constexpr Milliseconds kLong{30000};

// gst_init() with the test environment; may be called again and again.
void init_gst();

struct Unref {
    void operator()(GstElement* p) const { gst_object_unref(p); }
    void operator()(GstPad* p) const { gst_object_unref(p); }
    void operator()(GstMessage* p) const { gst_message_unref(p); }
    void operator()(GstEvent* p) const { gst_event_unref(p); }
    void operator()(GstBuffer* p) const { gst_buffer_unref(p); }
    void operator()(GstCaps* p) const { gst_caps_unref(p); }
    void operator()(GstStructure* p) const { gst_structure_free(p); }
};
template <class T>
using Ref = std::unique_ptr<T, Unref>;

// A structure's fields as the tests read them. Missing fields fail the test.
class Stats {
  public:
    Stats() = default;
    explicit Stats(GstStructure* adopt) : structure_(adopt) {}
    std::uint64_t number(const char* field) const;  // any integer type
    bool has(const char* field) const;
    std::string string(const char* field) const;
    // The structures in an array field ("tracks", "client-stats").
    std::vector<Stats> array(const char* field) const;
    std::string text() const;
    const GstStructure* get() const { return structure_.get(); }

  private:
    Ref<GstStructure> structure_;
};
Stats stats_of(GstElement* element, const char* property = "stats");

// Watches one pad: every buffer and every downstream event, in order. Sticky events that are on a src pad
// already are seen as they go to the peer that is linked next.
class Recorder {
  public:
    struct EventInfo {
        GstEventType type;
        std::string name;        // gst_event_type_get_name, or the structure's name for custom ones
        std::string text;        // its structure
        std::size_t before = 0;  // how many buffers came before it
        std::shared_ptr<GstEvent> event;
    };

    // Installs itself on `pad`; lives as long as somebody needs it. `keep` holds references to the buffers.
    static std::shared_ptr<Recorder> attach(GstPad* pad, bool keep = false);
    ~Recorder();

    std::string pad_name() const { return name_; }
    GstPad* pad() const { return pad_; }

    std::vector<BufferInfo> buffers() const;
    // When each of them came.
    std::vector<std::chrono::steady_clock::time_point> arrivals() const;
    std::vector<EventInfo> events() const;
    std::vector<EventInfo> events(GstEventType type) const;
    std::vector<std::shared_ptr<GstBuffer>> kept() const;
    std::size_t count() const;
    std::size_t bytes() const;

    bool wait_count(std::size_t count, Milliseconds bound) const;
    bool wait_event(GstEventType type, Milliseconds bound) const;
    bool wait_custom(const std::string& name, Milliseconds bound) const;
    bool wait_eos(Milliseconds bound) const { return wait_event(GST_EVENT_EOS, bound); }
    bool wait(Milliseconds bound, const std::function<bool(const Recorder&)>& true_when) const;

    // Delays each buffer by so much in the streaming thread: a slow consumer.
    void slow_down(Milliseconds each) { slow_.store(each.count()); }
    // All further buffers block the streaming thread until release().
    void hold(bool on);

  private:
    explicit Recorder(GstPad* pad, bool keep);
    static GstPadProbeReturn on_data(GstPad* pad, GstPadProbeInfo* info, gpointer self);
    GstPadProbeReturn see(GstPad* pad, GstPadProbeInfo* info);
    void see_buffer(GstBuffer* buffer);

    const std::string name_;
    GstPad* pad_;
    const bool keep_;
    std::atomic<long> slow_{0};
    mutable std::recursive_mutex mutex_;
    mutable std::condition_variable_any changed_;
    std::vector<BufferInfo> buffers_;
    std::vector<std::chrono::steady_clock::time_point> arrivals_;
    std::vector<EventInfo> events_;
    std::vector<std::shared_ptr<GstBuffer>> kept_;
    GstSegment segment_;
    bool have_segment_ = false;
    bool held_ = false;
};

struct ErrorInfo {
    std::string text, debug, domain, source;
    int code = 0;
};

// Owns a GstPipeline and drains its bus in a thread. Its destructor takes it to NULL.
class Pipeline {
  public:
    // Elements as in gst-launch-1.0. Fails the test (and is empty) where it cannot be parsed.
    explicit Pipeline(const std::string& description = "");
    Pipeline(const Pipeline&) = delete;
    Pipeline& operator=(const Pipeline&) = delete;
    ~Pipeline();

    GstElement* element() const { return pipeline_; }
    // Borrowed; valid as long as the pipeline. Fails the test where there is none.
    GstElement* get(const std::string& name) const;
    // Makes an element, adds it, borrowed. `properties` as in gst-launch ("sync=false").
    GstElement* add(const std::string& factory, const std::string& name = "");

    GstStateChangeReturn set_state(GstState state);
    void play();
    // Waits for `state` to be reached.
    bool wait_state(GstState state, Milliseconds bound);
    // To NULL: how long that took. Aborts the program where it does not return within 15 s.
    Milliseconds stop();

    std::shared_ptr<Recorder> record(const std::string& element, const std::string& pad = "sink",
                                     bool keep = false);

    // Messages, from the beginning of the pipeline's life.
    bool wait_message(Milliseconds bound, const std::function<bool(GstMessage*)>& is_it);
    std::optional<ErrorInfo> wait_error(Milliseconds bound);
    bool wait_eos(Milliseconds bound);
    // An element message with this structure name, the `nth` of them (from 1).
    std::optional<Stats> wait_element(const std::string& structure, Milliseconds bound, std::size_t nth = 1);
    // A hawser-state message that names this state; of the element `from` where that is not empty.
    bool wait_hawser_state(const std::string& state, Milliseconds bound, const std::string& from = "");
    std::vector<ErrorInfo> errors() const;
    std::vector<ErrorInfo> warnings() const;
    std::vector<Stats> element_messages(const std::string& structure) const;
    bool has_eos() const;
    // Errors, warnings and element messages as text, for failures.
    std::string log() const;

  private:
    void drain_bus();

    GstElement* pipeline_ = nullptr;
    GstBus* bus_ = nullptr;
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::vector<GstMessage*> messages_;
    bool ending_ = false;
    std::thread bus_thread_;
};

}  // namespace hawser::test
