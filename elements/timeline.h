// timestamp-mode=rebase: maps the sender's running time to the receiver's. Plain integers; no GStreamer.
//
// One offset for all pads of an element keeps them in step. Within the sender's first life the offset goes
// into the segments and timestamps stay as they were sent; in later lives (epochs) the pad keeps its segment
// and the timestamps are shifted, so that they go on without a jump. Running time never goes back on any pad.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>

namespace hawser::elements {

using Nanoseconds = std::int64_t;

// GstSegment's numbers.
struct SegmentValues {
    static constexpr std::uint64_t kUnset = std::numeric_limits<std::uint64_t>::max();
    static constexpr std::uint32_t kTimeFormat = 3;  // GST_FORMAT_TIME

    std::uint32_t flags = 0;
    std::uint32_t format = kTimeFormat;
    double rate = 1.0;
    double applied_rate = 1.0;
    std::uint64_t base = 0;
    std::uint64_t offset = 0;
    std::uint64_t start = 0;
    std::uint64_t stop = kUnset;
    std::uint64_t time = 0;
    std::uint64_t position = 0;
    std::uint64_t duration = kUnset;

    bool operator==(const SegmentValues&) const = default;

    bool is_time() const { return format == kTimeFormat; }
    // Signed: timestamps outside the segment have one, too.
    Nanoseconds running_time(std::uint64_t timestamp) const;
    // The same segment with all running times `by` later. Where the base would get negative, the start moves
    // instead (and the stream time with it).
    SegmentValues later(Nanoseconds by) const;
};

// What the pads of an element share. Thread-safe.
class SharedTimeline {
  public:
    // A pad is about to hand out its first object of `era`, whose running time at the sender is `sender`, at
    // `now` of the receiver's running time. The first pad to come decides. Returns the offset to add.
    Nanoseconds enter(std::uint64_t era, Nanoseconds sender, Nanoseconds now);
    // The offset in force in `era`; `otherwise` where that is over for the other pads.
    Nanoseconds offset(std::uint64_t era, Nanoseconds otherwise) const;
    // Counts changes of what offset() returns, so that it need not be asked for each object.
    std::uint64_t changes() const { return changes_.load(std::memory_order_acquire); }
    // This pad's output would go back unless the offset of `era` is at least this.
    Nanoseconds at_least(std::uint64_t era, Nanoseconds offset);
    // Something was handed out that ends at this running time.
    void output_until(Nanoseconds end);

  private:
    mutable std::mutex mutex_;
    std::optional<std::uint64_t> era_;       // mutex_
    Nanoseconds offset_ = 0;                 // mutex_
    std::atomic<std::uint64_t> changes_{0};  // of era_ and offset_; written under mutex_
    std::atomic<Nanoseconds> end_{0};
};

// One pad's view; its streaming thread only.
class TrackTimeline {
  public:
    TrackTimeline(SharedTimeline& shared, bool rebase) : shared_(shared), rebase_(rebase) {}

    // A new life of the sender begins; `running_time` (or kUnset) is the least that will come on any track.
    void new_epoch(unsigned number, std::uint64_t running_time);
    // A flush was handed on: downstream has forgotten its segment.
    void flushed();
    // The sender's segment; goes out, if it has to, with what comes next.
    void segment(const SegmentValues& segment);

    struct Output {
        const SegmentValues* segment = nullptr;  // to be pushed first; good until the timeline is told more
        std::uint64_t pts = SegmentValues::kUnset;
        std::uint64_t dts = SegmentValues::kUnset;
    };
    // Maps an object (or GAP event: `dts` unset). `now`: the receiver's running time, where it is needed.
    bool needs_now() const { return !anchored_; }
    Output map(std::uint64_t pts, std::uint64_t dts, std::uint64_t duration, Nanoseconds now);
    // Nothing is left to come: the segment that still has to be pushed, if any. As Output::segment.
    const SegmentValues* finish(Nanoseconds now);

    // Where the last output ended, as a timestamp in the segment that went out last; kUnset where not known.
    std::uint64_t last_end() const { return last_end_timestamp_; }

  private:
    bool shifts() const;
    void anchor(std::optional<Nanoseconds> running_time, Nanoseconds now);
    void note_output(std::optional<Nanoseconds> running_time, std::uint64_t pts, std::uint64_t duration);

    SharedTimeline& shared_;
    const bool rebase_;
    std::uint64_t era_ = 0;  // epoch's number << 32 | flushes in it
    std::uint64_t epoch_running_time_ = SegmentValues::kUnset;
    bool anchored_ = false;
    Nanoseconds offset_ = 0;  // the last one used
    std::uint64_t seen_changes_ = 0;

    std::optional<SegmentValues> in_;   // the sender's
    std::optional<SegmentValues> out_;  // the one pushed last
    std::uint64_t out_era_ = 0;         // era in which out_ was pushed
    bool pending_ = false;              // in_ came after the last push
    std::optional<Nanoseconds> last_end_;
    std::optional<Nanoseconds> last_start_;
    std::uint64_t last_end_timestamp_ = SegmentValues::kUnset;
};

}  // namespace hawser::elements
