/**
 * SECTION:pad-hawserqueuepad
 * @title: HawserQueuePad
 *
 * A sink pad of #hawserqueue. Its properties say how its stream shares the way out with those of other pads.
 *
 * Since: 0.1
 */
#include "elements/queue_pad.h"

#include "elements/link_properties.h"

using namespace hawser;
using namespace hawser::elements;

struct _HawserQueuePad {
    GstPad parent;
    QueueCore* core;                     // borrowed
    std::shared_ptr<QueueInput>* input;  // set once
};

G_DEFINE_FINAL_TYPE(HawserQueuePad, hawser_queue_pad, GST_TYPE_PAD)

namespace {

constexpr guint kDefaultPriority = 4;

enum : guint { kPropPriority = 1, kPropMaxLatency };

void hawser_queue_pad_set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
    QueueInput& input = *input_of(HAWSER_QUEUE_PAD(object));
    switch (id) {
        case kPropPriority:
            input.set_priority(static_cast<std::uint8_t>(g_value_get_uint(value)));
            break;
        case kPropMaxLatency: {
            const guint64 latency = g_value_get_uint64(value);
            input.set_max_latency(latency < G_MAXINT64 ? Duration(latency) : Duration(-1));
            break;
        }
        default:
            G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
            break;
    }
}

void hawser_queue_pad_get_property(GObject* object, guint id, GValue* value, GParamSpec* spec) {
    const QueueInput& input = *input_of(HAWSER_QUEUE_PAD(object));
    switch (id) {
        case kPropPriority:
            g_value_set_uint(value, input.priority());
            break;
        case kPropMaxLatency: {
            const auto latency = input.max_latency().count();
            g_value_set_uint64(value, latency < 0 ? GST_CLOCK_TIME_NONE : static_cast<guint64>(latency));
            break;
        }
        default:
            G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
            break;
    }
}

void hawser_queue_pad_finalize(GObject* object) {
    delete HAWSER_QUEUE_PAD(object)->input;
    G_OBJECT_CLASS(hawser_queue_pad_parent_class)->finalize(object);
}

GstFlowReturn on_chain(GstPad* pad, GstObject*, GstBuffer* buffer) {
    HawserQueuePad* self = HAWSER_QUEUE_PAD(pad);
    return self->core->chain(**self->input, QueueItem(buffer));
}

GstFlowReturn on_chain_list(GstPad* pad, GstObject*, GstBufferList* list) {
    HawserQueuePad* self = HAWSER_QUEUE_PAD(pad);
    return self->core->chain(**self->input, QueueItem(list));
}

GstFlowReturn on_event(GstPad* pad, GstObject*, GstEvent* event) {
    HawserQueuePad* self = HAWSER_QUEUE_PAD(pad);
    return self->core->event(**self->input, event);
}

gboolean on_query(GstPad* pad, GstObject* parent, GstQuery* query) {
    HawserQueuePad* self = HAWSER_QUEUE_PAD(pad);
    if (is_serialized(query)) return self->core->serialized_query(**self->input, query);
    return gst_pad_query_default(pad, parent, query);
}

gboolean on_activate(GstPad* pad, GstObject*, GstPadMode mode, gboolean active) {
    HawserQueuePad* self = HAWSER_QUEUE_PAD(pad);
    return mode == GST_PAD_MODE_PUSH && self->core->activate_input(**self->input, active);
}

}  // namespace

static void hawser_queue_pad_class_init(HawserQueuePadClass* klass) {
    GObjectClass* object = G_OBJECT_CLASS(klass);
    object->set_property = hawser_queue_pad_set_property;
    object->get_property = hawser_queue_pad_get_property;
    object->finalize = hawser_queue_pad_finalize;
    /**
     * HawserQueuePad:priority:
     *
     * What waits at a pad of a lower number goes first.
     *
     * Since: 0.1
     */
    g_object_class_install_property(
        object, kPropPriority,
        g_param_spec_uint("priority", "Priority",
                          "Class in which the pad's data goes out: 0 is the most urgent", 0, 7,
                          kDefaultPriority, kWhilePlaying));
    /**
     * HawserQueuePad:max-latency:
     *
     * A buffer that has waited for longer is dropped, and with it the delta units that need it, up to the
     * next keyframe. A GAP event says what is missing.
     *
     * Since: 0.1
     */
    g_object_class_install_property(
        object, kPropMaxLatency,
        g_param_spec_uint64("max-latency", "Max. latency",
                            "Time that a buffer may wait in the queue before it is dropped, in nanoseconds "
                            "(GST_CLOCK_TIME_NONE: no deadline)",
                            0, G_MAXUINT64, GST_CLOCK_TIME_NONE, kWhilePlaying));
}

static void hawser_queue_pad_init(HawserQueuePad*) {}

namespace hawser::elements {

HawserQueuePad* make_queue_pad(const char* name, GstPadTemplate* pad_template, QueueCore& core) {
    auto* self = static_cast<HawserQueuePad*>(g_object_new(HAWSER_TYPE_QUEUE_PAD, "name", name, "direction",
                                                           GST_PAD_SINK, "template", pad_template, nullptr));
    GstPad* pad = GST_PAD(self);
    self->core = &core;
    self->input = new std::shared_ptr<QueueInput>(core.add_input(pad));
    gst_pad_set_chain_function(pad, on_chain);
    gst_pad_set_chain_list_function(pad, on_chain_list);
    gst_pad_set_event_full_function(pad, on_event);
    gst_pad_set_query_function(pad, on_query);
    gst_pad_set_activatemode_function(pad, on_activate);
    GST_PAD_SET_PROXY_CAPS(pad);
    return self;
}

const std::shared_ptr<QueueInput>& input_of(HawserQueuePad* pad) {
    return *pad->input;
}

}  // namespace hawser::elements
