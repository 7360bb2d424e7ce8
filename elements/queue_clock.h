// Where in the stream the end of a queue stands: what its level in time is counted with.
#pragma once

#include <gst/gst.h>

#include <cstdint>

#include "elements/queue_item.h"

namespace hawser::elements {

// Follows segments, buffers and gaps as GstQueue does, and answers with running times (ns, may be negative;
// FillMeter::kNoTime: not known). GstQueue's rules changed with GStreamer 1.24: since then the level does not
// count the time before the first buffer, and buffers without a timestamp do not move the position. The rules
// are those of the GStreamer that it runs with. One thread.
class QueueClock {
  public:
    QueueClock();
    void reset();  // as after a flush

    // Each answers with the position behind it.
    std::int64_t segment(GstEvent* event);
    std::int64_t gap(GstEvent* event);
    std::int64_t buffer(GstBuffer* buffer);
    std::int64_t list(GstBufferList* list);

    // The position before anything has come: of the empty stream, or of what came first.
    std::int64_t start() const { return start_; }
    bool is_old() const { return old_; }

  private:
    std::int64_t move_to(GstClockTime first, GstClockTime end);
    std::int64_t running_time(GstClockTime position);

    const bool old_;
    GstSegment segment_;
    std::int64_t start_;
};

}  // namespace hawser::elements
