#include "tests/element/queue_bench.h"

namespace hawser::test {
bool has_old_levels() {
    guint major = 0, minor = 0, micro = 0, nano = 0;
    gst_version(&major, &minor, &micro, &nano);
    return major == 1 && minor < 23;
}

GstBuffer* make_buffer(guint64 pts, guint64 duration, gsize size) {
    GstBuffer* buffer = gst_buffer_new_allocate(nullptr, size, nullptr);
    gst_buffer_memset(buffer, 0, 0x5a, size);
    GST_BUFFER_PTS(buffer) = pts;
    GST_BUFFER_DURATION(buffer) = duration;
    return buffer;
}

QueueBench::QueueBench(const std::string& factory, bool linked) {
    queue_ = gst_element_factory_make(factory.c_str(), nullptr);
    if (!queue_) {
        ADD_FAILURE() << "no element " << factory;
        std::abort();
    }
    gst_object_ref_sink(queue_);
    bus_ = gst_bus_new();
    gst_element_set_bus(queue_, bus_);
    queue_src_ = gst_element_get_static_pad(queue_, "src");
    for (const char* name : {"underrun", "running", "overrun", "pushing"}) {
        Handler& handler = handlers_[name];
        handler.bench = this;
        handler.name = name;
        g_signal_connect(queue_, name, G_CALLBACK(on_emission), &handler);
    }
    GstPad* feeder = gst_pad_new("feeder", GST_PAD_SRC);
    gst_object_ref_sink(feeder);
    gst_pad_set_active(feeder, TRUE);
    GstPad* into = gst_element_get_static_pad(queue_, "sink");
    EXPECT_EQ(gst_pad_link(feeder, into), GST_PAD_LINK_OK);
    gst_object_unref(into);
    feeders_.push_back(feeder);
    if (linked) link();
}

QueueBench::~QueueBench() {
    unblock();
    stop();
    for (GstPad* feeder : feeders_) {
        gst_pad_set_active(feeder, FALSE);
        if (GstPad* peer = gst_pad_get_peer(feeder)) {
            gst_pad_unlink(feeder, peer);
            gst_object_unref(peer);
        }
        gst_object_unref(feeder);
    }
    if (sink_) {
        gst_pad_set_active(sink_, FALSE);
        gst_pad_unlink(queue_src_, sink_);
        gst_object_unref(sink_);
    }
    forget_output();
    gst_object_unref(queue_src_);
    gst_element_set_bus(queue_, nullptr);
    gst_object_unref(bus_);
    EXPECT_EQ(GST_OBJECT_REFCOUNT_VALUE(queue_), 1);
    gst_object_unref(queue_);
}

GstPad* QueueBench::make_sink() {
    GstPad* pad = gst_pad_new("taker", GST_PAD_SINK);
    gst_object_ref_sink(pad);
    gst_pad_set_element_private(pad, this);
    gst_pad_set_chain_function(pad, [](GstPad* taker, GstObject*, GstBuffer* buffer) {
        auto* self = static_cast<QueueBench*>(gst_pad_get_element_private(taker));
        self->take(GST_MINI_OBJECT_CAST(buffer));
        return self->flow_.load();
    });
    gst_pad_set_chain_list_function(pad, [](GstPad* taker, GstObject*, GstBufferList* list) {
        auto* self = static_cast<QueueBench*>(gst_pad_get_element_private(taker));
        self->take(GST_MINI_OBJECT_CAST(list));
        return self->flow_.load();
    });
    gst_pad_set_event_function(pad, [](GstPad* taker, GstObject*, GstEvent* event) -> gboolean {
        auto* self = static_cast<QueueBench*>(gst_pad_get_element_private(taker));
        self->take(GST_MINI_OBJECT_CAST(event));
        return TRUE;
    });
    gst_pad_set_query_function(pad, [](GstPad* taker, GstObject* parent, GstQuery* query) -> gboolean {
        auto* self = static_cast<QueueBench*>(gst_pad_get_element_private(taker));
        if (GST_QUERY_TYPE(query) == GST_QUERY_ACCEPT_CAPS) {
            gst_query_set_accept_caps_result(query, TRUE);
            return TRUE;
        }
        return self->query_ ? self->query_(query) : gst_pad_query_default(taker, parent, query);
    });
    return pad;
}

void QueueBench::link() {
    sink_ = make_sink();
    gst_pad_set_active(sink_, TRUE);
    ASSERT_EQ(gst_pad_link(queue_src_, sink_), GST_PAD_LINK_OK);
}

GstPad* QueueBench::add_feeder(GstPad** queue_pad) {
    GstPad* pad = gst_element_request_pad_simple(queue_, "sink_%u");
    if (!pad) {
        ADD_FAILURE() << "no request pad";
        std::abort();
    }
    GstPad* feeder = gst_pad_new(nullptr, GST_PAD_SRC);
    gst_object_ref_sink(feeder);
    gst_pad_set_active(feeder, TRUE);
    EXPECT_EQ(gst_pad_link(feeder, pad), GST_PAD_LINK_OK);
    feeders_.push_back(feeder);
    if (queue_pad) *queue_pad = pad;
    gst_object_unref(pad);
    return feeder;
}

void QueueBench::take(GstMiniObject* object) {
    const std::lock_guard lock(mutex_);
    output_.push_back({object});
    changed_.notify_all();
}

void QueueBench::on_emission(GstElement*, gpointer data) {
    auto* handler = static_cast<Handler*>(data);
    std::function<void()> extra;
    {
        const std::lock_guard lock(handler->bench->mutex_);
        ++handler->count;
        extra = handler->extra;
        handler->bench->changed_.notify_all();
    }
    if (extra) extra();
}

void QueueBench::on_signal(const std::string& name, std::function<void()> handler) {
    const std::lock_guard lock(mutex_);
    handlers_[name].extra = std::move(handler);
}

void QueueBench::on_query(std::function<bool(GstQuery*)> handler) {
    query_ = std::move(handler);
}

guint QueueBench::number(const char* property) const {
    guint value = 0;
    g_object_get(queue_, property, &value, nullptr);
    return value;
}

guint64 QueueBench::time() const {
    guint64 value = 0;
    g_object_get(queue_, "current-level-time", &value, nullptr);
    return value;
}

void QueueBench::play(bool blocked) {
    if (blocked) block();
    const int before = emitted("underrun");
    ASSERT_EQ(gst_element_set_state(queue_, GST_STATE_PLAYING), GST_STATE_CHANGE_SUCCESS);
    gboolean silent = FALSE;
    g_object_get(queue_, "silent", &silent, nullptr);
    if (!silent) {
        ASSERT_TRUE(wait_emitted("underrun", before + 1));
    }
}

void QueueBench::stop() {
    auto stopped =
        std::async(std::launch::async, [this] { return gst_element_set_state(queue_, GST_STATE_NULL); });
    if (stopped.wait_for(kLong) != std::future_status::ready) {
        std::fprintf(stderr, "the queue does not stop\n");
        std::abort();
    }
    EXPECT_EQ(stopped.get(), GST_STATE_CHANGE_SUCCESS);
}

void QueueBench::block() {
    if (!probe_)
        probe_ =
            gst_pad_add_probe(queue_src_, GST_PAD_PROBE_TYPE_BLOCK_DOWNSTREAM, nullptr, nullptr, nullptr);
}

void QueueBench::unblock() {
    if (probe_) gst_pad_remove_probe(queue_src_, std::exchange(probe_, 0));
}

void QueueBench::begin(GstFormat format, GstPad* from, const char* caps) {
    ASSERT_TRUE(push_event(gst_event_new_stream_start("bench"), from));
    if (caps) {
        GstCaps* parsed = gst_caps_from_string(caps);
        ASSERT_TRUE(push_event(gst_event_new_caps(parsed), from));
        gst_caps_unref(parsed);
    }
    GstSegment segment;
    gst_segment_init(&segment, format);
    ASSERT_TRUE(push_event(gst_event_new_segment(&segment), from));
}

GstFlowReturn QueueBench::push(GstBuffer* buffer, GstPad* from) {
    return gst_pad_push(from ? from : src(), buffer);
}

GstFlowReturn QueueBench::push_at(guint64 pts, guint64 duration, gsize size, GstPad* from) {
    return push(make_buffer(pts, duration, size), from);
}

bool QueueBench::push_event(GstEvent* event, GstPad* from) {
    return gst_pad_push_event(from ? from : src(), event);
}

std::future<GstFlowReturn> QueueBench::push_later(GstBuffer* buffer) {
    return std::async(std::launch::async, [this, buffer] { return push(buffer); });
}

int QueueBench::emitted(const std::string& signal) const {
    const std::lock_guard lock(mutex_);
    return handlers_.at(signal).count;
}

bool QueueBench::wait(const std::function<bool()>& done, Milliseconds bound) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, bound, done);
}

bool QueueBench::wait_emitted(const std::string& signal, int times) const {
    return wait([&] { return handlers_.at(signal).count >= times; });
}

std::vector<Output> QueueBench::output() const {
    const std::lock_guard lock(mutex_);
    return output_;
}

std::vector<GstBuffer*> QueueBench::output_buffers() const {
    std::vector<GstBuffer*> found;
    for (const Output& each : output())
        if (each.is_buffer()) found.push_back(each.buffer());
    return found;
}

std::vector<GstEventType> QueueBench::output_events() const {
    std::vector<GstEventType> found;
    for (const Output& each : output())
        if (GST_IS_EVENT(each.object)) found.push_back(GST_EVENT_TYPE(each.object));
    return found;
}

bool QueueBench::wait_output(std::size_t count) const {
    return wait([&] { return output_.size() >= count; });
}

bool QueueBench::wait_buffers(std::size_t count) const {
    return wait([&] {
        std::size_t have = 0;
        for (const Output& each : output_) {
            if (each.is_buffer()) ++have;
            if (each.is_list()) have += gst_buffer_list_length(each.list());
        }
        return have >= count;
    });
}

bool QueueBench::wait_event(GstEventType type, int times) const {
    return wait([&] {
        int have = 0;
        for (const Output& each : output_) have += each.is_event(type);
        return have >= times;
    });
}

void QueueBench::forget_output() {
    const std::lock_guard lock(mutex_);
    for (const Output& each : output_) gst_mini_object_unref(each.object);
    output_.clear();
}

Ref<GstMessage> QueueBench::wait_message(GstMessageType type, Milliseconds bound) {
    return Ref<GstMessage>(
        gst_bus_timed_pop_filtered(bus_, static_cast<GstClockTime>(bound.count()) * GST_MSECOND, type));
}

bool QueueBench::has_message(GstMessageType type) {
    return wait_message(type, Milliseconds(0)) != nullptr;
}

}  // namespace hawser::test
