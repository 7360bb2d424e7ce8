#include "elements/tracksink.h"

#include <gst/video/gstvideopool.h>
#include <gst/video/video.h>

#include <atomic>
#include <mutex>
#include <vector>

#include "elements/buffer_codec.h"
#include "elements/event_codec.h"
#include "runtime/base/text.h"

namespace hawser::elements {

// Upstream's liveness is asked for once in a while, not for each buffer.
enum class Live : int { Unknown, No, Yes };

struct TrackSink {
    TrackHost* host = nullptr;
    std::atomic<session::TrackWriter*> writer{nullptr};
    std::atomic<std::uint64_t> max_object_size{0};
    std::atomic<bool> unlocked{false};  // between unlock() and unlock_stop()
    std::atomic<Live> live{Live::Unknown};
    std::atomic<std::uint64_t> unknown_metas{0};
    std::atomic<std::uint64_t> skipped_events{0};
    std::atomic<bool> stepped{false};  // a STEP event came: GstBaseSink decides what it skips
    BufferEncoder encoder;             // streaming thread
    // What GstBaseSink does not see of buffers that go straight: timestamp of the last, in the present
    // segment, and stream time at the end of the one before. GST_CLOCK_TIME_NONE where nothing is known.
    std::atomic<GstClockTime> position{GST_CLOCK_TIME_NONE};
    std::atomic<GstClockTime> position_before{GST_CLOCK_TIME_NONE};
    GstClockTime end = GST_CLOCK_TIME_NONE;  // of that buffer; who has the pad's stream lock
    // Out-of-band events that came while the streaming thread was busy; it sends them in front of its next
    // item.
    std::mutex oob_mutex;
    std::vector<wire::Event> oob;  // oob_mutex
    std::atomic<bool> oob_waiting{false};
};

}  // namespace hawser::elements

using namespace hawser;
using namespace hawser::elements;

struct _HawserTrackSink {
    GstBaseSink parent;
    TrackSink* self;
};

GST_DEBUG_CATEGORY_STATIC(track_sink_debug);
#define GST_CAT_DEFAULT track_sink_debug

G_DEFINE_FINAL_TYPE_WITH_CODE(HawserTrackSink, hawser_track_sink, GST_TYPE_BASE_SINK,
                              GST_DEBUG_CATEGORY_INIT(track_sink_debug, "hawsertracksink", 0,
                                                      "Hawser sink: one track"))

namespace {

GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

TrackSink& self_of(GstBaseSink* sink) {
    return *reinterpret_cast<HawserTrackSink*>(sink)->self;  // unchecked: it is for each buffer
}

void learn_liveness(GstBaseSink* sink, TrackSink& self) {
    const auto query = Ptr<GstQuery>::adopt(gst_query_new_latency());
    gboolean live = FALSE;
    if (gst_pad_peer_query(GST_BASE_SINK_PAD(sink), query.get()))
        gst_query_parse_latency(query.get(), &live, nullptr, nullptr);
    GST_DEBUG_OBJECT(sink, "upstream is %s", live ? "live" : "not live");
    self.live = live ? Live::Yes : Live::No;
    self.host->live_changed();
}

// Whether `time` is one of the present segment's.
bool is_timed(GstBaseSink* sink, GstClockTime time) {
    return sink->segment.format == GST_FORMAT_TIME && GST_CLOCK_TIME_IS_VALID(time);
}

// Runs `attempt` until it is not told to wait. The PREROLL_LOCK is held, as in all of GstBaseSink's vfuncs
// for serialized items: whoever calls unlock() takes it before he goes on, so no unlock gets lost.
template <typename Attempt>
GstFlowReturn publish(GstBaseSink* sink, TrackSink& self, Attempt attempt) {
    for (;;) {
        session::TrackWriter* writer = self.writer;
        if (!writer) return GST_FLOW_FLUSHING;
        switch (attempt(*writer)) {
            case session::PublishResult::Published:
                return GST_FLOW_OK;
            case session::PublishResult::Failed:
                self.host->post_failure();
                return GST_FLOW_ERROR;
            case session::PublishResult::Unlocked:
                break;
        }
        GST_DEBUG_OBJECT(sink, "interrupted, waiting for PLAYING");
        writer->hold_back(false);  // what a list has brought so far need not wait along
        if (const GstFlowReturn flow = gst_base_sink_wait_preroll(sink); flow != GST_FLOW_OK) return flow;
    }
}

void send_oob(TrackSink& self);

GstFlowReturn publish_event(GstBaseSink* sink, TrackSink& self, GstEvent* event) {
    send_oob(self);
    const std::optional<wire::Event> encoded = encode_event(event);
    if (!encoded) {
        GST_DEBUG_OBJECT(sink, "cannot send %" GST_PTR_FORMAT, event);
        self.skipped_events.fetch_add(1, std::memory_order_relaxed);
        return GST_FLOW_OK;
    }
    return publish(sink, self, [&](session::TrackWriter& writer) { return writer.event(*encoded); });
}

// Streaming thread, or whoever has its lock.
void send_oob(TrackSink& self) {
    if (!self.oob_waiting.load(std::memory_order_relaxed) || !self.oob_waiting.exchange(false)) return;
    std::vector<wire::Event> events;
    {
        const std::lock_guard lock(self.oob_mutex);
        events.swap(self.oob);
    }
    session::TrackWriter* writer = self.writer;
    for (const wire::Event& event : events)
        if (!writer || writer->event(event) != session::PublishResult::Published)
            self.skipped_events.fetch_add(1, std::memory_order_relaxed);
}

// From any thread. The track has one writer at a time: that is whoever holds the pad's stream lock.
void publish_oob(GstBaseSink* sink, TrackSink& self, GstEvent* event) {
    std::optional<wire::Event> encoded = encode_event(event);
    if (!encoded) {
        self.skipped_events.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    {
        const std::lock_guard lock(self.oob_mutex);
        self.oob.push_back(std::move(*encoded));
    }
    self.oob_waiting = true;
    GRecMutex* stream_lock = GST_PAD_GET_STREAM_LOCK(GST_BASE_SINK_PAD(sink));
    if (!g_rec_mutex_trylock(stream_lock)) return;
    send_oob(self);
    g_rec_mutex_unlock(stream_lock);
}

GstFlowReturn hawser_track_sink_render(GstBaseSink* sink, GstBuffer* buffer) {
    TrackSink& self = self_of(sink);
    send_oob(self);
    if (self.live.load(std::memory_order_relaxed) == Live::Unknown) learn_liveness(sink, self);
    const gsize size = gst_buffer_get_size(buffer);
    if (size > self.max_object_size) {
        self.host->fail({Errc::Invalid, "A buffer of " + std::to_string(size) +
                                            " bytes is larger than the property max-object-size (" +
                                            std::to_string(self.max_object_size) + " bytes) allows"});
        return GST_FLOW_ERROR;
    }
    const GstClockTime time = GST_BUFFER_DTS_OR_PTS(buffer);
    const GstFlowReturn flow = publish(sink, self, [&](session::TrackWriter& writer) {
        session::ObjectIn object;
        if (!self.encoder.begin(buffer, size, object)) {
            self.host->fail({Errc::NoResource, "The memory of a buffer cannot be read"});
            return session::PublishResult::Failed;
        }
        guint64 running_time = 0;
        if (is_timed(sink, time) &&
            gst_segment_to_running_time_full(&sink->segment, GST_FORMAT_TIME, time, &running_time) > 0)
            object.running_time = running_time;
        const session::PublishResult result = writer.publish(object);
        self.encoder.end();
        return result;
    });
    self.unknown_metas.store(self.encoder.unknown_metas(), std::memory_order_relaxed);
    if (flow == GST_FLOW_OK && is_timed(sink, time)) {
        self.position.store(time, std::memory_order_release);
        self.end = GST_BUFFER_DURATION_IS_VALID(buffer) ? time + GST_BUFFER_DURATION(buffer) : time;
    }
    return flow;
}

// Whether GstBaseSink and the pad would do no more with a buffer than have it rendered. The pad's stream lock
// and the PREROLL_LOCK are held. The pad's object lock, under which probes come and go, is not: who adds one
// while a buffer is on its way does not know either whether it will see that one; and who sets sync, whether
// it waits for its time.
bool goes_straight(GstBaseSink* sink, const TrackSink& self) {
    GstPad* pad = GST_BASE_SINK_PAD(sink);
    return g_atomic_int_get(&pad->num_probes) == 0 && !GST_PAD_IS_FLUSHING(pad) && !GST_PAD_IS_EOS(pad) &&
           !sink->eos && !sink->need_preroll && sink->have_newsegment && sink->segment.rate > 0 &&
           !sink->sync && !gst_base_sink_is_last_sample_enabled(sink) &&
           !self.stepped.load(std::memory_order_relaxed);
}

// Stream time of what was rendered last; GST_CLOCK_TIME_NONE where that is GstBaseSink's to say. Any thread.
GstClockTime position_of(GstBaseSink* sink, const TrackSink& self) {
    const ObjectLock lock(sink);
    const GstSegment& segment = sink->segment;
    const GstClockTime position = self.position.load(std::memory_order_acquire);
    if (sink->sync || segment.rate < 0) return GST_CLOCK_TIME_NONE;
    if (!GST_CLOCK_TIME_IS_VALID(position)) return self.position_before.load(std::memory_order_relaxed);
    const GstClockTime inside = std::clamp(position, segment.start, std::max(segment.start, segment.stop));
    return gst_segment_to_stream_time(&segment, GST_FORMAT_TIME, inside);
}

void forget_position(TrackSink& self, GstClockTime before) {
    self.position_before.store(before, std::memory_order_relaxed);
    self.position.store(GST_CLOCK_TIME_NONE, std::memory_order_release);
    self.end = GST_CLOCK_TIME_NONE;
}

GstFlowReturn hawser_track_sink_render_list(GstBaseSink* sink, GstBufferList* list) {
    // Many, so the reactor is told once.
    const auto hold_back = [&self = self_of(sink)](bool on) {
        if (session::TrackWriter* writer = self.writer) writer->hold_back(on);
    };
    const guint length = gst_buffer_list_length(list);
    GstFlowReturn flow = GST_FLOW_OK;
    hold_back(true);
    for (guint i = 0; i < length && flow == GST_FLOW_OK; ++i)
        flow = hawser_track_sink_render(sink, gst_buffer_list_get(list, i));
    hold_back(false);
    return flow;
}

gboolean hawser_track_sink_event(GstBaseSink* sink, GstEvent* event) {
    TrackSink& self = self_of(sink);
    switch (GST_EVENT_TYPE(event)) {
        case GST_EVENT_EOS:
        case GST_EVENT_GAP:
            break;  // wait_event() sends them when their time has come
        case GST_EVENT_FLUSH_STOP: {
            gst_event_ref(event);
            const gboolean done = GST_BASE_SINK_CLASS(hawser_track_sink_parent_class)->event(sink, event);
            forget_position(self, GST_CLOCK_TIME_NONE);
            session::TrackWriter* writer = self.writer;
            const std::optional<wire::Event> encoded = encode_event(event);
            if (writer && encoded) writer->event(*encoded);
            gst_event_unref(event);
            return done;
        }
        case GST_EVENT_STREAM_START:
        case GST_EVENT_CAPS:
            self.live = Live::Unknown;
            self.encoder.forget_pool();
            [[fallthrough]];
        default:
            if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_START) break;
            if (GST_EVENT_TYPE(event) == GST_EVENT_CUSTOM_DOWNSTREAM_OOB) {
                publish_oob(sink, self, event);
                break;
            }
            if (!(gst_event_type_get_flags(GST_EVENT_TYPE(event)) & GST_EVENT_TYPE_SERIALIZED)) {
                self.skipped_events.fetch_add(1, std::memory_order_relaxed);
                break;
            }
            if (publish_event(sink, self, event) != GST_FLOW_OK) {
                gst_event_unref(event);
                return FALSE;
            }
            if (GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT) forget_position(self, position_of(sink, self));
            break;
    }
    return GST_BASE_SINK_CLASS(hawser_track_sink_parent_class)->event(sink, event);
}

GstFlowReturn hawser_track_sink_wait_event(GstBaseSink* sink, GstEvent* event) {
    TrackSink& self = self_of(sink);
    GstFlowReturn flow = GST_BASE_SINK_CLASS(hawser_track_sink_parent_class)->wait_event(sink, event);
    if (flow != GST_FLOW_OK) return flow;
    flow = publish_event(sink, self, event);
    if (flow != GST_FLOW_OK) return flow;
    GstClockTime time = self.end;
    if (GST_EVENT_TYPE(event) == GST_EVENT_GAP) gst_event_parse_gap(event, &time, nullptr);
    if (is_timed(sink, time)) self.position.store(time, std::memory_order_release);
    if (GST_EVENT_TYPE(event) != GST_EVENT_EOS) return GST_FLOW_OK;
    // The EOS message says that all of it has arrived, or that linger has run out.
    for (session::TrackWriter* writer = self.writer; writer && !writer->drain();) {
        if (!self.unlocked) {
            GST_WARNING_OBJECT(sink, "not all was acknowledged before `linger` ran out");
            break;
        }
        flow = gst_base_sink_wait_preroll(sink);
        if (flow != GST_FLOW_OK) return flow;
    }
    return GST_FLOW_OK;
}

gboolean hawser_track_sink_unlock(GstBaseSink* sink) {
    TrackSink& self = self_of(sink);
    self.unlocked = true;
    if (session::TrackWriter* writer = self.writer) writer->unlock();
    return TRUE;
}

gboolean hawser_track_sink_unlock_stop(GstBaseSink* sink) {
    TrackSink& self = self_of(sink);
    if (session::TrackWriter* writer = self.writer) writer->unlock_stop();
    self.unlocked = false;
    return TRUE;
}

// Offers raw video memory that the ring can hold without a copy: from a pool without a bound, so that nobody
// waits for a frame to come back, and aligned. For everything else, aligned memory. No metas are asked for:
// what we can receive says little about what the far side's pipeline can, so layouts that need a meta to be
// understood are not invited.
gboolean hawser_track_sink_propose_allocation(GstBaseSink* sink, GstQuery* query) {
    constexpr gsize kAlignment = 63;  // as GstAllocationParams says it: 64 bytes
    GstAllocationParams params;
    gst_allocation_params_init(&params);
    params.align = kAlignment;
    gst_query_add_allocation_param(query, nullptr, &params);
    GstCaps* caps = nullptr;
    gboolean need_pool = FALSE;
    gst_query_parse_allocation(query, &caps, &need_pool);
    GstVideoInfo info;
    if (!need_pool || !caps || !gst_structure_has_name(gst_caps_get_structure(caps, 0), "video/x-raw") ||
        gst_caps_features_is_any(gst_caps_get_features(caps, 0)) || !gst_video_info_from_caps(&info, caps))
        return TRUE;
    const auto pool = Ptr<GstBufferPool>::adopt(gst_video_buffer_pool_new());
    GstStructure* config = gst_buffer_pool_get_config(pool.get());
    const auto size = static_cast<guint>(GST_VIDEO_INFO_SIZE(&info));
    gst_buffer_pool_config_set_params(config, caps, size, 0, 0);
    gst_buffer_pool_config_set_allocator(config, nullptr, &params);
    if (gst_buffer_pool_set_config(pool.get(), config))
        gst_query_add_allocation_pool(query, pool.get(), size, 0, 0);
    else
        GST_WARNING_OBJECT(sink, "cannot make a pool for %" GST_PTR_FORMAT, caps);
    return TRUE;
}

gboolean hawser_track_sink_send_event(GstElement* element, GstEvent* event) {
    TrackSink& self = self_of(GST_BASE_SINK(element));
    if (GST_EVENT_TYPE(event) == GST_EVENT_LATENCY) self.live = Live::Unknown;
    if (GST_EVENT_TYPE(event) == GST_EVENT_STEP) self.stepped = true;
    return GST_ELEMENT_CLASS(hawser_track_sink_parent_class)->send_event(element, event);
}

// GstBaseSink tells the position of the last buffer that it has seen.
gboolean hawser_track_sink_query(GstElement* element, GstQuery* query) {
    GstBaseSink* sink = GST_BASE_SINK(element);
    if (GST_QUERY_TYPE(query) == GST_QUERY_POSITION) {
        GstFormat format = GST_FORMAT_UNDEFINED;
        gst_query_parse_position(query, &format, nullptr);
        const GstClockTime position = position_of(sink, self_of(sink));
        gint64 value = 0;
        if (GST_CLOCK_TIME_IS_VALID(position) &&
            gst_pad_query_convert(GST_BASE_SINK_PAD(sink), GST_FORMAT_TIME, static_cast<gint64>(position),
                                  format, &value)) {
            gst_query_set_position(query, format, value);
            return TRUE;
        }
    }
    return GST_ELEMENT_CLASS(hawser_track_sink_parent_class)->query(element, query);
}

void hawser_track_sink_finalize(GObject* object) {
    delete HAWSER_TRACK_SINK(object)->self;
    G_OBJECT_CLASS(hawser_track_sink_parent_class)->finalize(object);
}

}  // namespace

static void hawser_track_sink_class_init(HawserTrackSinkClass* klass) {
    G_OBJECT_CLASS(klass)->finalize = hawser_track_sink_finalize;
    GstElementClass* element = GST_ELEMENT_CLASS(klass);
    element->send_event = hawser_track_sink_send_event;
    element->query = hawser_track_sink_query;
    gst_element_class_add_static_pad_template(element, &sink_template);
    gst_element_class_set_static_metadata(element, "Hawser track", "Sink/Network",
                                          "Sends one track of a hawsersink", "The Hawser authors");
    GstBaseSinkClass* base = GST_BASE_SINK_CLASS(klass);
    base->render = hawser_track_sink_render;
    base->render_list = hawser_track_sink_render_list;
    base->event = hawser_track_sink_event;
    base->wait_event = hawser_track_sink_wait_event;
    base->unlock = hawser_track_sink_unlock;
    base->unlock_stop = hawser_track_sink_unlock_stop;
    base->propose_allocation = hawser_track_sink_propose_allocation;
}

static void hawser_track_sink_init(HawserTrackSink* sink) {
    sink->self = new TrackSink;
    GstBaseSink* base = GST_BASE_SINK(sink);
    gst_base_sink_set_sync(base, FALSE);
    gst_base_sink_set_qos_enabled(base, FALSE);
    gst_base_sink_set_max_lateness(base, -1);
    gst_base_sink_set_last_sample_enabled(base, FALSE);
    gst_base_sink_set_drop_out_of_segment(base, FALSE);
}

namespace hawser::elements {

HawserTrackSink* make_track_sink(const char* name, TrackHost& host) {
    auto* sink = static_cast<HawserTrackSink*>(g_object_new(HAWSER_TYPE_TRACK_SINK, "name", name, nullptr));
    sink->self->host = &host;
    return sink;
}

void set_writer(HawserTrackSink* sink, session::TrackWriter* writer, std::uint64_t max_object_size) {
    sink->self->max_object_size = max_object_size;
    sink->self->live = Live::Unknown;
    sink->self->stepped = false;
    forget_position(*sink->self, GST_CLOCK_TIME_NONE);
    sink->self->writer = writer;
}

GstFlowReturn chain_into(HawserTrackSink* sink, GstBuffer* buffer) {
    GstBaseSink* base = GST_BASE_SINK_CAST(sink);
    GstPad* pad = GST_BASE_SINK_PAD(base);
    GST_PAD_STREAM_LOCK(pad);
    GST_BASE_SINK_PREROLL_LOCK(base);
    const bool straight = goes_straight(base, *sink->self);
    const GstFlowReturn flow = straight ? hawser_track_sink_render(base, buffer) : GST_FLOW_OK;
    GST_BASE_SINK_PREROLL_UNLOCK(base);
    GST_PAD_STREAM_UNLOCK(pad);
    if (!straight) return gst_pad_chain(pad, buffer);
    gst_buffer_unref(buffer);
    return flow;
}

session::TrackWriter* writer_of(HawserTrackSink* sink) {
    return sink->self->writer;
}
bool is_live(HawserTrackSink* sink) {
    return sink->self->live == Live::Yes;
}
std::uint64_t unknown_metas(HawserTrackSink* sink) {
    return sink->self->unknown_metas;
}
std::uint64_t skipped_events(HawserTrackSink* sink) {
    return sink->self->skipped_events;
}

}  // namespace hawser::elements
