#include "tests/support/link.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

namespace hawser::test {

Feeder::Feeder(GstElement* sink, const std::string& pad_name) : sink_(sink) {
    peer_ = gst_element_request_pad_simple(sink, pad_name.c_str());
    EXPECT_NE(peer_, nullptr) << "no request pad " << pad_name;
    pad_ = gst_pad_new(nullptr, GST_PAD_SRC);
    gst_object_ref_sink(pad_);
    gst_pad_set_element_private(pad_, this);
    gst_pad_set_event_function(pad_, &Feeder::on_event);
    gst_pad_set_query_function(pad_, &Feeder::on_query);
    gst_pad_set_active(pad_, TRUE);
    if (peer_ != nullptr) {
        EXPECT_EQ(gst_pad_link(pad_, peer_), GST_PAD_LINK_OK);
    }
}

Feeder::~Feeder() {
    gst_pad_set_active(pad_, FALSE);
    if (peer_ != nullptr) {
        gst_pad_unlink(pad_, peer_);
        gst_element_release_request_pad(sink_, peer_);
        gst_object_unref(peer_);
    }
    gst_object_unref(pad_);
    for (auto* event : upstream_) gst_event_unref(event);
}

void Feeder::start(const std::string& caps, const std::string& stream_id) {
    push_event(gst_event_new_stream_start(stream_id.c_str()));
    Ref<GstCaps> parsed(gst_caps_from_string(caps.c_str()));
    ASSERT_NE(parsed, nullptr) << caps;
    push_event(gst_event_new_caps(parsed.get()));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    push_event(gst_event_new_segment(&segment));
}

GstFlowReturn Feeder::push_bytes(std::size_t size, std::uint64_t seed, GstClockTime pts, bool key) {
    const auto bytes = random_bytes(size, seed);
    GstBuffer* buffer = gst_buffer_new_memdup(bytes.data(), bytes.size());
    GST_BUFFER_PTS(buffer) = pts;
    if (!key) GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
    remember(buffer);
    return push(buffer);
}

gboolean Feeder::on_event(GstPad* pad, GstObject*, GstEvent* event) {
    auto* self = static_cast<Feeder*>(gst_pad_get_element_private(pad));
    std::lock_guard lock(self->mutex_);
    self->upstream_.push_back(event);
    self->changed_.notify_all();
    return TRUE;
}

gboolean Feeder::on_query(GstPad* pad, GstObject* parent, GstQuery* query) {
    auto* self = static_cast<Feeder*>(gst_pad_get_element_private(pad));
    if (GST_QUERY_TYPE(query) == GST_QUERY_LATENCY) {
        gst_query_set_latency(query, self->live_, 0, GST_CLOCK_TIME_NONE);
        return TRUE;
    }
    return gst_pad_query_default(pad, parent, query);
}

bool Feeder::wait_upstream(GstEventType type, Milliseconds bound, const std::string& structure) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, bound, [&] {
        return std::any_of(upstream_.begin(), upstream_.end(), [&](GstEvent* event) {
            return GST_EVENT_TYPE(event) == type &&
                   (structure.empty() || gst_event_has_name(event, structure.c_str()));
        });
    });
}

std::size_t Feeder::upstream_count(GstEventType type) const {
    std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(
        upstream_.begin(), upstream_.end(), [&](GstEvent* event) { return GST_EVENT_TYPE(event) == type; }));
}

Sender::Sender(const std::string& properties) : pipeline("hawsersink name=sink " + properties) {
    sink = pipeline.get("sink");
}

Sender::~Sender() {
    pipeline.stop();
    feeders_.clear();
}

Feeder& Sender::pad(const std::string& name) {
    auto& feeder = feeders_[name];
    if (!feeder) feeder = std::make_unique<Feeder>(sink, name);
    return *feeder;
}

void Sender::play() {
    pipeline.play();
    if (property_text(sink, "mode") == "listener") {
        EXPECT_TRUE(wait_property(sink, "current-port", kSoon, [this] { return port() > 0; }))
            << "no current-port\n"
            << pipeline.log();
    }
}

int Sender::port() const {
    guint port = 0;
    g_object_get(sink, "current-port", &port, nullptr);
    return static_cast<int>(port);
}

std::string Sender::uri(const std::string& stream, const std::string& query) const {
    return "hawser://127.0.0.1:" + std::to_string(port()) + stream + (query.empty() ? "" : "?" + query);
}

bool Sender::wait_clients(unsigned count, Milliseconds bound) const {
    return wait_property(sink, "num-clients", bound, [&] {
        guint clients = 0;
        g_object_get(sink, "num-clients", &clients, nullptr);
        return clients == count;
    });
}

Receiver::Receiver(const std::string& properties, bool keep)
    : pipeline("hawsersrc name=src " + properties), keep_(keep) {
    src = pipeline.get("src");
    g_signal_connect(src, "pad-added", G_CALLBACK(&Receiver::on_pad_added), this);
    g_signal_connect(src, "pad-removed", G_CALLBACK(&Receiver::on_pad_removed), this);
    g_signal_connect(src, "no-more-pads", G_CALLBACK(&Receiver::on_no_more_pads), this);
}

Receiver::~Receiver() {
    pipeline.stop();
    g_signal_handlers_disconnect_by_data(src, this);
}

void Receiver::on_pad_added(GstElement*, GstPad* pad, gpointer data) {
    auto* self = static_cast<Receiver*>(data);
    auto recorder = Recorder::attach(pad, self->keep_);
    GstElement* end = gst_element_factory_make("fakesink", nullptr);
    g_object_set(end, "sync", FALSE, "async", FALSE, "enable-last-sample", FALSE, nullptr);
    gst_bin_add(GST_BIN(self->pipeline.element()), end);
    gst_element_sync_state_with_parent(end);
    Ref<GstPad> sink_pad(gst_element_get_static_pad(end, "sink"));
    EXPECT_EQ(gst_pad_link(pad, sink_pad.get()), GST_PAD_LINK_OK);
    std::lock_guard lock(self->mutex_);
    self->tracks_[GST_OBJECT_NAME(pad)] = recorder;
    self->added_.push_back(GST_OBJECT_NAME(pad));
    self->changed_.notify_all();
}

void Receiver::on_pad_removed(GstElement*, GstPad* pad, gpointer data) {
    auto* self = static_cast<Receiver*>(data);
    std::lock_guard lock(self->mutex_);
    self->removed_.push_back(GST_OBJECT_NAME(pad));
    self->changed_.notify_all();
}

void Receiver::on_no_more_pads(GstElement*, gpointer data) {
    auto* self = static_cast<Receiver*>(data);
    std::lock_guard lock(self->mutex_);
    self->no_more_pads_ = true;
    self->changed_.notify_all();
}

std::shared_ptr<Recorder> Receiver::track(const std::string& name, Milliseconds bound) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, bound, [&] { return tracks_.count(name) > 0; })) {
        std::string have;
        for (const auto& pad : added_) have += " " + pad;
        lock.unlock();
        ADD_FAILURE() << "no pad \"" << name << "\" within " << bound.count() << " ms; there are:" << have
                      << "\n"
                      << pipeline.log();
        return nullptr;
    }
    return tracks_[name];
}

std::vector<std::string> Receiver::pads_added() const {
    std::lock_guard lock(mutex_);
    return added_;
}

std::vector<std::string> Receiver::pads_removed() const {
    std::lock_guard lock(mutex_);
    return removed_;
}

bool Receiver::wait_pads(std::size_t count, Milliseconds bound) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, bound, [&] { return added_.size() >= count; });
}

bool Receiver::wait_no_more_pads(Milliseconds bound) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, bound, [&] { return no_more_pads_; });
}

std::vector<BufferInfo> run_to_end(const std::string& description, Milliseconds bound) {
    Pipeline pipeline(description);
    auto recorder = pipeline.record("end");
    pipeline.play();
    EXPECT_TRUE(pipeline.wait_eos(bound)) << description << "\n" << pipeline.log();
    return recorder->buffers();
}

std::string property_text(GstElement* element, const char* name) {
    GParamSpec* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), name);
    if (spec == nullptr) {
        ADD_FAILURE() << "no property " << name;
        return "";
    }
    GValue value = G_VALUE_INIT;
    g_value_init(&value, spec->value_type);
    g_object_get_property(G_OBJECT(element), name, &value);
    gchar* raw = G_VALUE_HOLDS_STRING(&value) ? g_value_dup_string(&value) : gst_value_serialize(&value);
    std::string text(raw != nullptr ? raw : "");
    g_free(raw);
    g_value_unset(&value);
    return text;
}

namespace {

struct Notified {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t count = 0;
};

}  // namespace

bool eventually(Milliseconds bound, const std::function<bool()>& is_it) {
    const auto end = std::chrono::steady_clock::now() + bound;
    while (!is_it()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::yield();
    }
    return true;
}

bool wait_property(GstElement* element, const char* property, Milliseconds bound,
                   const std::function<bool()>& is_it) {
    auto notified = std::make_shared<Notified>();
    auto* held = new std::shared_ptr<Notified>(notified);
    const std::string signal = std::string("notify::") + property;
    const gulong id = g_signal_connect_data(
        element, signal.c_str(), G_CALLBACK(+[](GObject*, GParamSpec*, gpointer data) {
            auto& seen = **static_cast<std::shared_ptr<Notified>*>(data);
            std::lock_guard lock(seen.mutex);
            ++seen.count;
            seen.changed.notify_all();
        }),
        held, [](gpointer data, GClosure*) { delete static_cast<std::shared_ptr<Notified>*>(data); },
        static_cast<GConnectFlags>(0));
    const auto until = std::chrono::steady_clock::now() + bound;
    bool good = is_it();
    std::size_t seen = 0;
    while (!good) {
        {
            std::unique_lock lock(notified->mutex);
            if (!notified->changed.wait_until(lock, until, [&] { return notified->count != seen; })) break;
            seen = notified->count;
        }
        good = is_it();
    }
    g_signal_handler_disconnect(element, id);
    return good;
}

}  // namespace hawser::test
