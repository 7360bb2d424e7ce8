#include "runtime/worker/ports.h"

#include <utility>

namespace hawser::worker {

Ports::Ports(GstElement* pipeline, bool receives, bool sends, std::function<void()> on_first)
    : pipeline_(pipeline), on_first_(std::move(on_first)) {
    if (receives) in_ = gst_bin_get_by_name(GST_BIN(pipeline), "in");
    if (sends) out_ = gst_bin_get_by_name(GST_BIN(pipeline), "out");
    if (in_) watch_end(in_, GST_PAD_SRC);
    if (out_) watch_end(out_, GST_PAD_SINK);
    if (in_ || out_) return;
    g_signal_connect(pipeline, "deep-element-added", G_CALLBACK(on_element_added), this);
    watch_sinks(GST_BIN(pipeline));
}

Ports::~Ports() {
    g_signal_handlers_disconnect_by_data(pipeline_, this);
    for (GstElement* end : {in_, out_}) {
        if (!end) continue;
        g_signal_handlers_disconnect_by_data(end, this);
        gst_object_unref(end);
    }
}

void Ports::watch_end(GstElement* end, GstPadDirection direction) {
    g_signal_connect(end, "pad-added", G_CALLBACK(on_pad_added), this);
    GST_OBJECT_LOCK(end);
    GList* pads = g_list_copy_deep(
        direction == GST_PAD_SRC ? end->srcpads : end->sinkpads,
        [](gconstpointer pad, gpointer) -> gpointer { return gst_object_ref(const_cast<gpointer>(pad)); },
        nullptr);
    GST_OBJECT_UNLOCK(end);
    for (GList* at = pads; at; at = at->next) watch_pad(GST_PAD(at->data));
    g_list_free_full(pads, gst_object_unref);
}

void Ports::watch_sinks(GstBin* bin) {
    GstIterator* sinks = gst_bin_iterate_recurse(bin);
    GValue item = G_VALUE_INIT;
    while (gst_iterator_next(sinks, &item) == GST_ITERATOR_OK) {
        on_element_added(bin, bin, GST_ELEMENT(g_value_get_object(&item)), this);
        g_value_reset(&item);
    }
    g_value_unset(&item);
    gst_iterator_free(sinks);
}

void Ports::watch_pad(GstPad* pad) {
    gst_pad_add_probe(
        pad, static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
        on_buffer, this, nullptr);
    GstElement* parent = gst_pad_get_parent_element(pad);
    if (!parent) return;
    if (parent == out_) gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_event, this, nullptr);
    gst_object_unref(parent);
}

void Ports::on_pad_added(GstElement*, GstPad* pad, gpointer self) {
    static_cast<Ports*>(self)->watch_pad(pad);
}

// Real sinks only: a bin's flag says that it contains one, which comes by itself.
void Ports::on_element_added(GstBin*, GstBin*, GstElement* element, gpointer self) {
    if (GST_IS_BIN(element) || !GST_OBJECT_FLAG_IS_SET(element, GST_ELEMENT_FLAG_SINK)) return;
    static_cast<Ports*>(self)->watch_end(element, GST_PAD_SINK);
}

void Ports::count(std::uint64_t objects, std::uint64_t bytes) {
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
    if (objects_.fetch_add(objects, std::memory_order_relaxed) == 0) on_first_();
}

GstPadProbeReturn Ports::on_event(GstPad*, GstPadProbeInfo* info, gpointer self) {
    const bool held = GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_EOS &&
                      static_cast<Ports*>(self)->hold_eos_.load(std::memory_order_acquire);
    return held ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
}

GstPadProbeReturn Ports::on_buffer(GstPad*, GstPadProbeInfo* info, gpointer self) {
    auto& ports = *static_cast<Ports*>(self);
    if (info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST) {
        GstBufferList* list = GST_PAD_PROBE_INFO_BUFFER_LIST(info);
        if (const guint length = gst_buffer_list_length(list))
            ports.count(length, gst_buffer_list_calculate_size(list));
    } else {
        ports.count(1, gst_buffer_get_size(GST_PAD_PROBE_INFO_BUFFER(info)));
    }
    return GST_PAD_PROBE_OK;
}

}  // namespace hawser::worker
