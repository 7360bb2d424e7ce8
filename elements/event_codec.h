// GstEvent ↔ wire::Event.
#pragma once

#include <gst/gst.h>

#include <functional>
#include <optional>

#include "elements/gst_ptr.h"
#include "elements/timeline.h"
#include "hawser/wire.pb.h"

namespace hawser::elements {

// The event as it travels. Nothing where it cannot or must not: instant (not serialized) events, FLUSH_START,
// and those whose structure has no text form that reads back the same (SINK_MESSAGE, STREAM_COLLECTION, …).
// FLUSH_STOP is the FLUSH of the wire.
std::optional<wire::Event> encode_event(GstEvent* event);

// The event of the wire; null where it makes no sense here. SEGMENT: as it was sent. FLUSH is two events and
// the caller's business. `group_id` maps the sender's group ids (0: it told none) to this process's.
using GroupIds = std::function<guint(guint32)>;
Ptr<GstEvent> decode_event(const wire::Event& event, const GroupIds& group_id);

SegmentValues decode_segment(const wire::Segment& segment);
Ptr<GstEvent> make_segment_event(const SegmentValues& values);

// Whether two sticky events say the same (sequence numbers and group ids aside).
bool same_event(GstEvent* a, GstEvent* b);
// The sticky event on `pad` that `event` would replace; null where there is none.
Ptr<GstEvent> sticky_counterpart(GstPad* pad, GstEvent* event);

}  // namespace hawser::elements
