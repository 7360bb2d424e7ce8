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
#include "elements/link_properties.h"
#include "elements/queue_core.h"
#include "elements/queue_pad.h"
#include "elements/queue_stats.h"

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

enum : guint {
    kPropCurrentLevelBuffers = 1,
    kPropCurrentLevelBytes,
    kPropCurrentLevelTime,
    kPropMaxSizeBuffers,
    kPropMaxSizeBytes,
    kPropMaxSizeTime,
    kPropMinThresholdBuffers,
    kPropMinThresholdBytes,
    kPropMinThresholdTime,
    kPropLeaky,
    kPropSilent,
    kPropFlushOnEos,
    kPropStats,
};

std::array<guint, kQueueSignals> signal_ids;

GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
GstStaticPadTemplate numbered_template =
    GST_STATIC_PAD_TEMPLATE("sink_%u", GST_PAD_SINK, GST_PAD_REQUEST, GST_STATIC_CAPS_ANY);
GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

GType leaky_type() {
    static const GEnumValue values[] = {
        {static_cast<gint>(QueueLeak::No), "Not leaky", "no"},
        {static_cast<gint>(QueueLeak::Upstream), "Leaky on upstream (new buffers)", "upstream"},
        {static_cast<gint>(QueueLeak::Downstream), "Leaky on downstream (old buffers)", "downstream"},
        {0, nullptr, nullptr},
    };
    static const GType type = g_enum_register_static("HawserQueueLeaky", values);
    return type;
}

void hawser_queue_child_proxy_init(gpointer iface, gpointer);

}  // namespace

G_DEFINE_FINAL_TYPE_WITH_CODE(HawserQueue, hawser_queue, GST_TYPE_ELEMENT,
                              G_IMPLEMENT_INTERFACE(GST_TYPE_CHILD_PROXY, hawser_queue_child_proxy_init)
                                  GST_DEBUG_CATEGORY_INIT(hawser_queue_debug, "hawserqueue", 0,
                                                          "Hawser queue"))
GST_ELEMENT_REGISTER_DEFINE(hawserqueue, "hawserqueue", GST_RANK_NONE, HAWSER_TYPE_QUEUE)

namespace {

// ---- Properties

void hawser_queue_set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
    QueueCore& core = *HAWSER_QUEUE(object)->core;
    QueueSettings& settings = core.settings;
    switch (id) {
        case kPropMaxSizeBuffers:
            settings.max.buffers = g_value_get_uint(value);
            core.max_changed();
            break;
        case kPropMaxSizeBytes:
            settings.max.bytes = g_value_get_uint(value);
            core.max_changed();
            break;
        case kPropMaxSizeTime:
            settings.max.time = g_value_get_uint64(value);
            core.max_changed();
            break;
        case kPropMinThresholdBuffers:
            settings.min.buffers = g_value_get_uint(value);
            core.min_changed();
            break;
        case kPropMinThresholdBytes:
            settings.min.bytes = g_value_get_uint(value);
            core.min_changed();
            break;
        case kPropMinThresholdTime:
            settings.min.time = g_value_get_uint64(value);
            core.min_changed();
            break;
        case kPropLeaky:
            settings.leaky = static_cast<QueueLeak>(g_value_get_enum(value));
            break;
        case kPropSilent:
            settings.silent = g_value_get_boolean(value);
            break;
        case kPropFlushOnEos:
            settings.flush_on_eos = g_value_get_boolean(value);
            break;
        default:
            G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
            break;
    }
}

void hawser_queue_get_property(GObject* object, guint id, GValue* value, GParamSpec* spec) {
    const QueueCore& core = *HAWSER_QUEUE(object)->core;
    const QueueSettings& settings = core.settings;
    switch (id) {
        case kPropCurrentLevelBuffers:
            g_value_set_uint(value, static_cast<guint>(core.level().items));
            break;
        case kPropCurrentLevelBytes:
            g_value_set_uint(value,
                             static_cast<guint>(std::min<std::uint64_t>(core.level().bytes, G_MAXUINT)));
            break;
        case kPropCurrentLevelTime:
            g_value_set_uint64(value, core.level().time);
            break;
        case kPropMaxSizeBuffers:
            g_value_set_uint(value, settings.max.buffers);
            break;
        case kPropMaxSizeBytes:
            g_value_set_uint(value, settings.max.bytes);
            break;
        case kPropMaxSizeTime:
            g_value_set_uint64(value, settings.max.time);
            break;
        case kPropMinThresholdBuffers:
            g_value_set_uint(value, settings.min.buffers);
            break;
        case kPropMinThresholdBytes:
            g_value_set_uint(value, settings.min.bytes);
            break;
        case kPropMinThresholdTime:
            g_value_set_uint64(value, settings.min.time);
            break;
        case kPropLeaky:
            g_value_set_enum(value, static_cast<gint>(settings.leaky.load()));
            break;
        case kPropSilent:
            g_value_set_boolean(value, settings.silent);
            break;
        case kPropFlushOnEos:
            g_value_set_boolean(value, settings.flush_on_eos);
            break;
        case kPropStats:
            g_value_take_boxed(value, queue_stats(core).release());
            break;
        default:
            G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
            break;
    }
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

void install_properties(GObjectClass* object) {
    const auto install = [object](guint id, GParamSpec* spec) {
        g_object_class_install_property(object, id, spec);
    };
    install(kPropCurrentLevelBytes,
            g_param_spec_uint("current-level-bytes", "Current level (bytes)",
                              "Current amount of data in the queue (bytes)", 0, G_MAXUINT, 0, kReadOnly));
    install(kPropCurrentLevelBuffers,
            g_param_spec_uint("current-level-buffers", "Current level (buffers)",
                              "Current number of buffers in the queue", 0, G_MAXUINT, 0, kReadOnly));
    install(kPropCurrentLevelTime,
            g_param_spec_uint64("current-level-time", "Current level (ns)",
                                "Current amount of data in the queue (in ns)", 0, G_MAXUINT64, 0, kReadOnly));
    const QueueSettings defaults;
    install(kPropMaxSizeBytes, g_param_spec_uint("max-size-bytes", "Max. size (bytes)",
                                                 "Max. amount of data in the queue (bytes, 0=disable)", 0,
                                                 G_MAXUINT, defaults.max.bytes, kWhilePlaying));
    install(kPropMaxSizeBuffers, g_param_spec_uint("max-size-buffers", "Max. size (buffers)",
                                                   "Max. number of buffers in the queue (0=disable)", 0,
                                                   G_MAXUINT, defaults.max.buffers, kWhilePlaying));
    install(kPropMaxSizeTime, g_param_spec_uint64("max-size-time", "Max. size (ns)",
                                                  "Max. amount of data in the queue (in ns, 0=disable)", 0,
                                                  G_MAXUINT64, defaults.max.time, kWhilePlaying));
    install(kPropMinThresholdBytes,
            g_param_spec_uint("min-threshold-bytes", "Min. threshold (bytes)",
                              "Min. amount of data in the queue to allow reading (bytes, 0=disable)", 0,
                              G_MAXUINT, 0, kWhilePlaying));
    install(kPropMinThresholdBuffers,
            g_param_spec_uint("min-threshold-buffers", "Min. threshold (buffers)",
                              "Min. number of buffers in the queue to allow reading (0=disable)", 0,
                              G_MAXUINT, 0, kWhilePlaying));
    install(kPropMinThresholdTime,
            g_param_spec_uint64("min-threshold-time", "Min. threshold (ns)",
                                "Min. amount of data in the queue to allow reading (in ns, 0=disable)", 0,
                                G_MAXUINT64, 0, kWhilePlaying));
    install(kPropLeaky, g_param_spec_enum("leaky", "Leaky", "Where the queue leaks, if at all", leaky_type(),
                                          static_cast<gint>(QueueLeak::No), kWhilePlaying));
    install(kPropSilent,
            g_param_spec_boolean("silent", "Silent", "Don't emit queue signals", FALSE, kWhilePlaying));
    install(kPropFlushOnEos,
            g_param_spec_boolean("flush-on-eos", "Flush on EOS",
                                 "Discard all data in the queue when an EOS event is received", FALSE,
                                 kWhilePlaying));
    /**
     * HawserQueue:stats:
     *
     * Counters since the element was made, of all pads and of each.
     *
     * Since: 0.1
     */
    install(kPropStats, g_param_spec_boxed("stats", "Statistics",
                                           "Counters (application/x-hawser-queue-stats): buffers-in, "
                                           "bytes-in, buffers-out, bytes-out, late, dependent, "
                                           "leaked-upstream, leaked-downstream, flushed; pads",
                                           GST_TYPE_STRUCTURE, kReadOnly));
}

void install_signals(GType type) {
    const auto install = [type](QueueSignal which, const char* name) {
        signal_ids[static_cast<std::size_t>(which)] =
            g_signal_new(name, type, G_SIGNAL_RUN_FIRST, 0, nullptr, nullptr, nullptr, G_TYPE_NONE, 0);
    };
    /**
     * HawserQueue::underrun:
     * @queue: the element
     *
     * The queue holds less than the minimum thresholds ask for (by default: it is empty).
     *
     * Since: 0.1
     */
    install(QueueSignal::Underrun, "underrun");
    /**
     * HawserQueue::running:
     * @queue: the element
     *
     * After an underrun there is enough data again, or after an overrun room.
     *
     * Since: 0.1
     */
    install(QueueSignal::Running, "running");
    /**
     * HawserQueue::overrun:
     * @queue: the element
     *
     * A buffer came that did not fit any more: one of the maximum sizes is reached.
     *
     * Since: 0.1
     */
    install(QueueSignal::Overrun, "overrun");
    /**
     * HawserQueue::pushing:
     * @queue: the element
     *
     * After an underrun the queue begins to push again.
     *
     * Since: 0.1
     */
    install(QueueSignal::Pushing, "pushing");
}

}  // namespace

static void hawser_queue_class_init(HawserQueueClass* klass) {
    GObjectClass* object = G_OBJECT_CLASS(klass);
    object->set_property = hawser_queue_set_property;
    object->get_property = hawser_queue_get_property;
    object->finalize = hawser_queue_finalize;
    install_properties(object);
    install_signals(G_TYPE_FROM_CLASS(klass));

    GstElementClass* element = GST_ELEMENT_CLASS(klass);
    element->request_new_pad = hawser_queue_request_new_pad;
    element->release_pad = hawser_queue_release_pad;
    gst_element_class_add_static_pad_template(element, &src_template);
    gst_element_class_add_static_pad_template_with_gtype(element, &sink_template, HAWSER_TYPE_QUEUE_PAD);
    gst_element_class_add_static_pad_template_with_gtype(element, &numbered_template, HAWSER_TYPE_QUEUE_PAD);
    gst_element_class_set_static_metadata(
        element, "Hawser queue", "Generic",
        "Data queue without a lock; with several sink pads, in the order of their urgency",
        "The Hawser authors");
    gst_type_mark_as_plugin_api(leaky_type(), static_cast<GstPluginAPIFlags>(0));
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
