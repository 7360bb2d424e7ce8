// One pad of hawsersrc and the task that feeds it.
//
// The task pops items, turns them into events and buffers and pushes them. It exposes its pad with the first
// CAPS, object, GAP or EOS, so that the pad has its sticky events when the application sees it. Objects wait
// for PLAYING, as those of any live source; events before them do not.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <mutex>
#include <vector>

#include "elements/gst_ptr.h"
#include "elements/timeline.h"
#include "runtime/session/subscriber.h"

namespace hawser::elements {

class SrcTrack;

// What a track asks of its element. Streaming threads.
class SrcHost {
  public:
    virtual GstElement* element() = 0;
    virtual SharedTimeline& timeline() = 0;
    // Blocks until the element is PLAYING and, for a bounded time, until every announced track has its pad: a
    // muxer must know all its inputs before the first buffer. False: the element is being stopped.
    virtual bool wait_playing() = 0;
    // The receiver's running time, 0 where it has none yet.
    virtual Nanoseconds running_time() = 0;
    virtual guint group_id(guint32 senders) = 0;
    // `wanted`, or where another track has it: a name like it that none has.
    virtual std::string unique_stream_id(const SrcTrack& track, const std::string& wanted) = 0;
    // Makes the track's pad the element's; one at a time, since those who link pads as they come rely on it.
    virtual void expose(SrcTrack& track) = 0;
    // The pad is there, and so are its sticky events.
    virtual void exposed() = 0;
    // A push returned `flow`; need not be told of GST_FLOW_OK again and again. False: the track shall end
    // (error posted, or the element is being stopped).
    virtual bool combine(SrcTrack& track, GstFlowReturn flow) = 0;
    // Whether the element has failed or was told to end, so that tracks end with EOS.
    virtual bool is_over() = 0;
    virtual guint64 latency() = 0;
    // Whether objects that wait may be pushed as a GstBufferList.
    virtual bool buffer_lists() = 0;

  protected:
    ~SrcHost() = default;
};

class SrcTrack {
  public:
    // Makes the pad. `host` and `reader` outlive the track's stop().
    SrcTrack(SrcHost& host, session::TrackReader& reader, bool rebase);
    ~SrcTrack();
    SrcTrack(const SrcTrack&) = delete;
    SrcTrack& operator=(const SrcTrack&) = delete;

    void start();
    void unlock() { reader_.unlock(); }
    // Ends the task (unlock() it, and what it may push into, before) and takes the pad away.
    void stop();

    GstPad* pad() const { return pad_.get(); }
    const std::string& name() const { return reader_.name(); }
    bool is_exposed() const { return exposed_.load(std::memory_order_acquire); }

  private:
    void iterate();
    // False: the task shall pause.
    bool handle(session::Item& item);
    bool handle_objects();
    bool handle_event(const session::EventItem& item);
    void handle_gap(const session::GapItem& item);
    void handle_epoch(const session::EpochItem& item);
    // The oldest object's buffer with its final timestamps, after a segment where one has to go before.
    Ptr<GstBuffer> take_object(const SegmentValues*& segment);
    bool pushed(GstFlowReturn flow);

    void expose();
    void push_segment(const SegmentValues* segment);
    // Sticky and other serialized events, in order; kept until the pad is exposed.
    void push_event(Ptr<GstEvent> event);
    bool is_repetition(GstEvent* event, bool snapshot) const;
    void push_eos();
    void flush(bool reset_time);

    static gboolean on_event(GstPad* pad, GstObject* parent, GstEvent* event);
    static gboolean on_query(GstPad* pad, GstObject* parent, GstQuery* query);

    SrcHost& host_;
    session::TrackReader& reader_;
    const bool rebase_;
    Ptr<GstPad> pad_;
    std::atomic<bool> exposed_{false};
    bool started_ = false;

    // Streaming thread.
    TrackTimeline timeline_;
    std::vector<Ptr<GstEvent>> waiting_;  // events that came before the pad was exposed
    GstFlowReturn flow_ = GST_FLOW_OK;    // of the last push, as the host knows it
    bool discont_ = false;
    bool ended_ = false;      // EOS was pushed: what comes now is thrown away
    bool new_epoch_ = false;  // since the epoch began no object has come
};

}  // namespace hawser::elements
