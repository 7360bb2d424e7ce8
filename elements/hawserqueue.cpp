/**
 * SECTION:element-hawserqueue
 * @title: hawserqueue
 * @see_also: queue, hawsersink
 *
 * Decouples two parts of a pipeline, as #queue does, whose properties, signals and behaviour it has: where a
 * pipeline says `queue`, it can say `hawserqueue`. It costs less a buffer: a buffer goes through a ring
 * instead of a lock, and nobody is woken who is awake.
 *
 * With request pads `sink_%u` it also merges streams that share what is behind it, the more urgent first: in
 * strict classes (#HawserQueuePad:priority), in a class by deadline (#HawserQueuePad:max-latency), else in
 * turn. A buffer past its deadline is dropped, and with it the delta units that need it. Each pad has a queue
 * of its own, as large as the properties say.
 *
 * The streams that come in make one that goes out: with the stream-start of the first, caps and segment
 * whenever they change from one buffer to the next, and EOS when all have ended.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=300 ! hawserqueue leaky=downstream ! videoconvert ! autovideosink
 * ]| Drops old frames where the display does not keep up.
 * |[
 * gst-launch-1.0 audiotestsrc num-buffers=500 ! mulawenc ! rtppcmupay ! q.sink_0
 *     videotestsrc num-buffers=300 ! jpegenc ! rtpjpegpay ! q.sink_1
 *     hawserqueue name=q sink_0::priority=1 sink_1::max-latency=200000000 ! udpsink port=5004
 * ]| Sends two RTP streams to one port: the audio first, and no picture that has waited for more than 200 ms.
 *
 * Since: 0.1
 */
#include "elements/hawserqueue.h"

#include <array>
#include <cstring>
#include <string>

#include "elements/gst_ptr.h"
#include "elements/queue_core.h"
#include "elements/queue_pad.h"
#include "elements/queue_properties.h"

using namespace hawser;
using namespace hawser::elements;

struct _HawserQueue {
    GstElement parent;
    GstPad* sink;
    GstPad* src;
    QueueCore* core;
    guint next_pad;  // object lock
};

GST_DEBUG_CATEGORY_STATIC(hawser_queue_debug);
#define GST_CAT_DEFAULT hawser_queue_debug

namespace {

std::array<guint, kQueueSignals> signal_ids;

GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
GstStaticPadTemplate numbered_template =
    GST_STATIC_PAD_TEMPLATE("sink_%u", GST_PAD_SINK, GST_PAD_REQUEST, GST_STATIC_CAPS_ANY);
GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

void hawser_queue_child_proxy_init(gpointer iface, gpointer);

}  // namespace

G_DEFINE_FINAL_TYPE_WITH_CODE(HawserQueue, hawser_queue, GST_TYPE_ELEMENT,
                              G_IMPLEMENT_INTERFACE(GST_TYPE_CHILD_PROXY, hawser_queue_child_proxy_init)
                                  GST_DEBUG_CATEGORY_INIT(hawser_queue_debug, "hawserqueue", 0,
                                                          "Hawser queue"))
GST_ELEMENT_REGISTER_DEFINE(hawserqueue, "hawserqueue", GST_RANK_NONE, HAWSER_TYPE_QUEUE)

namespace {

void hawser_queue_set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
    if (!set_queue_property(*HAWSER_QUEUE(object)->core, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
}

void hawser_queue_get_property(GObject* object, guint id, GValue* value, GParamSpec* spec) {
    if (!get_queue_property(*HAWSER_QUEUE(object)->core, id, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
}

// ---- The src pad

gboolean on_src_event(GstPad* pad, GstObject* parent, GstEvent* event) {
    if (GST_EVENT_TYPE(event) == GST_EVENT_RECONFIGURE) HAWSER_QUEUE(parent)->core->reconfigured();
    return gst_pad_event_default(pad, parent, event);
}

void add_latency(const QueueSettings& settings, GstQuery* query) {
    gboolean live = FALSE;
    GstClockTime min = 0;
    GstClockTime max = 0;
    gst_query_parse_latency(query, &live, &min, &max);
    const GstClockTime bound = settings.max.time;
    // Without a bound in time there is none that could be told.
    if (bound == 0)
        max = GST_CLOCK_TIME_NONE;
    else if (settings.leaky.load() != QueueLeak::No)
        max = std::max(bound, max);
    else if (GST_CLOCK_TIME_IS_VALID(max))
        max += bound;
    min += settings.min.time;
    gst_query_set_latency(query, live, min, max);
}

// Upstream's position is that of what goes in.
void subtract_level(const QueueCore& core, GstQuery* query) {
    GstFormat format = GST_FORMAT_UNDEFINED;
    gint64 position = 0;
    gst_query_parse_position(query, &format, &position);
    const ring::Fill level = core.level();
    if (format == GST_FORMAT_BYTES)
        position -= static_cast<gint64>(level.bytes);
    else if (format == GST_FORMAT_TIME)
        position -= static_cast<gint64>(level.time);
    else
        return;
    gst_query_set_position(query, format, std::max<gint64>(position, 0));
}

gboolean on_src_query(GstPad* pad, GstObject* parent, GstQuery* query) {
    const QueueCore& core = *HAWSER_QUEUE(parent)->core;
    if (GST_QUERY_TYPE(query) == GST_QUERY_SCHEDULING) {
        gst_query_add_scheduling_mode(query, GST_PAD_MODE_PUSH);
        return TRUE;
    }
    if (!gst_pad_query_default(pad, parent, query)) return FALSE;
    if (GST_QUERY_TYPE(query) == GST_QUERY_LATENCY) add_latency(core.settings, query);
    if (GST_QUERY_TYPE(query) == GST_QUERY_POSITION) subtract_level(core, query);
    return TRUE;
}

gboolean on_src_activate(GstPad*, GstObject* parent, GstPadMode mode, gboolean active) {
    return mode == GST_PAD_MODE_PUSH && HAWSER_QUEUE(parent)->core->activate_src(active);
}

// ---- Request pads

std::string free_name(HawserQueue* queue, const gchar* wanted) {
    if (wanted && *wanted && !std::strchr(wanted, '%')) return wanted;
    for (;;) {
        std::string name;
        {
            const ObjectLock lock(queue);
            name = "sink_" + std::to_string(queue->next_pad++);
        }
        if (!Ptr<GstPad>::adopt(gst_element_get_static_pad(GST_ELEMENT(queue), name.c_str()))) return name;
    }
}

GstPad* hawser_queue_request_new_pad(GstElement* element, GstPadTemplate* pad_template, const gchar* wanted,
                                     const GstCaps*) {
    HawserQueue* queue = HAWSER_QUEUE(element);
    const std::string name = free_name(queue, wanted);
    if (Ptr<GstPad>::adopt(gst_element_get_static_pad(element, name.c_str()))) {
        GST_ERROR_OBJECT(queue, "there is a pad %s already", name.c_str());
        return nullptr;
    }
    GstPad* pad = GST_PAD(make_queue_pad(name.c_str(), pad_template, *queue->core));
    if (GST_STATE(queue) > GST_STATE_READY || GST_STATE_NEXT(queue) == GST_STATE_PAUSED)
        gst_pad_set_active(pad, TRUE);
    if (!gst_element_add_pad(element, pad)) return nullptr;
    gst_child_proxy_child_added(GST_CHILD_PROXY(queue), G_OBJECT(pad), name.c_str());
    return pad;
}

void hawser_queue_release_pad(GstElement* element, GstPad* released) {
    HawserQueue* queue = HAWSER_QUEUE(element);
    const auto pad = Ptr<GstPad>::ref(released);
    const GText name(gst_object_get_name(GST_OBJECT(released)));
    queue->core->remove_input(input_of(HAWSER_QUEUE_PAD(released)));
    gst_child_proxy_child_removed(GST_CHILD_PROXY(queue), G_OBJECT(released), name.get());
    gst_element_remove_pad(element, released);
}

// ---- Children: the sink pads

GObject* hawser_queue_child_by_index(GstChildProxy* proxy, guint index) {
    const ObjectLock lock(proxy);
    gpointer pad = g_list_nth_data(GST_ELEMENT(proxy)->sinkpads, index);
    return pad ? static_cast<GObject*>(g_object_ref(pad)) : nullptr;
}

guint hawser_queue_children_count(GstChildProxy* proxy) {
    const ObjectLock lock(proxy);
    return GST_ELEMENT(proxy)->numsinkpads;
}

void hawser_queue_child_proxy_init(gpointer iface, gpointer) {
    auto* proxy = static_cast<GstChildProxyInterface*>(iface);
    proxy->get_child_by_index = hawser_queue_child_by_index;
    proxy->get_children_count = hawser_queue_children_count;
}

void hawser_queue_finalize(GObject* object) {
    HawserQueue* queue = HAWSER_QUEUE(object);
    delete queue->core;
    G_OBJECT_CLASS(hawser_queue_parent_class)->finalize(object);
}

}  // namespace

static void hawser_queue_class_init(HawserQueueClass* klass) {
    GObjectClass* object = G_OBJECT_CLASS(klass);
    object->set_property = hawser_queue_set_property;
    object->get_property = hawser_queue_get_property;
    object->finalize = hawser_queue_finalize;
    install_queue_properties(object);
    signal_ids = install_queue_signals(G_TYPE_FROM_CLASS(klass));

    GstElementClass* element = GST_ELEMENT_CLASS(klass);
    element->request_new_pad = hawser_queue_request_new_pad;
    element->release_pad = hawser_queue_release_pad;
    gst_element_class_add_static_pad_template(element, &src_template);
    // The first that fits is the one that linking without a name asks for, when no pad there is is free.
    gst_element_class_add_static_pad_template_with_gtype(element, &numbered_template, HAWSER_TYPE_QUEUE_PAD);
    gst_element_class_add_static_pad_template_with_gtype(element, &sink_template, HAWSER_TYPE_QUEUE_PAD);
    gst_element_class_set_static_metadata(
        element, "Hawser queue", "Generic",
        "Data queue without a lock; with several sink pads, in the order of their urgency",
        "The Hawser authors");
    gst_type_mark_as_plugin_api(queue_leaky_type(), static_cast<GstPluginAPIFlags>(0));
    gst_type_mark_as_plugin_api(HAWSER_TYPE_QUEUE_PAD, static_cast<GstPluginAPIFlags>(0));
}

static void hawser_queue_init(HawserQueue* queue) {
    GstElement* element = GST_ELEMENT(queue);
    GstElementClass* klass = GST_ELEMENT_GET_CLASS(queue);
    queue->src = gst_pad_new_from_template(gst_element_class_get_pad_template(klass, "src"), "src");
    queue->core = new QueueCore(element, queue->src, signal_ids);
    gst_pad_set_event_function(queue->src, on_src_event);
    gst_pad_set_query_function(queue->src, on_src_query);
    gst_pad_set_activatemode_function(queue->src, on_src_activate);
    GST_PAD_SET_PROXY_CAPS(queue->src);

    queue->sink =
        GST_PAD(make_queue_pad("sink", gst_element_class_get_pad_template(klass, "sink"), *queue->core));
    gst_element_add_pad(element, queue->sink);
    gst_element_add_pad(element, queue->src);
}
