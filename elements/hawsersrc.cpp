/**
 * SECTION:element-hawsersrc
 * @title: hawsersrc
 * @see_also: hawsersink
 *
 * Receives what a #hawsersink publishes. A pad appears for each track once its caps or its first data are
 * there. When the connection breaks, the element comes back and goes on where it was: nothing is lost that
 * the sender still holds, pads and caps stay. When the sender itself is started anew, running time goes on as
 * well (timestamp-mode=rebase).
 *
 * It is a live source: it sends buffers in PLAYING only, and has `latency` to even out the network.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 hawsersrc uri=hawser://camera.local:7000/cam ! decodebin ! autovideosink
 * ]| Plays a stream; waits for its sender, however late that starts.
 * |[
 * gst-launch-1.0 hawsersrc uri="hawser://0.0.0.0:7000/cam?mode=listener" name=in
 *     in.video ! h264parse ! matroskamux name=mux ! filesink location=out.mkv
 *     in.audio ! opusparse ! mux.
 * ]| Records what a calling sender brings.
 * |[
 * gst-play-1.0 hawser://camera.local:7000/cam
 * ]|
 *
 * Since: 0.1
 */
#include "elements/hawsersrc.h"

#include "elements/enums.h"
#include "elements/link_properties.h"
#include "elements/log_bridge.h"
#include "elements/src_session.h"
#include "elements/uri.h"

using namespace hawser;
using namespace hawser::elements;

struct _HawserSrc {
    GstElement parent;
    SrcSession* session;
    LinkSettings* settings;              // object lock
    guint latency;                       // object lock; ms
    HawserTimestampMode timestamp_mode;  // object lock
    guint64 max_queue_bytes;             // object lock
    bool buffer_lists;                   // object lock
};

GST_DEBUG_CATEGORY(hawser_src_debug);
#define GST_CAT_DEFAULT hawser_src_debug

namespace {

enum : guint {
    kPropLatency = kLinkPropertyEnd,
    kPropTimestampMode,
    kPropMaxQueueBytes,
    kPropBufferLists,
};

constexpr auto kDefaultMode = session::Mode::Caller;
constexpr guint kDefaultLatency = 100;  // ms

GstStaticPadTemplate numbered_template =
    GST_STATIC_PAD_TEMPLATE("src_%u", GST_PAD_SRC, GST_PAD_SOMETIMES, GST_STATIC_CAPS_ANY);
GstStaticPadTemplate named_template =
    GST_STATIC_PAD_TEMPLATE("%s", GST_PAD_SRC, GST_PAD_SOMETIMES, GST_STATIC_CAPS_ANY);

void hawser_src_uri_handler_init(gpointer iface, gpointer);

}  // namespace

G_DEFINE_FINAL_TYPE_WITH_CODE(HawserSrc, hawser_src, GST_TYPE_ELEMENT,
                              G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, hawser_src_uri_handler_init)
                                  GST_DEBUG_CATEGORY_INIT(hawser_src_debug, "hawsersrc", 0, "Hawser source"))
GST_ELEMENT_REGISTER_DEFINE_WITH_CODE(hawsersrc, "hawsersrc", GST_RANK_PRIMARY, HAWSER_TYPE_SRC, bridge_log())

namespace {

void hawser_src_set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
    HawserSrc* src = HAWSER_SRC(object);
    switch (id) {
        case kPropUri: {
            GError* error = nullptr;
            if (!apply_uri(GST_ELEMENT(src), *src->settings, g_value_get_string(value), &error)) {
                GST_ERROR_OBJECT(src, "%s", error->message);  // starting will fail with this
                g_error_free(error);
            }
            break;
        }
        case kPropLatency: {
            const guint latency = g_value_get_uint(value);
            {
                const ObjectLock lock(src);
                src->latency = latency;
            }
            src->session->set_latency(latency * GST_MSECOND);
            gst_element_post_message(GST_ELEMENT(src), gst_message_new_latency(GST_OBJECT(src)));
            break;
        }
        case kPropTimestampMode: {
            const ObjectLock lock(src);
            src->timestamp_mode = static_cast<HawserTimestampMode>(g_value_get_enum(value));
            break;
        }
        case kPropMaxQueueBytes: {
            const ObjectLock lock(src);
            src->max_queue_bytes = g_value_get_uint64(value);
            break;
        }
        case kPropBufferLists: {
            const ObjectLock lock(src);
            src->buffer_lists = g_value_get_boolean(value) != FALSE;
            break;
        }
        default: {
            const ObjectLock lock(src);
            if (!src->settings->set(id, value)) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
        }
    }
}

void hawser_src_get_property(GObject* object, guint id, GValue* value, GParamSpec* spec) {
    HawserSrc* src = HAWSER_SRC(object);
    switch (id) {
        case kPropUri:
            g_value_set_string(value, current_uri(GST_ELEMENT(src), *src->settings).c_str());
            return;
        case kPropCurrentPort:
            g_value_set_uint(value, src->session->current_port());
            return;
        case kPropState:
            g_value_set_enum(value, static_cast<gint>(src->session->state()));
            return;
        case kPropStats:
            g_value_take_boxed(value, src->session->stats().release());
            return;
        default:
            break;
    }
    const ObjectLock lock(src);
    switch (id) {
        case kPropLatency:
            g_value_set_uint(value, src->latency);
            break;
        case kPropTimestampMode:
            g_value_set_enum(value, src->timestamp_mode);
            break;
        case kPropMaxQueueBytes:
            g_value_set_uint64(value, src->max_queue_bytes);
            break;
        case kPropBufferLists:
            g_value_set_boolean(value, src->buffer_lists);
            break;
        default:
            if (!src->settings->get(id, value)) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
}

bool start(HawserSrc* src) {
    SrcSession::Settings settings;
    Result<session::LinkConfig> link = Error{};
    {
        const ObjectLock lock(src);
        link = src->settings->checked();
        settings.subscriber.max_queue_bytes = src->max_queue_bytes;
        settings.buffer_lists = src->buffer_lists;
        settings.engine = src->settings->io_engine;
        settings.subscriber.busy_poll = std::chrono::microseconds(src->settings->busy_poll);
        settings.rebase = src->timestamp_mode == HAWSER_TIMESTAMP_MODE_REBASE;
    }
    if (!link) {
        post_error(GST_ELEMENT(src), link.error(), Direction::Receives);
        return false;
    }
    settings.subscriber.link = std::move(link).value();
    return src->session->start(settings);
}

GstStateChangeReturn hawser_src_change_state(GstElement* element, GstStateChange transition) {
    HawserSrc* src = HAWSER_SRC(element);
    const auto abandon = [src] {
        src->session->stop();
        src->session->finish();
        return GST_STATE_CHANGE_FAILURE;
    };
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !start(src)) return abandon();
    if (transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED) src->session->set_playing(false);
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) src->session->stop();
    const GstStateChangeReturn result =
        GST_ELEMENT_CLASS(hawser_src_parent_class)->change_state(element, transition);
    switch (transition) {
        case GST_STATE_CHANGE_READY_TO_PAUSED:
            if (result == GST_STATE_CHANGE_FAILURE) return abandon();
            return GST_STATE_CHANGE_NO_PREROLL;
        case GST_STATE_CHANGE_PLAYING_TO_PAUSED:
            return result == GST_STATE_CHANGE_FAILURE ? result : GST_STATE_CHANGE_NO_PREROLL;
        case GST_STATE_CHANGE_PAUSED_TO_PLAYING:
            if (result != GST_STATE_CHANGE_FAILURE) src->session->set_playing(true);
            return result;
        case GST_STATE_CHANGE_PAUSED_TO_READY:
            src->session->finish();
            return result;
        default:
            return result;
    }
}

// EOS from the application, as gst-launch-1.0 -e sends it.
gboolean hawser_src_send_event(GstElement* element, GstEvent* event) {
    if (GST_EVENT_TYPE(event) != GST_EVENT_EOS)
        return GST_ELEMENT_CLASS(hawser_src_parent_class)->send_event(element, event);
    HAWSER_SRC(element)->session->end();
    gst_event_unref(event);
    return TRUE;
}

GstURIType hawser_src_uri_type(GType) {
    return GST_URI_SRC;
}

const gchar* const* hawser_src_uri_protocols(GType) {
    static const gchar* protocols[] = {"hawser", nullptr};
    return protocols;
}

gchar* hawser_src_get_uri(GstURIHandler* handler) {
    HawserSrc* src = HAWSER_SRC(handler);
    return g_strdup(current_uri(GST_ELEMENT(src), *src->settings).c_str());
}

gboolean hawser_src_set_uri(GstURIHandler* handler, const gchar* uri, GError** error) {
    HawserSrc* src = HAWSER_SRC(handler);
    return apply_uri(GST_ELEMENT(src), *src->settings, uri, error);
}

void hawser_src_uri_handler_init(gpointer iface, gpointer) {
    auto* handler = static_cast<GstURIHandlerInterface*>(iface);
    handler->get_type = hawser_src_uri_type;
    handler->get_protocols = hawser_src_uri_protocols;
    handler->get_uri = hawser_src_get_uri;
    handler->set_uri = hawser_src_set_uri;
}

void hawser_src_reconnect(HawserSrc* src) {
    src->session->reconnect();
}

void hawser_src_finalize(GObject* object) {
    HawserSrc* src = HAWSER_SRC(object);
    delete src->session;
    delete src->settings;
    G_OBJECT_CLASS(hawser_src_parent_class)->finalize(object);
}

void install_properties(GObjectClass* object) {
    install_link_properties(
        object, kDefaultMode,
        "Counters since the element started (application/x-hawser-src-stats): epoch, epochs, objects, bytes, "
        "replayed, lost, doubled, delivered, reconnects, rtt, queued-bytes, tracks");
    g_object_class_install_property(
        object, kPropLatency,
        g_param_spec_uint("latency", "Latency", "Time to even out the network, in milliseconds", 0, G_MAXUINT,
                          kDefaultLatency, kWhilePlaying));
    g_object_class_install_property(
        object, kPropTimestampMode,
        g_param_spec_enum("timestamp-mode", "Timestamp mode", "What running time buffers get",
                          hawser_timestamp_mode_get_type(), HAWSER_TIMESTAMP_MODE_REBASE, kUntilReady));
    g_object_class_install_property(
        object, kPropMaxQueueBytes,
        g_param_spec_uint64(
            "max-queue-bytes", "Max. queue in bytes",
            "Most bytes that are received but not yet handed downstream; the sender has to wait "
            "or to drop above it",
            1, G_MAXINT64, session::SubscriberConfig{}.max_queue_bytes, kUntilReady));
    /**
     * HawserSrc:buffer-lists:
     *
     * Whether small objects that have piled up are pushed together, for elements that handle lists as a
     * whole. Pad probes downstream then have to ask for GST_PAD_PROBE_TYPE_BUFFER_LIST as well, or they miss
     * what comes in lists; for their sake it is off unless asked for.
     *
     * Since: 0.1
     */
    g_object_class_install_property(
        object, kPropBufferLists,
        g_param_spec_boolean("buffer-lists", "Buffer lists",
                             "Push small objects that have piled up as a GstBufferList", FALSE, kUntilReady));
}

}  // namespace

static void hawser_src_class_init(HawserSrcClass* klass) {
    GObjectClass* object = G_OBJECT_CLASS(klass);
    object->set_property = hawser_src_set_property;
    object->get_property = hawser_src_get_property;
    object->finalize = hawser_src_finalize;
    install_properties(object);
    /**
     * HawserSrc::reconnect:
     * @src: the element
     *
     * Breaks the present connection; it comes back by itself.
     *
     * Since: 0.1
     */
    g_signal_new_class_handler("reconnect", G_TYPE_FROM_CLASS(klass),
                               static_cast<GSignalFlags>(G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION),
                               G_CALLBACK(hawser_src_reconnect), nullptr, nullptr, nullptr, G_TYPE_NONE, 0);

    GstElementClass* element = GST_ELEMENT_CLASS(klass);
    element->change_state = hawser_src_change_state;
    element->send_event = hawser_src_send_event;
    gst_element_class_add_static_pad_template(element, &numbered_template);
    gst_element_class_add_static_pad_template(element, &named_template);
    gst_element_class_set_static_metadata(
        element, "Hawser source", "Source/Network",
        "Receives media from a hawsersink over TCP, and goes on after whatever breaks between them",
        "The Hawser authors");
    gst_type_mark_as_plugin_api(hawser_mode_get_type(), static_cast<GstPluginAPIFlags>(0));
    gst_type_mark_as_plugin_api(hawser_state_get_type(), static_cast<GstPluginAPIFlags>(0));
    gst_type_mark_as_plugin_api(hawser_io_engine_get_type(), static_cast<GstPluginAPIFlags>(0));
    gst_type_mark_as_plugin_api(hawser_timestamp_mode_get_type(), static_cast<GstPluginAPIFlags>(0));
}

static void hawser_src_init(HawserSrc* src) {
    GST_OBJECT_FLAG_SET(src, GST_ELEMENT_FLAG_SOURCE);
    src->session = new SrcSession(GST_ELEMENT(src));
    src->settings = new LinkSettings(kDefaultMode);
    src->latency = kDefaultLatency;
    src->timestamp_mode = HAWSER_TIMESTAMP_MODE_REBASE;
    src->max_queue_bytes = session::SubscriberConfig{}.max_queue_bytes;
    src->session->set_latency(kDefaultLatency * GST_MSECOND);
}
