/**
 * SECTION:element-hawsersink
 * @title: hawsersink
 * @see_also: hawsersrc
 *
 * Publishes media to any number of #hawsersrc over TCP. What goes in comes out as it was: caps and their
 * changes, segments, tags, timestamps, buffer flags, the boundaries of buffers. A receiver that loses its
 * connection goes on where it was; one that joins late starts at the newest group (from a keyframe on).
 *
 * Each request pad is a track of the stream. `sink_3` becomes `src_3` at the far side, any other name stays
 * as it is: `video` becomes `video`.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 videotestsrc is-live=true ! x264enc tune=zerolatency ! hawsersink
 * uri=hawser://0.0.0.0:7000/cam
 * ]| Waits for receivers on port 7000.
 * |[
 * gst-launch-1.0 uridecodebin uri=file:///clip.webm name=d ! videoconvert ! x264enc ! out.video
 *     d. ! audioconvert ! opusenc ! out.audio
 *     hawsersink name=out uri="hawser://recorder.local:7000/cam?mode=caller" audio::priority=1
 * ]| Sends two tracks in one connection to a listening receiver, the audio first.
 *
 * Since: 0.1
 */
#include "elements/hawsersink.h"

#include <cstring>
#include <string>

#include "elements/enums.h"
#include "elements/link_properties.h"
#include "elements/log_bridge.h"
#include "elements/sink_session.h"
#include "elements/sinkpad.h"
#include "elements/tracksink.h"
#include "elements/uri.h"
#include "proto/wire/header.h"

using namespace hawser;
using namespace hawser::elements;

struct _HawserSink {
    GstBin parent;
    SinkSession* session;
    LinkSettings* settings;            // object lock
    session::PublisherConfig* config;  // object lock; all but `link`
    gboolean sync;                     // object lock
    guint next_pad;                    // object lock
    guint io_threads;                  // object lock
};

GST_DEBUG_CATEGORY(hawser_sink_debug);
#define GST_CAT_DEFAULT hawser_sink_debug

namespace {

enum : guint {
    kPropWaitForConnection = kLinkPropertyEnd,
    kPropSync,
    kPropSlowClientPolicy,
    kPropMaxBlock,
    kPropLinger,
    kPropMaxSizeBytes,
    kPropMaxSizeTime,
    kPropMaxSizeBuffers,
    kPropMaxClients,
    kPropMaxPark,
    kPropMaxCoalesce,
    kPropIoThreads,
    kPropNumClients,
};

constexpr guint kMaxIoThreads = 64;
constexpr auto kDefaultMode = session::Mode::Listener;

GstStaticPadTemplate numbered_template =
    GST_STATIC_PAD_TEMPLATE("sink_%u", GST_PAD_SINK, GST_PAD_REQUEST, GST_STATIC_CAPS_ANY);
GstStaticPadTemplate named_template =
    GST_STATIC_PAD_TEMPLATE("%s", GST_PAD_SINK, GST_PAD_REQUEST, GST_STATIC_CAPS_ANY);

void hawser_sink_uri_handler_init(gpointer iface, gpointer);
void hawser_sink_child_proxy_init(gpointer iface, gpointer);

}  // namespace

G_DEFINE_FINAL_TYPE_WITH_CODE(HawserSink, hawser_sink, GST_TYPE_BIN,
                              G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, hawser_sink_uri_handler_init)
                                  G_IMPLEMENT_INTERFACE(GST_TYPE_CHILD_PROXY, hawser_sink_child_proxy_init)
                                      GST_DEBUG_CATEGORY_INIT(hawser_sink_debug, "hawsersink", 0,
                                                              "Hawser sink"))
GST_ELEMENT_REGISTER_DEFINE_WITH_CODE(hawsersink, "hawsersink", GST_RANK_NONE, HAWSER_TYPE_SINK, bridge_log())

namespace {

// ---- Properties

bool set_own(HawserSink* sink, guint id, const GValue* value) {
    const ObjectLock lock(sink);
    session::PublisherConfig& config = *sink->config;
    switch (id) {
        case kPropWaitForConnection:
            config.wait_for_connection = g_value_get_boolean(value);
            return true;
        case kPropSync:
            sink->sync = g_value_get_boolean(value);
            return true;
        case kPropSlowClientPolicy:
            config.slow_client_policy = static_cast<session::SlowClientPolicy>(g_value_get_enum(value));
            return true;
        case kPropMaxBlock:
            config.max_block = to_duration(g_value_get_uint64(value));
            return true;
        case kPropLinger:
            config.linger = to_duration(g_value_get_uint64(value));
            return true;
        case kPropMaxSizeBytes:
            config.max_bytes = g_value_get_uint64(value);
            return true;
        case kPropMaxSizeTime:
            config.max_time = to_duration(g_value_get_uint64(value));
            return true;
        case kPropMaxSizeBuffers:
            config.max_objects = static_cast<std::uint32_t>(g_value_get_uint64(value));
            return true;
        case kPropMaxClients:
            config.max_clients = g_value_get_uint(value);
            return true;
        case kPropMaxPark:
            config.max_park = to_duration(g_value_get_uint64(value));
            return true;
        case kPropMaxCoalesce:
            config.max_coalesce = Duration(g_value_get_int64(value));
            return true;
        case kPropIoThreads:
            sink->io_threads = g_value_get_uint(value);
            return true;
        default:
            return sink->settings->set(id, value);
    }
}

bool get_own(HawserSink* sink, guint id, GValue* value) {
    const ObjectLock lock(sink);
    const session::PublisherConfig& config = *sink->config;
    const auto nanoseconds = [](Duration duration) { return static_cast<guint64>(duration.count()); };
    switch (id) {
        case kPropWaitForConnection:
            g_value_set_boolean(value, config.wait_for_connection);
            return true;
        case kPropSync:
            g_value_set_boolean(value, sink->sync);
            return true;
        case kPropSlowClientPolicy:
            g_value_set_enum(value, static_cast<gint>(config.slow_client_policy));
            return true;
        case kPropMaxBlock:
            g_value_set_uint64(value, nanoseconds(config.max_block));
            return true;
        case kPropLinger:
            g_value_set_uint64(value, nanoseconds(config.linger));
            return true;
        case kPropMaxSizeBytes:
            g_value_set_uint64(value, config.max_bytes);
            return true;
        case kPropMaxSizeTime:
            g_value_set_uint64(value, nanoseconds(config.max_time));
            return true;
        case kPropMaxSizeBuffers:
            g_value_set_uint64(value, config.max_objects);
            return true;
        case kPropMaxClients:
            g_value_set_uint(value, config.max_clients);
            return true;
        case kPropMaxPark:
            g_value_set_uint64(value, nanoseconds(config.max_park));
            return true;
        case kPropMaxCoalesce:
            g_value_set_int64(value, config.max_coalesce.count());
            return true;
        case kPropIoThreads:
            g_value_set_uint(value, sink->io_threads);
            return true;
        default:
            return sink->settings->get(id, value);
    }
}

void hawser_sink_set_property(GObject* object, guint id, const GValue* value, GParamSpec* spec) {
    HawserSink* sink = HAWSER_SINK(object);
    if (id == kPropUri) {
        GError* error = nullptr;
        if (!apply_uri(GST_ELEMENT(sink), *sink->settings, g_value_get_string(value), &error)) {
            GST_ERROR_OBJECT(sink, "%s", error->message);  // starting will fail with this
            g_error_free(error);
        }
        return;
    }
    if (!set_own(sink, id, value)) {
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
        return;
    }
    if (id == kPropSync)
        for (const Ptr<HawserSinkPad>& pad : sink->session->pads())
            gst_base_sink_set_sync(GST_BASE_SINK(track_sink_of(pad.get())), g_value_get_boolean(value));
}

void hawser_sink_get_property(GObject* object, guint id, GValue* value, GParamSpec* spec) {
    HawserSink* sink = HAWSER_SINK(object);
    switch (id) {
        case kPropUri:
            g_value_set_string(value, current_uri(GST_ELEMENT(sink), *sink->settings).c_str());
            break;
        case kPropCurrentPort:
            g_value_set_uint(value, sink->session->current_port());
            break;
        case kPropState:
            g_value_set_enum(value, static_cast<gint>(sink->session->state()));
            break;
        case kPropStats:
            g_value_take_boxed(value, sink->session->stats().release());
            break;
        case kPropNumClients:
            g_value_set_uint(value, sink->session->num_clients());
            break;
        default:
            if (!get_own(sink, id, value)) G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
}

// ---- Request pads

// A name that no pad has: as asked for, or the next free sink_%u.
std::string pad_name(HawserSink* sink, const gchar* wanted) {
    if (wanted && *wanted && !std::strchr(wanted, '%')) return wanted;
    for (;;) {
        std::string name;
        {
            const ObjectLock lock(sink);
            name = "sink_" + std::to_string(sink->next_pad++);
        }
        if (!Ptr<GstPad>::adopt(gst_element_get_static_pad(GST_ELEMENT(sink), name.c_str()))) return name;
    }
}

GstPad* hawser_sink_request_new_pad(GstElement* element, GstPadTemplate* pad_template, const gchar* wanted,
                                    const GstCaps*) {
    HawserSink* sink = HAWSER_SINK(element);
    const std::string name = pad_name(sink, wanted);
    if (name.size() > wire::kMaxTrackName || !g_utf8_validate(name.c_str(), -1, nullptr)) {
        GST_ERROR_OBJECT(sink,
                         "a pad's name has to be UTF-8 of at most %zu bytes: it travels as the track's name",
                         wire::kMaxTrackName);
        return nullptr;
    }
    if (Ptr<GstPad>::adopt(gst_element_get_static_pad(element, name.c_str()))) {
        GST_ERROR_OBJECT(sink, "there is a pad %s already", name.c_str());
        return nullptr;
    }
    HawserTrackSink* track_sink = make_track_sink(("track-" + name).c_str(), *sink->session);
    GstElement* child = GST_ELEMENT(track_sink);
    bool running = false;
    {
        const ObjectLock lock(sink);
        gst_base_sink_set_sync(GST_BASE_SINK(track_sink), sink->sync);
        running = GST_STATE(sink) == GST_STATE_PLAYING || GST_STATE_PENDING(sink) == GST_STATE_PLAYING;
    }
    // A track that joins a running pipeline does not hold the others up until it has data.
    if (running) gst_base_sink_set_async_enabled(GST_BASE_SINK(track_sink), FALSE);
    if (!gst_bin_add(GST_BIN(sink), child)) return nullptr;

    HawserSinkPad* pad = make_sink_pad(name.c_str(), pad_template, track_sink);
    if (!pad || !sink->session->add_pad(pad)) {
        if (pad) gst_object_unref(gst_object_ref_sink(pad));
        gst_element_set_locked_state(child, TRUE);
        gst_bin_remove(GST_BIN(sink), child);
        return nullptr;
    }
    gst_element_sync_state_with_parent(child);
    if (GST_STATE(sink) > GST_STATE_READY || GST_STATE_NEXT(sink) == GST_STATE_PAUSED)
        gst_pad_set_active(GST_PAD(pad), TRUE);
    if (!gst_element_add_pad(element, GST_PAD(pad))) return nullptr;
    gst_child_proxy_child_added(GST_CHILD_PROXY(sink), G_OBJECT(pad), name.c_str());
    return GST_PAD(pad);
}

void hawser_sink_release_pad(GstElement* element, GstPad* ghost) {
    HawserSink* sink = HAWSER_SINK(element);
    const auto pad = Ptr<HawserSinkPad>::ref(HAWSER_SINK_PAD(ghost));
    const auto child = Ptr<GstElement>::ref(GST_ELEMENT(track_sink_of(pad.get())));
    const GText name(gst_object_get_name(GST_OBJECT(ghost)));
    gst_element_set_locked_state(child.get(), TRUE);
    sink->session->unlock(pad.get());
    // The child first: its streaming thread may hold the ghost's lock while it waits for PLAYING.
    gst_element_set_state(child.get(), GST_STATE_NULL);
    gst_pad_set_active(ghost, FALSE);
    sink->session->remove_pad(pad.get());
    gst_child_proxy_child_removed(GST_CHILD_PROXY(sink), G_OBJECT(ghost), name.get());
    gst_element_remove_pad(element, ghost);
    gst_bin_remove(GST_BIN(sink), child.get());
}

// ---- State

bool start(HawserSink* sink) {
    session::PublisherConfig config;
    Result<session::LinkConfig> link = Error{};
    IoSettings io;
    {
        const ObjectLock lock(sink);
        config = *sink->config;
        link = sink->settings->checked();
        io = {sink->settings->io_engine, sink->settings->busy_poll, sink->io_threads};
    }
    if (!link) {
        post_error(GST_ELEMENT(sink), link.error(), Direction::Sends);
        return false;
    }
    config.link = std::move(link).value();
    return sink->session->start(config, io);
}

GstStateChangeReturn hawser_sink_change_state(GstElement* element, GstStateChange transition) {
    HawserSink* sink = HAWSER_SINK(element);
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !start(sink)) {
        sink->session->stop();
        sink->session->finish();
        return GST_STATE_CHANGE_FAILURE;
    }
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) sink->session->stop();
    const GstStateChangeReturn result =
        GST_ELEMENT_CLASS(hawser_sink_parent_class)->change_state(element, transition);
    if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) {
        sink->session->finish();
    } else if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE) {
        sink->session->stop();
        sink->session->finish();
    }
    return result;
}

// ---- Interfaces

GstURIType hawser_sink_uri_type(GType) {
    return GST_URI_SINK;
}

const gchar* const* hawser_sink_uri_protocols(GType) {
    static const gchar* protocols[] = {"hawser", nullptr};
    return protocols;
}

gchar* hawser_sink_get_uri(GstURIHandler* handler) {
    HawserSink* sink = HAWSER_SINK(handler);
    return g_strdup(current_uri(GST_ELEMENT(sink), *sink->settings).c_str());
}

gboolean hawser_sink_set_uri(GstURIHandler* handler, const gchar* uri, GError** error) {
    HawserSink* sink = HAWSER_SINK(handler);
    return apply_uri(GST_ELEMENT(sink), *sink->settings, uri, error);
}

void hawser_sink_uri_handler_init(gpointer iface, gpointer) {
    auto* handler = static_cast<GstURIHandlerInterface*>(iface);
    handler->get_type = hawser_sink_uri_type;
    handler->get_protocols = hawser_sink_uri_protocols;
    handler->get_uri = hawser_sink_get_uri;
    handler->set_uri = hawser_sink_set_uri;
}

// The children that concern users are the pads.
GObject* hawser_sink_child_by_index(GstChildProxy* proxy, guint index) {
    const ObjectLock lock(proxy);
    gpointer pad = g_list_nth_data(GST_ELEMENT(proxy)->sinkpads, index);
    return pad ? static_cast<GObject*>(g_object_ref(pad)) : nullptr;
}

guint hawser_sink_children_count(GstChildProxy* proxy) {
    const ObjectLock lock(proxy);
    return GST_ELEMENT(proxy)->numsinkpads;
}

void hawser_sink_child_proxy_init(gpointer iface, gpointer) {
    auto* proxy = static_cast<GstChildProxyInterface*>(iface);
    proxy->get_child_by_index = hawser_sink_child_by_index;
    proxy->get_children_count = hawser_sink_children_count;
}

void hawser_sink_reconnect(HawserSink* sink) {
    sink->session->reconnect();
}

void hawser_sink_dispose(GObject* object) {
    // GstBin's dispose takes the track sinks away; release the pads that use them before.
    GstElement* element = GST_ELEMENT(object);
    while (element->sinkpads) hawser_sink_release_pad(element, GST_PAD(element->sinkpads->data));
    G_OBJECT_CLASS(hawser_sink_parent_class)->dispose(object);
}

void hawser_sink_finalize(GObject* object) {
    HawserSink* sink = HAWSER_SINK(object);
    delete sink->session;
    delete sink->config;
    delete sink->settings;
    G_OBJECT_CLASS(hawser_sink_parent_class)->finalize(object);
}

void install_properties(GObjectClass* object) {
    const session::PublisherConfig defaults;
    const auto install = [object](guint id, GParamSpec* spec) {
        g_object_class_install_property(object, id, spec);
    };
    install_link_properties(object, kDefaultMode,
                            "Counters since the element started (application/x-hawser-sink-stats): epoch, "
                            "objects, bytes, clients, clients-total, turned-away, reconnects, skipped, "
                            "skipped-by-reason, tracks, client-stats, unknown-metas, skipped-events");
    install(kPropWaitForConnection,
            g_param_spec_boolean(
                "wait-for-connection", "Wait for connection",
                "Let upstream wait for the first receiver; if it is live, only with slow-client-policy=block",
                defaults.wait_for_connection, kUntilReady));
    install(kPropSync,
            g_param_spec_boolean("sync", "Sync", "Send at the pace of the clock", FALSE, kWhilePlaying));
    install(kPropSlowClientPolicy,
            g_param_spec_enum("slow-client-policy", "Slow client policy",
                              "What happens to a receiver that cannot keep up",
                              hawser_slow_client_policy_get_type(),
                              static_cast<gint>(defaults.slow_client_policy), kUntilReady));
    install(kPropMaxBlock,
            g_param_spec_uint64(
                "max-block", "Max. block",
                "How long a slow receiver (policy auto: one that is not connected) may hold upstream "
                "up, in nanoseconds",
                0, G_MAXINT64, static_cast<guint64>(defaults.max_block.count()), kUntilReady));
    install(kPropLinger,
            g_param_spec_uint64("linger", "Linger",
                                "How long to wait at EOS until receivers have got everything, in nanoseconds",
                                0, G_MAXINT64, static_cast<guint64>(defaults.linger.count()), kUntilReady));
    install(kPropMaxSizeBytes,
            g_param_spec_uint64("max-size-bytes", "Max. size in bytes",
                                "Most bytes kept of a track for receivers that lag or come back", 1,
                                G_MAXINT64, defaults.max_bytes, kUntilReady));
    install(kPropMaxSizeTime,
            g_param_spec_uint64("max-size-time", "Max. size in time",
                                "How long a track's objects are kept for receivers that lag or come back, in "
                                "nanoseconds",
                                1, G_MAXINT64, static_cast<guint64>(defaults.max_time.count()), kUntilReady));
    install(kPropMaxSizeBuffers,
            g_param_spec_uint64("max-size-buffers", "Max. size in buffers",
                                "Most objects kept of a track for receivers that lag or come back", 1,
                                1u << 20, defaults.max_objects, kUntilReady));
    install(kPropMaxClients, g_param_spec_uint("max-clients", "Max. clients", "Most receivers at a time", 1,
                                               G_MAXUINT, defaults.max_clients, kUntilReady));
    install(
        kPropMaxPark,
        g_param_spec_uint64("max-park", "Max. park",
                            "How long a receiver may take nothing at all before its connection is closed, in "
                            "nanoseconds",
                            1, G_MAXINT64, static_cast<guint64>(defaults.max_park.count()), kUntilReady));
    install(
        kPropMaxCoalesce,
        g_param_spec_int64("max-coalesce", "Max. coalesce",
                           "How long buffers may wait to be sent together with later ones, in nanoseconds: "
                           "less CPU for more latency (-1: not at all while there is CPU to spare, up to 50 "
                           "ms while there is not; 0: never)",
                           -1, G_GINT64_CONSTANT(10) * GST_SECOND, -1, kUntilReady));
    install(kPropIoThreads, g_param_spec_uint("io-threads", "I/O threads", "Threads that share the receivers",
                                              1, kMaxIoThreads, 1, kUntilReady));
    install(kPropNumClients, g_param_spec_uint("num-clients", "Number of clients", "Receivers connected now",
                                               0, G_MAXUINT, 0, kReadOnly));
}

void install_signals(GType type) {
    /**
     * HawserSink::client-added:
     * @sink: the element
     * @id: number of the connection, as in `stats`
     * @address: address of the receiver, "host:port"
     *
     * A receiver has connected and subscribed. Emitted from a thread of the element's own.
     *
     * Since: 0.1
     */
    g_signal_new("client-added", type, G_SIGNAL_RUN_LAST, 0, nullptr, nullptr, nullptr, G_TYPE_NONE, 2,
                 G_TYPE_UINT64, G_TYPE_STRING);
    /**
     * HawserSink::client-removed:
     * @sink: the element
     * @id: number of the connection
     * @reason: why it is gone, for people
     *
     * A receiver's connection is gone. Emitted from a thread of the element's own.
     *
     * Since: 0.1
     */
    g_signal_new("client-removed", type, G_SIGNAL_RUN_LAST, 0, nullptr, nullptr, nullptr, G_TYPE_NONE, 2,
                 G_TYPE_UINT64, G_TYPE_STRING);
    /**
     * HawserSink::reconnect:
     * @sink: the element
     *
     * Breaks the present connections; they come back by themselves.
     *
     * Since: 0.1
     */
    g_signal_new_class_handler("reconnect", type,
                               static_cast<GSignalFlags>(G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION),
                               G_CALLBACK(hawser_sink_reconnect), nullptr, nullptr, nullptr, G_TYPE_NONE, 0);
}

}  // namespace

static void hawser_sink_class_init(HawserSinkClass* klass) {
    GObjectClass* object = G_OBJECT_CLASS(klass);
    object->set_property = hawser_sink_set_property;
    object->get_property = hawser_sink_get_property;
    object->dispose = hawser_sink_dispose;
    object->finalize = hawser_sink_finalize;
    install_properties(object);
    install_signals(G_TYPE_FROM_CLASS(klass));

    GstElementClass* element = GST_ELEMENT_CLASS(klass);
    element->request_new_pad = hawser_sink_request_new_pad;
    element->release_pad = hawser_sink_release_pad;
    element->change_state = hawser_sink_change_state;
    gst_element_class_add_static_pad_template_with_gtype(element, &numbered_template, HAWSER_TYPE_SINK_PAD);
    gst_element_class_add_static_pad_template_with_gtype(element, &named_template, HAWSER_TYPE_SINK_PAD);
    gst_element_class_set_static_metadata(
        element, "Hawser sink", "Sink/Network",
        "Sends media to any number of hawsersrc over TCP, and goes on after whatever breaks between them",
        "The Hawser authors");
    gst_type_mark_as_plugin_api(hawser_mode_get_type(), static_cast<GstPluginAPIFlags>(0));
    gst_type_mark_as_plugin_api(hawser_state_get_type(), static_cast<GstPluginAPIFlags>(0));
    gst_type_mark_as_plugin_api(hawser_io_engine_get_type(), static_cast<GstPluginAPIFlags>(0));
    gst_type_mark_as_plugin_api(hawser_slow_client_policy_get_type(), static_cast<GstPluginAPIFlags>(0));
    gst_type_mark_as_plugin_api(HAWSER_TYPE_SINK_PAD, static_cast<GstPluginAPIFlags>(0));
}

static void hawser_sink_init(HawserSink* sink) {
    // A sink even before its first pad: bins start their sinks first, so that a demuxer finds the session
    // ready.
    GST_OBJECT_FLAG_SET(sink, GST_ELEMENT_FLAG_SINK);
    gst_bin_set_suppressed_flags(
        GST_BIN(sink), static_cast<GstElementFlags>(GST_ELEMENT_FLAG_SINK | GST_ELEMENT_FLAG_SOURCE));
    sink->session = new SinkSession(GST_ELEMENT(sink));
    sink->settings = new LinkSettings(kDefaultMode);
    sink->config = new session::PublisherConfig;
    sink->io_threads = 1;
}
