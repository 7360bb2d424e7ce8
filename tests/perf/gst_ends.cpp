#include "tests/perf/gst_ends.h"

#include <gst/gst.h>

#include <algorithm>
#include <cstring>

#include "tests/support/pipeline.h"

namespace hawser::perf {
namespace {

constexpr std::size_t kPooled = 16 * 1024;

GstBusSyncReply on_message(GstBus*, GstMessage* message, gpointer flow) {
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
        GError* error = nullptr;
        gchar* debug = nullptr;
        gst_message_parse_error(message, &error, &debug);
        static_cast<Flow*>(flow)->fail(std::string(GST_MESSAGE_SRC_NAME(message)) + ": " + error->message +
                                       " (" + (debug != nullptr ? debug : "") + ")");
        g_error_free(error);
        g_free(debug);
    }
    gst_message_unref(message);
    return GST_BUS_DROP;
}

// A pipeline of `description`, whose errors fail the flow.
class Line {
  public:
    Line(const std::string& description, Flow& flow) {
        GError* error = nullptr;
        pipeline_ = gst_pipeline_new(nullptr);
        GstElement* parsed =
            gst_parse_launch_full(description.c_str(), nullptr, GST_PARSE_FLAG_PLACE_IN_BIN, &error);
        if (error != nullptr) {
            flow.fail(description + ": " + error->message);
            g_clear_error(&error);
            return;
        }
        gst_bin_add(GST_BIN(pipeline_), parsed);
        GstBus* bus = gst_element_get_bus(pipeline_);
        gst_bus_set_sync_handler(bus, on_message, &flow, nullptr);
        gst_object_unref(bus);
    }
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;
    ~Line() {
        gst_element_set_state(pipeline_, GST_STATE_NULL);
        gst_object_unref(pipeline_);
    }
    GstElement* get(const char* name) const {  // borrowed
        GstElement* element = gst_bin_get_by_name(GST_BIN(pipeline_), name);
        if (element != nullptr) gst_object_unref(element);
        return element;
    }
    bool play() const {
        return gst_element_set_state(pipeline_, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE;
    }

  private:
    GstElement* pipeline_;
};

// Where objects come from.
class Maker {
  public:
    explicit Maker(const Load& load) : load_(load) {
        if (load.size < kPooled) return;
        pool_ = gst_buffer_pool_new();
        GstStructure* config = gst_buffer_pool_get_config(pool_);
        gst_buffer_pool_config_set_params(config, nullptr, static_cast<guint>(load.size), 0, 0);
        gst_buffer_pool_set_config(pool_, config);
        gst_buffer_pool_set_active(pool_, TRUE);
    }
    Maker(const Maker&) = delete;
    Maker& operator=(const Maker&) = delete;
    ~Maker() {
        if (pool_ == nullptr) return;
        gst_buffer_pool_set_active(pool_, FALSE);
        gst_object_unref(pool_);
    }
    GstBuffer* make(std::uint64_t index) {
        GstBuffer* buffer = nullptr;
        if (pool_ == nullptr) {
            buffer = gst_buffer_new_allocate(nullptr, load_.size, nullptr);
        } else {
            gst_buffer_pool_acquire_buffer(pool_, &buffer, nullptr);
            static const GQuark touched = g_quark_from_static_string("touched");
            if (gst_mini_object_get_qdata(GST_MINI_OBJECT(buffer), touched) == nullptr) {
                // Pages that were never written are all the same one, which would be too good to be true.
                gst_buffer_memset(buffer, 0, 0x5a, load_.size);
                gst_mini_object_set_qdata(GST_MINI_OBJECT(buffer), touched, buffer, nullptr);
            }
        }
        GST_BUFFER_PTS(buffer) =
            load_.rate > 0 ? static_cast<GstClockTime>(static_cast<double>(index) * 1e9 / load_.rate)
                           : index * 1000;
        const Stamp stamp{load_.rate > 0 ? now_ns() : 0, index};
        gst_buffer_fill(buffer, 0, &stamp, sizeof stamp);
        return buffer;
    }

  private:
    const Load& load_;
    GstBufferPool* pool_ = nullptr;
};

GstPad* make_source(GstPad* peer, const Load& load) {
    GstPad* pad = gst_pad_new("src", GST_PAD_SRC);
    gst_object_ref_sink(pad);
    gst_pad_set_active(pad, TRUE);
    gst_pad_link_full(pad, peer, GST_PAD_LINK_CHECK_NOTHING);
    gst_pad_push_event(pad, gst_event_new_stream_start("perf"));
    GstCaps* caps = gst_caps_from_string(load.caps.c_str());
    gst_pad_push_event(pad, gst_event_new_caps(caps));
    gst_caps_unref(caps);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(pad, gst_event_new_segment(&segment));
    return pad;
}

void push_all(GstPad* pad, const Load& load, Flow& flow, GstElement* sink = nullptr) {
    Maker maker(load);
    const std::int64_t begun = now_ns();
    std::uint64_t index = 0;
    for (; load.next(flow, index, begun); ++index) {
        if (load.break_at > 0 && index == load.break_at) g_signal_emit_by_name(sink, "reconnect");
        const GstFlowReturn result = gst_pad_push(pad, maker.make(index));
        if (result != GST_FLOW_OK) {
            flow.fail(std::string("push: ") + gst_flow_get_name(result));
            break;
        }
    }
    flow.sent = index;
    flow.stopped = true;
}

// What a bare sink pad needs to know.
struct Sink {
    Flow* flow;
    std::size_t size;
    bool objects;

    void take(GstBuffer* buffer) const {
        const std::size_t bytes = gst_buffer_get_size(buffer);
        if (objects) {
            Stamp stamp;
            gst_buffer_extract(buffer, 0, &stamp, sizeof stamp);
            flow->arrived(stamp, bytes == size, bytes);
        } else {
            flow->received_bytes.store(flow->received_bytes.load(std::memory_order_relaxed) + bytes,
                                       std::memory_order_release);
        }
    }
};

const Sink& sink_of(GstPad* pad) {
    return *static_cast<const Sink*>(gst_pad_get_element_private(pad));
}

GstFlowReturn on_buffer(GstPad* pad, GstObject*, GstBuffer* buffer) {
    sink_of(pad).take(buffer);
    gst_buffer_unref(buffer);
    return GST_FLOW_OK;
}

GstFlowReturn on_list(GstPad* pad, GstObject*, GstBufferList* list) {
    for (guint i = 0; i < gst_buffer_list_length(list); ++i) sink_of(pad).take(gst_buffer_list_get(list, i));
    gst_buffer_list_unref(list);
    return GST_FLOW_OK;
}

gboolean on_event(GstPad*, GstObject*, GstEvent* event) {
    gst_event_unref(event);
    return TRUE;
}

GstPad* make_sink(const Sink& sink) {
    GstPad* pad = gst_pad_new("sink", GST_PAD_SINK);
    gst_object_ref_sink(pad);
    gst_pad_set_element_private(pad, const_cast<Sink*>(&sink));
    gst_pad_set_chain_function(pad, on_buffer);
    gst_pad_set_chain_list_function(pad, on_list);
    gst_pad_set_event_function(pad, on_event);
    gst_pad_set_active(pad, TRUE);
    return pad;
}

void wait_finish(const Flow& flow) {
    wait_until(
        60, [&] { return flow.finish || flow.failed; }, kSeldom);
}

GstPad* sink_pad_of(GstElement* element) {
    GstPad* pad = gst_element_get_static_pad(element, "sink");
    return pad != nullptr ? pad : gst_element_request_pad_simple(element, "sink_%u");
}

void on_pad_added(GstElement*, GstPad* pad, gpointer sink) {
    if (!gst_pad_is_linked(static_cast<GstPad*>(sink)))
        gst_pad_link_full(pad, static_cast<GstPad*>(sink), GST_PAD_LINK_CHECK_NOTHING);
}

bool has(GstElement* element, const char* property) {
    return g_object_class_find_property(G_OBJECT_GET_CLASS(element), property) != nullptr;
}

}  // namespace

int gst_send(const std::string& description, const Load& load, Flow& flow) {
    test::init_gst();
    const Line line(description, flow);
    if (flow.failed) return 1;
    GstElement* sink = line.get("sink");
    GstPad* peer = sink_pad_of(line.get("in") != nullptr ? line.get("in") : sink);
    if (!line.play()) flow.fail(description + ": does not start");
    flow.ready = true;
    const char* clients = has(sink, "num-clients")   ? "num-clients"
                          : has(sink, "num-handles") ? "num-handles"
                                                     : nullptr;
    wait_until(20, [&] {
        guint count = 1;
        if (clients != nullptr) g_object_get(sink, clients, &count, nullptr);
        return count > 0 || flow.failed;
    });
    GstPad* pad = make_source(peer, load);
    push_all(pad, load, flow, sink);
    wait_finish(flow);
    gst_pad_set_active(pad, FALSE);
    gst_object_unref(pad);
    gst_object_unref(peer);
    return 0;
}

int gst_receive(const std::string& description, const Load& load, bool objects, Flow& flow) {
    test::init_gst();
    const Sink sink{&flow, load.size, objects};
    GstPad* pad = make_sink(sink);
    {
        const Line line(description, flow);
        if (flow.failed) return 1;
        GstElement* out = line.get("out");
        if (GstPad* src = gst_element_get_static_pad(out, "src")) {
            gst_pad_link_full(src, pad, GST_PAD_LINK_CHECK_NOTHING);
            gst_object_unref(src);
        } else {
            g_signal_connect(out, "pad-added", G_CALLBACK(on_pad_added), pad);
        }
        if (!line.play()) flow.fail(description + ": does not start");
        flow.ready = true;
        wait_finish(flow);
    }
    gst_object_unref(pad);
    return 0;
}

int gst_nothing_between(const Load& load, Flow& flow) {
    test::init_gst();
    const Sink sink{&flow, load.size, true};
    GstPad* end = make_sink(sink);
    flow.ready = true;
    GstPad* pad = make_source(end, load);
    push_all(pad, load, flow);
    wait_finish(flow);
    gst_object_unref(pad);
    gst_object_unref(end);
    return 0;
}

bool have_property(const std::string& element, const std::string& property) {
    Role role([&] {
        test::init_gst();
        GstElement* made = gst_element_factory_make(element.c_str(), nullptr);
        if (made == nullptr) return 1;
        return property.empty() || has(made, property.c_str()) ? 0 : 1;
    });
    return role.wait(60) == 0;
}

bool have_element(const std::string& name) {
    return have_property(name, "");
}

}  // namespace hawser::perf
