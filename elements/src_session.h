// hawsersrc's C++ half: its subscriber, what that reports, and the tracks.
//
// Lock order: mutex_ is a leaf, but for the dispatcher's queue; nothing is called out of the element under
// it.
#pragma once

#include <gst/base/gstflowcombiner.h>
#include <gst/gst.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "elements/receive_pool.h"
#include "elements/reporter.h"
#include "elements/src_track.h"
#include "elements/stats.h"
#include "runtime/session/subscriber.h"

namespace hawser::elements {

class SrcSession final : public session::SubscriberListener, public SrcHost {
  public:
    // `element` owns this.
    explicit SrcSession(GstElement* element);
    ~SrcSession();

    // READY→PAUSED. A failure is posted.
    struct Settings {
        session::SubscriberConfig subscriber;
        bool rebase = true;
        bool buffer_lists = false;
        io::Engine engine = io::Engine::Auto;
    };
    bool start(const Settings& settings);
    // PAUSED→READY: interrupts everything, before the pads are deactivated…
    void stop();
    // …and takes tracks and pads away, once they are.
    void finish();
    void set_playing(bool playing);

    void set_latency(guint64 nanoseconds) { latency_ = nanoseconds; }
    void reconnect();
    // Ends every track with EOS, behind what it is just handing on. Any thread; does nothing unless started.
    void end();
    session::State state() const { return reporter_.state(); }
    guint current_port() const;
    StructurePtr stats() const;
    Reporter& reporter() { return reporter_; }

  private:
    // session::SubscriberListener; reactor thread
    void on_state(session::State state, session::State before, const std::string& reason) override;
    void on_track(session::TrackReader& reader) override;
    void on_tracks_complete() override;
    void on_recovered(const session::Recovery& recovery) override;
    void on_gap(const std::string& track, const wire::Gap& gap) override;
    session::HeldBytes land(session::TrackReader& track, const wire::ObjectHeader& header) override;
    void on_warning(const Error& error) override { reporter_.warning(error); }
    void on_failed(const Error& error) override;

    // SrcHost; streaming threads
    GstElement* element() override { return element_; }
    SharedTimeline& timeline() override { return *timeline_; }
    bool wait_playing() override;
    Nanoseconds running_time() override;
    guint group_id(guint32 senders) override;
    std::string unique_stream_id(const SrcTrack& track, const std::string& wanted) override;
    void expose(SrcTrack& track) override;
    void exposed() override;
    bool combine(SrcTrack& track, GstFlowReturn flow) override;
    bool is_over() override { return reporter_.has_failed() || ending_.load(std::memory_order_acquire); }
    guint64 latency() override { return latency_; }
    bool buffer_lists() override { return buffer_lists_; }

    void make_track(session::TrackReader& reader, unsigned run);
    void check_complete();
    void unlock_tracks();
    std::shared_ptr<session::Subscriber> subscriber() const;

    GstElement* const element_;
    Reporter reporter_;
    std::atomic<guint64> latency_{0};
    std::atomic<bool> ending_{false};  // end() was called in this run

    std::mutex pads_;  // held while a pad is added, application's handlers included; before mutex_
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool rebase_ = true;         // set by start()
    bool buffer_lists_ = false;  // set by start()
    // For the reactor alone; from start() to finish().
    std::unique_ptr<ReceivePool> pool_;
    // What wait_playing() returns if not asked under mutex_: true while nothing is there to be waited for.
    std::atomic<bool> flowing_{false};
    unsigned run_ = 0;      // mutex_: counts start()s, so that late tasks are known
    bool playing_ = false;  // mutex_
    bool stopping_ = true;  // mutex_
    std::shared_ptr<session::Subscriber> subscriber_;  // mutex_; from start() to finish()
    std::vector<std::unique_ptr<SrcTrack>> tracks_;    // mutex_
    std::unique_ptr<SharedTimeline> timeline_;         // set by start()
    GstFlowCombiner* combiner_;                        // mutex_
    unsigned announced_ = 0;                           // mutex_: tracks of on_track()
    bool all_announced_ = false;                       // mutex_
    bool no_more_pads_ = false;                        // mutex_
    std::optional<std::chrono::steady_clock::time_point>
        pads_by_;                                        // mutex_: data waits for pads no longer than that
    std::map<guint32, guint> group_ids_;                 // mutex_: sender's → ours
    std::map<std::string, const SrcTrack*> stream_ids_;  // mutex_
    session::SubscriberStats last_stats_;                // mutex_; of the last run
};

}  // namespace hawser::elements
