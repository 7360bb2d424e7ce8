#include "elements/src_track.h"

#include <gst/video/video.h>

#include <algorithm>

#include "elements/event_codec.h"
#include "elements/received.h"

GST_DEBUG_CATEGORY_EXTERN(hawser_src_debug);
#define GST_CAT_DEFAULT hawser_src_debug

namespace hawser::elements {
namespace {

constexpr unsigned kTurn = 256;  // items handled before the task looks whether it shall stop
// Lists are for small objects that have piled up: where each comes by itself, it goes on by itself.
constexpr std::size_t kLeastInList = 8;
constexpr unsigned kLongestList = 64;
constexpr std::size_t kMostInList = 16 * 1024;  // bytes of an object

Ptr<GstPad> make_pad(GstElement* element, const std::string& name) {
    const char* pattern = name.starts_with("src_") ? "src_%u" : "%s";
    GstPadTemplate* pad_template =
        gst_element_class_get_pad_template(GST_ELEMENT_GET_CLASS(element), pattern);
    GstPad* pad = gst_pad_new_from_template(pad_template, name.c_str());
    gst_object_ref_sink(pad);
    gst_pad_use_fixed_caps(pad);
    return Ptr<GstPad>::adopt(pad);
}

}  // namespace

SrcTrack::SrcTrack(SrcHost& host, session::TrackReader& reader, bool rebase)
    : host_(host),
      reader_(reader),
      rebase_(rebase),
      pad_(make_pad(host.element(), reader.name())),
      timeline_(host.timeline(), rebase) {
    gst_pad_set_element_private(pad(), this);
    gst_pad_set_event_function(pad(), on_event);
    gst_pad_set_query_function(pad(), on_query);
}

SrcTrack::~SrcTrack() {
    stop();
}

void SrcTrack::start() {
    started_ = true;
    gst_pad_set_active(pad(), TRUE);
    gst_pad_start_task(
        pad(), [](gpointer self) { static_cast<SrcTrack*>(self)->iterate(); }, this, nullptr);
}

void SrcTrack::stop() {
    if (!std::exchange(started_, false)) return;
    gst_pad_set_active(pad(), FALSE);  // lets blocked pushes go
    gst_pad_stop_task(pad());
    gst_pad_set_element_private(pad(), nullptr);
    if (is_exposed()) gst_element_remove_pad(host_.element(), pad());
}

void SrcTrack::iterate() {
    session::Item* item = reader_.wait();
    if (!item) {
        if (host_.is_over()) push_eos();
        gst_pad_pause_task(pad());
        return;
    }
    // Whatever waits already, rather than one at a time: coming back here costs the task's lock.
    for (unsigned turn = 0; item && turn < kTurn; ++turn, item = reader_.peek()) {
        const bool go_on = handle(*item);
        reader_.handed();
        if (!go_on) {
            gst_pad_pause_task(pad());
            return;
        }
    }
}

bool SrcTrack::handle(session::Item& item) {
    bool go_on = true;
    switch (item.kind) {
        case session::Item::Kind::Object:
            return handle_objects();
        case session::Item::Kind::Event:
            go_on = handle_event(item.event());
            break;
        case session::Item::Kind::Gap:
            handle_gap(item.gap());
            break;
        case session::Item::Kind::Epoch:
            handle_epoch(item.epoch());
            break;
        case session::Item::Kind::None:
            break;
    }
    reader_.drop();
    return go_on;
}

void SrcTrack::handle_epoch(const session::EpochItem& item) {
    timeline_.new_epoch(item.number, item.running_time);
    if (item.number > 0) {
        discont_ = true;
        new_epoch_ = true;
    }
}

Ptr<GstBuffer> SrcTrack::take_object(const SegmentValues*& segment) {
    Ptr<GstBuffer> buffer = take_buffer(*reader_.peek());
    reader_.drop();
    const TrackTimeline::Output output =
        timeline_.map(GST_BUFFER_PTS(buffer.get()), GST_BUFFER_DTS(buffer.get()),
                      GST_BUFFER_DURATION(buffer.get()), timeline_.needs_now() ? host_.running_time() : 0);
    segment = output.segment;
    GST_BUFFER_PTS(buffer.get()) = output.pts;
    GST_BUFFER_DTS(buffer.get()) = output.dts;
    if (std::exchange(discont_, false)) GST_BUFFER_FLAG_SET(buffer.get(), GST_BUFFER_FLAG_DISCONT);
    new_epoch_ = false;
    return buffer;
}

bool SrcTrack::handle_objects() {
    if (ended_) {
        reader_.drop();
        return true;
    }
    expose();
    // Left where it is, unacknowledged, when there is no use in pushing it.
    if (!host_.wait_playing() || !reader_.peek()) return false;
    const std::size_t waiting = host_.buffer_lists() ? reader_.waiting() : 1;
    const SegmentValues* segment = nullptr;
    Ptr<GstBuffer> buffer = take_object(segment);
    push_segment(segment);
    if (waiting < kLeastInList || gst_buffer_get_size(buffer.get()) > kMostInList)
        return pushed(gst_pad_push(pad(), buffer.leak()));

    GstBufferList* list = gst_buffer_list_new_sized(kLongestList);
    gst_buffer_list_add(list, buffer.leak());
    Ptr<GstBuffer> behind;  // goes out after the list
    for (unsigned count = 1; count < kLongestList; ++count) {
        const session::Item* next = reader_.peek();
        if (!next || next->kind != session::Item::Kind::Object || next->object.bytes().size() > kMostInList)
            break;
        buffer = take_object(segment);
        if (segment) {
            behind = std::move(buffer);
            break;
        }
        gst_buffer_list_add(list, buffer.leak());
    }
    const bool go_on = pushed(gst_pad_push_list(pad(), list));
    if (!behind) return go_on;
    push_segment(segment);
    return pushed(gst_pad_push(pad(), behind.leak())) && go_on;
}

bool SrcTrack::pushed(GstFlowReturn flow) {
    if (flow == GST_FLOW_OK && flow_ == GST_FLOW_OK) return true;
    flow_ = flow;
    const bool go_on = host_.combine(*this, flow);
    if (flow == GST_FLOW_EOS || !go_on) push_eos();
    return go_on;
}

void SrcTrack::handle_gap(const session::GapItem& item) {
    if (item.gap.lost_objects() > 0 || item.gap.next() > item.gap.first()) discont_ = true;
    const guint64 from = timeline_.last_end();
    if (ended_ || !is_exposed() || from == GST_CLOCK_TIME_NONE) return;
    gst_pad_push_event(pad(), gst_event_new_gap(from, GST_CLOCK_TIME_NONE));
}

bool SrcTrack::handle_event(const session::EventItem& item) {
    if (ended_) return true;
    const wire::Event& event = item.event;
    if (event.kind() == wire::Event::FLUSH) {
        flush((event.flags() & 1) != 0);
        return true;
    }
    Ptr<GstEvent> made = decode_event(event, [this](guint32 senders) { return host_.group_id(senders); });
    if (!made) {
        GST_WARNING_OBJECT(pad(), "cannot read an event of kind %d, type %u", event.kind(), event.type());
        return true;
    }
    switch (GST_EVENT_TYPE(made.get())) {
        case GST_EVENT_SEGMENT:
            timeline_.segment(decode_segment(event.segment()));
            return true;
        case GST_EVENT_EOS:
            expose();
            push_eos();
            return true;
        case GST_EVENT_GAP: {
            expose();
            if (!host_.wait_playing()) return false;
            const auto output =
                timeline_.map(event.timestamp(), GST_CLOCK_TIME_NONE, event.duration(), host_.running_time());
            push_segment(output.segment);
            made = Ptr<GstEvent>::adopt(gst_event_new_gap(output.pts, event.duration()));
            if (event.flags() != 0)
                gst_event_set_gap_flags(made.get(), static_cast<GstGapFlags>(event.flags()));
            push_event(std::move(made));
            return true;
        }
        case GST_EVENT_STREAM_START: {
            const std::string id = host_.unique_stream_id(*this, event.text());
            if (id != event.text()) {
                wire::Event renamed = event;
                renamed.set_text(id);
                made = decode_event(renamed, [this](guint32 senders) { return host_.group_id(senders); });
            }
            break;
        }
        default:
            break;
    }
    if (is_repetition(made.get(), item.snapshot)) {
        GST_LOG_OBJECT(pad(), "known already: %" GST_PTR_FORMAT, made.get());
        return true;
    }
    const bool has_caps = GST_EVENT_TYPE(made.get()) == GST_EVENT_CAPS;
    push_event(std::move(made));
    if (has_caps) expose();
    return true;
}

// What downstream knows already, be it told to a joiner again or by the sender's next life.
bool SrcTrack::is_repetition(GstEvent* event, bool snapshot) const {
    if (!(gst_event_type_get_flags(GST_EVENT_TYPE(event)) & GST_EVENT_TYPE_STICKY)) return false;
    if (!snapshot && !new_epoch_) return false;
    if (!is_exposed()) return false;
    const Ptr<GstEvent> known = sticky_counterpart(pad(), event);
    if (!known) return false;
    // The stream goes on in the sender's next life, whatever id it has there.
    if (new_epoch_ && GST_EVENT_TYPE(event) == GST_EVENT_STREAM_START) return true;
    return same_event(known.get(), event);
}

void SrcTrack::expose() {
    if (is_exposed()) return;
    const bool begun = std::any_of(waiting_.begin(), waiting_.end(), [](const Ptr<GstEvent>& event) {
        return GST_EVENT_TYPE(event.get()) == GST_EVENT_STREAM_START;
    });
    if (!begun) {
        const GText id(gst_pad_create_stream_id(pad(), host_.element(), name().c_str()));
        GstEvent* start = gst_event_new_stream_start(id.get());
        gst_event_set_group_id(start, host_.group_id(0));
        waiting_.insert(waiting_.begin(), Ptr<GstEvent>::adopt(start));
    }
    // Stored, so that whoever links the pad gets them before anything else.
    for (const Ptr<GstEvent>& event : waiting_)
        if (gst_event_type_get_flags(GST_EVENT_TYPE(event.get())) & GST_EVENT_TYPE_STICKY)
            gst_pad_store_sticky_event(pad(), event.get());
    GST_DEBUG_OBJECT(pad(), "exposing");
    host_.expose(*this);
    exposed_.store(true, std::memory_order_release);
    for (Ptr<GstEvent>& event : waiting_)
        if (!(gst_event_type_get_flags(GST_EVENT_TYPE(event.get())) & GST_EVENT_TYPE_STICKY))
            gst_pad_push_event(pad(), event.leak());
    waiting_.clear();
    host_.exposed();
}

void SrcTrack::push_event(Ptr<GstEvent> event) {
    if (is_exposed())
        gst_pad_push_event(pad(), event.leak());
    else
        waiting_.push_back(std::move(event));
}

void SrcTrack::push_segment(const SegmentValues* segment) {
    if (segment) gst_pad_push_event(pad(), make_segment_event(*segment).leak());
}

void SrcTrack::push_eos() {
    if (ended_) return;
    ended_ = true;
    if (!is_exposed()) return;
    push_segment(timeline_.finish(host_.running_time()));
    gst_pad_push_event(pad(), gst_event_new_eos());
}

void SrcTrack::flush(bool reset_time) {
    if (!is_exposed()) return;
    GST_DEBUG_OBJECT(pad(), "flushing");
    gst_pad_push_event(pad(), gst_event_new_flush_start());
    // With rebase running time goes on, whatever the sender's did.
    gst_pad_push_event(pad(), gst_event_new_flush_stop(reset_time && !rebase_));
    timeline_.flushed();
}

gboolean SrcTrack::on_event(GstPad* pad, GstObject*, GstEvent* event) {
    auto* self = static_cast<SrcTrack*>(gst_pad_get_element_private(pad));
    gboolean handled = FALSE;
    if (self && gst_video_event_is_force_key_unit(event)) {
        gboolean all_headers = FALSE;
        guint count = 0;
        GstClockTime when = GST_CLOCK_TIME_NONE;
        gst_video_event_parse_upstream_force_key_unit(event, &when, &all_headers, &count);
        self->reader_.request_new_group(all_headers, count);
        handled = TRUE;
    } else {
        switch (GST_EVENT_TYPE(event)) {
            case GST_EVENT_LATENCY:
            case GST_EVENT_QOS:
            case GST_EVENT_RECONFIGURE:
                handled = TRUE;
                break;  // nothing to be done about it here
            default:
                break;
        }
    }
    gst_event_unref(event);
    return handled;
}

gboolean SrcTrack::on_query(GstPad* pad, GstObject* parent, GstQuery* query) {
    auto* self = static_cast<SrcTrack*>(gst_pad_get_element_private(pad));
    switch (GST_QUERY_TYPE(query)) {
        case GST_QUERY_LATENCY:
            if (!self) return FALSE;
            gst_query_set_latency(query, TRUE, self->host_.latency(), GST_CLOCK_TIME_NONE);
            return TRUE;
        case GST_QUERY_SCHEDULING:
            gst_query_set_scheduling(query,
                                     static_cast<GstSchedulingFlags>(GST_SCHEDULING_FLAG_SEQUENTIAL |
                                                                     GST_SCHEDULING_FLAG_BANDWIDTH_LIMITED),
                                     1, -1, 0);
            gst_query_add_scheduling_mode(query, GST_PAD_MODE_PUSH);
            return TRUE;
        case GST_QUERY_SEEKING: {
            GstFormat format = GST_FORMAT_TIME;
            gst_query_parse_seeking(query, &format, nullptr, nullptr, nullptr);
            gst_query_set_seeking(query, format, FALSE, 0, -1);
            return TRUE;
        }
        default:
            return gst_pad_query_default(pad, parent, query);
    }
}

}  // namespace hawser::elements
