// What hawserqueue does: inputs in, one stream out.
#pragma once

#include <gst/gst.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "elements/gst_ptr.h"
#include "elements/queue_input.h"
#include "runtime/ring/adaptive_spin.h"
#include "runtime/ring/blocking_consumer.h"
#include "runtime/sched/priority_scheduler.h"

namespace hawser::elements {

enum class QueueLeak : int { No, Upstream, Downstream };  // numbered as GstQueueLeaky
enum class QueueSignal : std::uint8_t { Underrun, Running, Overrun, Pushing };
inline constexpr std::size_t kQueueSignals = 4;

// The element's properties; any thread reads them at any time.
struct QueueSettings {
    struct Bounds {
        std::atomic<guint> buffers;
        std::atomic<guint> bytes;
        std::atomic<guint64> time;
        ring::Fill get() const {
            return {buffers.load(std::memory_order_relaxed), bytes.load(std::memory_order_relaxed),
                    time.load(std::memory_order_relaxed)};
        }
    };
    Bounds max{200, 10u << 20, GST_SECOND};
    Bounds min{0, 0, 0};
    // Below this there is room for several.
    ring::Fill low_water() const {
        const ring::Fill full = max.get();
        return {full.items - full.items / 8, full.bytes - full.bytes / 8, full.time - full.time / 8};
    }
    std::atomic<QueueLeak> leaky{QueueLeak::No};
    std::atomic<bool> silent{false};
    std::atomic<bool> flush_on_eos{false};
};

// Lock order: a pad's stream lock, `mutex_`, an input's out_lock_. `mutex_` is not held across a push, a
// signal or a wait; a buffer takes none of it on its way.
//
// Threads: each input's streaming thread (chain, serialized events and queries), the src pad's task (loop),
// and any others (flushes, state changes, properties, pads that come and go).
class QueueCore {
  public:
    // `src` and `element` are borrowed and outlive it. `signals`: ids, by QueueSignal.
    QueueCore(GstElement* element, GstPad* src, const std::array<guint, kQueueSignals>& signals);
    QueueCore(const QueueCore&) = delete;
    QueueCore& operator=(const QueueCore&) = delete;

    QueueSettings settings;
    void max_changed();  // after a change of settings.max or leaky
    void min_changed();

    std::shared_ptr<QueueInput> add_input(GstPad* pad);
    // Its pad is inactive.
    void remove_input(const std::shared_ptr<QueueInput>& input);

    bool activate_input(QueueInput& input, bool active);
    bool activate_src(bool active);

    // ---- From upstream
    GstFlowReturn chain(QueueInput& input, QueueItem&& item);
    GstFlowReturn event(QueueInput& input, GstEvent* event);  // takes it
    bool serialized_query(QueueInput& input, GstQuery* query);

    // ---- From downstream
    // It has been linked again: goes on where it stopped because it was not.
    void reconfigured();

    // Of all inputs: the sums of items and bytes, the longest time.
    ring::Fill level() const;
    std::vector<std::shared_ptr<QueueInput>> inputs() const;

  private:
    using Lock = std::unique_lock<std::mutex>;

    // ---- queue_core.cpp
    void update(Lock&);  // after a change of result_, flushes_ or of an input's Control
    void start_task(Lock&);
    void fail_query(Lock&, QueueInput& input);
    void wake_all();
    bool flush_start(QueueInput& input, GstEvent* event);
    bool flush_stop(QueueInput& input, GstEvent* event);
    void emit(QueueSignal which);
    // What the input's producer gets, but for the end of a stream.
    GstFlowReturn flow_of(Lock&, const QueueInput& input) const {
        return input.control.flushing ? GST_FLOW_FLUSHING : result_;
    }

    // ---- queue_upstream.cpp
    enum class Room : std::uint8_t { Found, Leaked, Refused };
    Room make_room(QueueInput& input, const QueueItem& item);
    void wait_for_room(QueueInput& input);
    void leak(QueueInput& input);
    GstFlowReturn serialized(QueueInput& input, GstEvent* event);

    // ---- queue_downstream.cpp: the task
    static void loop(gpointer self);
    bool step();
    bool next(QueueInput*& input, QueueItem& item);
    bool pick(QueueInput*& input, QueueItem& item);
    bool has_work() const;
    bool is_ready(const QueueInput& input) const;
    bool wait_for_data();
    void notify_room(QueueInput& input);
    void refresh_inputs();
    GstFlowReturn deliver(QueueInput& input, QueueItem& item);
    GstFlowReturn deliver_event(QueueInput& input, Ptr<GstEvent> event);
    void push_again(QueueInput& input, GstEvent* event);
    GstFlowReturn deliver_eos(Ptr<GstEvent> event);
    GstFlowReturn run_query(QueueInput& input, std::uint64_t number);
    bool pass_after_eos(QueueInput& input, const QueueItem& item);
    void downstream_ended();
    void refuse_more();
    void turn_to(QueueInput& input);
    void note_flushes();
    void announce_gap(QueueInput& input);
    bool all_over() const;
    bool stop_for(GstFlowReturn result);

    GstElement* const element_;
    GstPad* const src_;
    const std::array<guint, kQueueSignals> signals_;

    mutable std::mutex mutex_;
    std::vector<std::shared_ptr<QueueInput>> inputs_;  // mutex_
    GstFlowReturn result_ = GST_FLOW_FLUSHING;         // mutex_; of the src pad
    unsigned flushes_ = 0;                             // mutex_; inputs between flush-start and flush-stop
    std::atomic<bool> stop_{true};                     // written under mutex_: the task has to end
    std::atomic<unsigned> inputs_version_{0};          // written under mutex_
    std::atomic<bool> flushed_{false};                 // the task has to look which inputs were

    ring::BlockingConsumer data_;  // the task sleeps here

    // The task's own.
    std::vector<std::shared_ptr<QueueInput>> serving_;
    std::vector<sched::Candidate> candidates_;
    unsigned serving_version_ = 0;
    ring::AdaptiveSpin spin_;
    sched::PriorityScheduler scheduler_;
    Ptr<GstEvent> sent_caps_;
    Ptr<GstEvent> sent_segment_;
    bool stream_started_ = false;
    bool eos_sent_ = false;
    bool check_over_ = false;           // an input has gone, so all others may be at their end
    const QueueInput* last_ = nullptr;  // whose stream downstream sees now; compared, never followed
};

}  // namespace hawser::elements
