#include "elements/queue_clock.h"

namespace hawser::elements {
namespace {

constexpr std::int64_t kNoTime = ring::FillMeter::kNoTime;

bool before_1_24() {
    guint major = 0, minor = 0, micro = 0, nano = 0;
    gst_version(&major, &minor, &micro, &nano);
    return major == 1 && minor < 23;
}

struct Span {
    GstClockTime first = GST_CLOCK_TIME_NONE;
    GstClockTime end;
};

gboolean extend(GstBuffer** buffer, guint, gpointer data) {
    auto* span = static_cast<Span*>(data);
    const GstClockTime time = GST_BUFFER_DTS_OR_PTS(*buffer);
    if (GST_CLOCK_TIME_IS_VALID(time)) {
        if (!GST_CLOCK_TIME_IS_VALID(span->first)) span->first = time;
        span->end = time;
    }
    if (GST_BUFFER_DURATION_IS_VALID(*buffer) && GST_CLOCK_TIME_IS_VALID(span->end))
        span->end += GST_BUFFER_DURATION(*buffer);
    return TRUE;
}

}  // namespace

QueueClock::QueueClock() : old_(before_1_24()) {
    reset();
}

void QueueClock::reset() {
    gst_segment_init(&segment_, GST_FORMAT_TIME);
    start_ = old_ ? 0 : kNoTime;
}

std::int64_t QueueClock::running_time(GstClockTime position) {
    if (!GST_CLOCK_TIME_IS_VALID(position)) return kNoTime;
    guint64 time = 0;
    const gint sign = gst_segment_to_running_time_full(&segment_, GST_FORMAT_TIME, position, &time);
    if (sign == 0) return kNoTime;
    return sign > 0 ? static_cast<std::int64_t>(time) : -static_cast<std::int64_t>(time);
}

std::int64_t QueueClock::segment(GstEvent* event) {
    gst_event_copy_segment(event, &segment_);
    if (segment_.format != GST_FORMAT_TIME) {
        // Timestamps count from 0 then.
        segment_.format = GST_FORMAT_TIME;
        segment_.start = 0;
        segment_.stop = GST_CLOCK_TIME_NONE;
        segment_.time = 0;
    }
    return old_ ? running_time(segment_.position) : kNoTime;
}

std::int64_t QueueClock::move_to(GstClockTime first, GstClockTime end) {
    if (start_ == kNoTime) start_ = running_time(first);
    segment_.position = end;
    return running_time(end);
}

std::int64_t QueueClock::gap(GstEvent* event) {
    GstClockTime time = GST_CLOCK_TIME_NONE;
    GstClockTime duration = GST_CLOCK_TIME_NONE;
    gst_event_parse_gap(event, &time, &duration);
    if (!GST_CLOCK_TIME_IS_VALID(time)) return kNoTime;
    return move_to(time, GST_CLOCK_TIME_IS_VALID(duration) ? time + duration : time);
}

std::int64_t QueueClock::buffer(GstBuffer* buffer) {
    GstClockTime time = GST_BUFFER_DTS_OR_PTS(buffer);
    if (!GST_CLOCK_TIME_IS_VALID(time)) {
        if (!old_) return kNoTime;
        time = segment_.position;
        // Nothing moves: spared the arithmetic, since this is every buffer of a stream without timestamps.
        if (!GST_CLOCK_TIME_IS_VALID(time) || !GST_BUFFER_DURATION_IS_VALID(buffer)) return kNoTime;
    }
    const GstClockTime duration = GST_BUFFER_DURATION(buffer);
    return move_to(time, GST_CLOCK_TIME_IS_VALID(duration) ? time + duration : time);
}

std::int64_t QueueClock::list(GstBufferList* list) {
    Span span{.end = old_ ? segment_.position : GST_CLOCK_TIME_NONE};
    gst_buffer_list_foreach(list, extend, &span);
    return GST_CLOCK_TIME_IS_VALID(span.end) ? move_to(span.first, span.end) : kNoTime;
}

}  // namespace hawser::elements
