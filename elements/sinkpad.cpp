/**
 * SECTION:pad-hawsersinkpad
 * @title: HawserSinkPad
 *
 * A request pad of #hawsersink. Its properties say how its track shares a connection with the others.
 *
 * Since: 0.1
 */
#include "elements/sinkpad.h"

#include "elements/gst_ptr.h"
#include "elements/link_properties.h"

using namespace hawser;
using namespace hawser::elements;

struct _HawserSinkPad {
    GstGhostPad parent;
    HawserTrackSink* track_sink;  // a reference, set once
    GstPad* target;               // the track sink's pad; a reference, set once
    GstPad* internal;             // ours that is linked to it; a reference, set once
    guint priority;               // object lock
    guint64 max_latency;          // object lock
};

G_DEFINE_FINAL_TYPE(HawserSinkPad, hawser_sink_pad, GST_TYPE_GHOST_PAD)

namespace {

constexpr guint kDefaultPriority = 4;

enum : guint { kPropPriority = 1, kPropMaxLatency };

// Its object lock is held.
void tell(HawserSinkPad* pad, session::TrackWriter* writer) {
    if (!writer) return;
    writer->set_priority(static_cast<std::uint8_t>(pad->priority));
    writer->set_max_latency(to_duration(pad->max_latency));
}

void hawser_sink_pad_set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
    HawserSinkPad* pad = HAWSER_SINK_PAD(object);
    const ObjectLock lock(pad);
    switch (id) {
        case kPropPriority:
            pad->priority = g_value_get_uint(value);
            break;
        case kPropMaxLatency:
            pad->max_latency = g_value_get_uint64(value);
            break;
        default:
            G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
            return;
    }
    if (pad->track_sink) tell(pad, writer_of(pad->track_sink));
}

void hawser_sink_pad_get_property(GObject* object, guint id, GValue* value, GParamSpec* spec) {
    HawserSinkPad* pad = HAWSER_SINK_PAD(object);
    const ObjectLock lock(pad);
    switch (id) {
        case kPropPriority:
            g_value_set_uint(value, pad->priority);
            break;
        case kPropMaxLatency:
            g_value_set_uint64(value, pad->max_latency);
            break;
        default:
            G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
            break;
    }
}

void hawser_sink_pad_finalize(GObject* object) {
    gst_clear_object(&HAWSER_SINK_PAD(object)->track_sink);
    gst_clear_object(&HAWSER_SINK_PAD(object)->target);
    gst_clear_object(&HAWSER_SINK_PAD(object)->internal);
    G_OBJECT_CLASS(hawser_sink_pad_parent_class)->finalize(object);
}

// Straight into the track sink's pad: a push through the ghost pad's inner half would only find it again. Not
// while that half still has to repeat events.
bool goes_straight(HawserSinkPad* pad) {
    return pad->target && !GST_PAD_HAS_PENDING_EVENTS(pad->internal);
}

GstFlowReturn hawser_sink_pad_chain(GstPad* pad, GstObject* parent, GstBuffer* buffer) {
    auto* self = reinterpret_cast<HawserSinkPad*>(pad);  // unchecked: it is for each buffer
    if (!goes_straight(self)) return gst_proxy_pad_chain_default(pad, parent, buffer);
    return chain_into(self->track_sink, buffer);
}

GstFlowReturn hawser_sink_pad_chain_list(GstPad* pad, GstObject* parent, GstBufferList* list) {
    HawserSinkPad* self = HAWSER_SINK_PAD(pad);
    if (!goes_straight(self)) return gst_proxy_pad_chain_list_default(pad, parent, list);
    return gst_pad_chain_list(self->target, list);
}

}  // namespace

static void hawser_sink_pad_class_init(HawserSinkPadClass* klass) {
    GObjectClass* object = G_OBJECT_CLASS(klass);
    object->set_property = hawser_sink_pad_set_property;
    object->get_property = hawser_sink_pad_get_property;
    object->finalize = hawser_sink_pad_finalize;
    /**
     * HawserSinkPad:priority:
     *
     * Objects of a lower number are sent first, whenever several tracks have something to send.
     *
     * Since: 0.1
     */
    g_object_class_install_property(
        object, kPropPriority,
        g_param_spec_uint("priority", "Priority", "Class in which the track is sent: 0 is the most urgent", 0,
                          7, kDefaultPriority, kWhilePlaying));
    /**
     * HawserSinkPad:max-latency:
     *
     * Objects that cannot arrive within this time are dropped before they are sent.
     *
     * Since: 0.1
     */
    g_object_class_install_property(
        object, kPropMaxLatency,
        g_param_spec_uint64("max-latency", "Max. latency",
                            "Time after which an object is worthless to receivers, in nanoseconds "
                            "(GST_CLOCK_TIME_NONE: no deadline)",
                            0, G_MAXUINT64, GST_CLOCK_TIME_NONE, kWhilePlaying));
}

static void hawser_sink_pad_init(HawserSinkPad* pad) {
    pad->priority = kDefaultPriority;
    pad->max_latency = GST_CLOCK_TIME_NONE;
}

namespace hawser::elements {

HawserSinkPad* make_sink_pad(const char* name, GstPadTemplate* pad_template, HawserTrackSink* track_sink) {
    auto* pad = static_cast<HawserSinkPad*>(g_object_new(HAWSER_TYPE_SINK_PAD, "name", name, "direction",
                                                         GST_PAD_SINK, "template", pad_template, nullptr));
    pad->track_sink = static_cast<HawserTrackSink*>(gst_object_ref(track_sink));
    const auto target = Ptr<GstPad>::adopt(gst_element_get_static_pad(GST_ELEMENT(track_sink), "sink"));
    if (!gst_ghost_pad_set_target(GST_GHOST_PAD(pad), target.get())) {
        gst_object_unref(gst_object_ref_sink(pad));
        return nullptr;
    }
    pad->target = target.get();
    gst_object_ref(pad->target);
    pad->internal = GST_PAD_CAST(gst_proxy_pad_get_internal(GST_PROXY_PAD(pad)));
    gst_pad_set_chain_function(GST_PAD(pad), hawser_sink_pad_chain);
    gst_pad_set_chain_list_function(GST_PAD(pad), hawser_sink_pad_chain_list);
    return pad;
}

HawserTrackSink* track_sink_of(HawserSinkPad* pad) {
    return pad->track_sink;
}

void give_writer(HawserSinkPad* pad, session::TrackWriter* writer, std::uint64_t max_object_size) {
    const ObjectLock lock(pad);
    set_writer(pad->track_sink, writer, max_object_size);
    tell(pad, writer);
}

session::TrackWriter* take_writer(HawserSinkPad* pad) {
    const ObjectLock lock(pad);
    session::TrackWriter* const writer = writer_of(pad->track_sink);
    set_writer(pad->track_sink, nullptr, 0);
    return writer;
}

std::uint8_t priority_of(HawserSinkPad* pad) {
    const ObjectLock lock(pad);
    return static_cast<std::uint8_t>(pad->priority);
}

Duration max_latency_of(HawserSinkPad* pad) {
    const ObjectLock lock(pad);
    return to_duration(pad->max_latency);
}

std::string track_name(const std::string& pad_name) {
    constexpr std::string_view kPrefix = "sink_";
    if (!pad_name.starts_with(kPrefix) || pad_name.size() == kPrefix.size()) return pad_name;
    const std::string number = pad_name.substr(kPrefix.size());
    return number.find_first_not_of("0123456789") == std::string::npos ? "src_" + number : pad_name;
}

}  // namespace hawser::elements
