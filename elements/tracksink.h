// The private GstBaseSink behind each pad of hawsersink: encodes what comes and gives it to the track's
// writer.
#pragma once

#include <gst/base/gstbasesink.h>

#include <cstdint>

#include "runtime/base/result.h"
#include "runtime/session/publisher.h"

namespace hawser::elements {

// What a track sink asks of the element it belongs to. Any thread but the reactor's.
class TrackHost {
  public:
    // A track has learned whether its upstream is live.
    virtual void live_changed() = 0;
    // The session has failed: has its error posted before the caller returns GST_FLOW_ERROR.
    virtual void post_failure() = 0;
    // An error of the track's own.
    virtual void fail(const Error& error) = 0;

  protected:
    ~TrackHost() = default;
};

struct TrackSink;  // C++ half

}  // namespace hawser::elements

G_BEGIN_DECLS
#define HAWSER_TYPE_TRACK_SINK (hawser_track_sink_get_type())
G_DECLARE_FINAL_TYPE(HawserTrackSink, hawser_track_sink, HAWSER, TRACK_SINK, GstBaseSink)
G_END_DECLS

namespace hawser::elements {

// `host` outlives the sink's being in a state above READY.
HawserTrackSink* make_track_sink(const char* name, TrackHost& host);
// The writer to publish to; null: none (any more). Only while the sink is READY or lower.
void set_writer(HawserTrackSink* sink, session::TrackWriter* writer, std::uint64_t max_object_size);
// The writer, to unlock it or to change its priority; null where there is none. Valid until set_writer().
session::TrackWriter* writer_of(HawserTrackSink* sink);
// As gst_pad_chain() on the sink's pad. Where GstBaseSink would do nothing but render the buffer, as it does
// when PLAYING without sync, it is not gone through, nor is the pad: the two cost as much as rendering a
// small buffer.
GstFlowReturn chain_into(HawserTrackSink* sink, GstBuffer* buffer);
bool is_live(HawserTrackSink* sink);
std::uint64_t unknown_metas(HawserTrackSink* sink);
std::uint64_t skipped_events(HawserTrackSink* sink);

}  // namespace hawser::elements
