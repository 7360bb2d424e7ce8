// One sink pad of hawserqueue: the ring behind it, how full it is, and what is thrown away of it.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "elements/gst_ptr.h"
#include "elements/queue_clock.h"
#include "elements/queue_item.h"
#include "runtime/base/fence.h"
#include "runtime/ring/adaptive_spin.h"
#include "runtime/ring/blocking_consumer.h"
#include "runtime/ring/fill_meter.h"
#include "runtime/ring/spsc_chain.h"
#include "runtime/sched/late_drop.h"

namespace hawser::elements {

// Why data did not come out at the other end.
enum class QueueLoss : std::uint8_t {
    Late,        // its deadline passed
    Dependent,   // a delta unit of something late
    Upstream,    // leaky=upstream: the queue was full when it came
    Downstream,  // leaky=downstream: made room for newer data
    Flushed,     // a flush, a stop, or downstream is at its end
};
inline constexpr std::size_t kQueueLosses = 5;

// Where nothing came out, in the stream's time.
struct QueueGap {
    GstClockTime begin = GST_CLOCK_TIME_NONE;
    GstClockTime end = GST_CLOCK_TIME_NONE;
};

// The producer is the pad's streaming thread (whoever holds the pad's stream lock). The consumer is the src
// pad's task; others take items out in its place (a flush, a leak), so taking out is under a lock, which the
// task finds free but for these cases. "Control" is QueueCore's mutex.
class QueueInput {
  public:
    explicit QueueInput(GstPad* pad) : pad_(pad), name_(GST_OBJECT_NAME(pad)) {}
    QueueInput(const QueueInput&) = delete;
    QueueInput& operator=(const QueueInput&) = delete;

    // Borrowed; the input is removed before the pad dies.
    GstPad* pad() const { return pad_; }
    const std::string& name() const { return name_; }

    // ---- Producer
    // What upstream is answered; with anything but OK nothing may be put in.
    GstFlowReturn flow() const { return static_cast<GstFlowReturn>(flow_.load(std::memory_order_acquire)); }
    bool full(const ring::Fill& bounds) { return meter_.full(bounds); }
    void put(QueueItem&& item);
    bool take_discont() { return std::exchange(discont_in_, false); }
    void leaked_upstream(const QueueItem& item);
    // Whether it would rather not be woken for room for a single buffer.
    void set_patient(bool on) { patient_.store(on, std::memory_order_relaxed); }
    bool patience_pays() { return impatient_ == 0 || --impatient_ == 0; }
    void learn_patience(bool paid) { impatient_ = paid ? 0 : 32; }

    // ---- Consumer
    // The next item, after what is past its deadline. False where there is none.
    bool take(QueueItem& into);
    // take() counted it as sent, but it was thrown away.
    void not_sent(const QueueItem& item);
    // Drops what is past its deadline; then the next one's deadline. Nothing: it is empty.
    std::optional<TimePoint> head(TimePoint now);
    // Sticky: it comes once more, in front of the next item.
    void carry_event(GstEvent* event);
    // A gap in the stream which take() has left and nobody has announced yet.
    bool has_gap() const { return has_gap_.load(std::memory_order_relaxed); }
    std::optional<QueueGap> take_gap();

    // ---- In the consumer's place, any thread
    // Drops the oldest item, unless there is none; the next data from the consumer gets DISCONT. Sticky
    // events are kept for the consumer. `was_query`: somebody waits for its answer.
    bool leak_oldest(bool& was_query);
    // All of it; where `keep`, but for sticky events that are not bound to the flow (as SEGMENT and EOS are).
    void discard(bool keep);
    void mark_discont();

    // ---- Any thread
    bool empty() const { return chain_.empty_approx(); }
    bool ends_in_data() const { return ends_in_data_.load(std::memory_order_acquire); }
    bool is_patient() const { return patient_.load(std::memory_order_relaxed); }
    bool is_drained_at_any_level() const { return draining_.load(std::memory_order_acquire); }
    ring::Fill level() const { return meter_.level(); }
    std::uint64_t put_buffers() const { return meter_.total_in(); }
    std::uint64_t put_bytes() const { return meter_.total_bytes_in(); }
    std::uint64_t sent_buffers() const { return sent_buffers_.load(std::memory_order_relaxed); }
    std::uint64_t sent_bytes() const { return sent_bytes_.load(std::memory_order_relaxed); }
    std::uint64_t lost(QueueLoss why) const {
        return losses_[static_cast<std::size_t>(why)].load(std::memory_order_relaxed);
    }
    std::uint8_t priority() const { return priority_.load(std::memory_order_relaxed); }
    void set_priority(std::uint8_t priority) { priority_.store(priority, std::memory_order_relaxed); }
    // Zero or less: no deadline.
    Duration max_latency() const { return Duration(max_latency_.load(std::memory_order_relaxed)); }
    void set_max_latency(Duration latency) { max_latency_.store(latency.count(), std::memory_order_relaxed); }
    // Whether the stream's end needs this pad's: it is linked, or something has come.
    bool takes_part() const { return seen_.load(std::memory_order_relaxed) || gst_pad_is_linked(pad_); }

    // ---- Both ends at rest
    void reset_positions();

    // ---- Control
    struct Control {
        bool flushing = true;     // inactive, or between flush-start and flush-stop
        bool in_flush = false;    // between flush-start and flush-stop
        bool eos = false;         // EOS has been put in
        bool unexpected = false;  // downstream wants no more until the next segment
        // The producer's serialized query under way.
        GstQuery* query = nullptr;
        std::uint64_t query_number = 0;
        enum class Query : std::uint8_t { None, Waits, InHand, Done } query_state = Query::None;
        bool query_result = false;
    } control;
    std::condition_variable query_changed;  // with Control's mutex
    void set_flow(GstFlowReturn flow) { flow_.store(flow, std::memory_order_release); }
    void set_draining(bool on) { draining_.store(on, std::memory_order_release); }

    std::atomic<bool> flushed{false};  // for the task: what it knows of the stream is no longer so

    // ---- The task's notes
    struct Output {
        Ptr<GstEvent> caps;  // last that came out of the ring
        Ptr<GstEvent> segment;
        bool over = false;        // its EOS came out
        bool discarding = false;  // downstream is at its end
    } output;

    ring::BlockingConsumer room;   // the producer sleeps here
    ring::AdaptiveSpin room_spin;  // producer

  private:
    // Under out_lock_:
    bool pop(QueueItem& into);
    void carry(GstEvent* event);
    void drop_late(TimePoint now);
    void count_loss(QueueLoss why, std::uint64_t buffers) {
        losses_[static_cast<std::size_t>(why)].fetch_add(buffers, std::memory_order_relaxed);
    }

    GstPad* const pad_;
    const std::string name_;
    // Written seldom.
    alignas(kCacheLine) std::atomic<int> flow_{GST_FLOW_FLUSHING};
    std::atomic<std::int64_t> max_latency_{-1};
    std::atomic<std::uint8_t> priority_{4};
    std::atomic<bool> draining_{false};
    std::atomic<bool> patient_{false};
    std::atomic<bool> seen_{false};
    // Producer.
    alignas(kCacheLine) std::atomic<bool> ends_in_data_{false};
    bool discont_in_ = false;
    std::uint8_t impatient_ = 0;
    QueueClock clock_;
    // Consumer, under the lock.
    alignas(kCacheLine) std::mutex out_lock_;
    bool discont_out_ = false;
    sched::LateDrop late_;
    std::optional<QueueGap> gap_;
    std::atomic<bool> has_gap_{false};
    std::vector<Ptr<GstEvent>> carried_;  // sticky events of what was dropped; in front of the next item
    std::atomic<std::uint64_t> sent_buffers_{0};
    std::atomic<std::uint64_t> sent_bytes_{0};

    ring::SpscChain<QueueItem> chain_;
    ring::FillMeter meter_;
    std::atomic<std::uint64_t> losses_[kQueueLosses]{};
};

}  // namespace hawser::elements
