#include "elements/timeline.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace hawser::elements {
namespace {

constexpr std::uint64_t kUnset = SegmentValues::kUnset;
constexpr Nanoseconds kLongestGuess = 1'000'000'000;  // of an object that tells no duration

Nanoseconds scale(Nanoseconds time, double rate) {
    return rate == 1.0 ? time : static_cast<Nanoseconds>(std::llround(static_cast<double>(time) * rate));
}

std::uint64_t shifted(std::uint64_t timestamp, Nanoseconds by) {
    if (timestamp == kUnset || by == 0) return timestamp;
    const auto moved = static_cast<Nanoseconds>(timestamp) + by;
    return moved < 0 ? 0 : static_cast<std::uint64_t>(moved);
}

unsigned epoch_of(std::uint64_t era) {
    return static_cast<unsigned>(era >> 32);
}

}  // namespace

Nanoseconds SegmentValues::running_time(std::uint64_t timestamp) const {
    const auto at = static_cast<Nanoseconds>(timestamp);
    const auto skip = static_cast<Nanoseconds>(offset);
    const double speed = std::abs(rate) > 0 ? std::abs(rate) : 1.0;
    const Nanoseconds inside = rate >= 0 || stop == kUnset ? at - static_cast<Nanoseconds>(start) - skip
                                                           : static_cast<Nanoseconds>(stop) - skip - at;
    return scale(inside, 1.0 / speed) + static_cast<Nanoseconds>(base);
}

SegmentValues SegmentValues::later(Nanoseconds by) const {
    SegmentValues moved = *this;
    const Nanoseconds wanted = static_cast<Nanoseconds>(base) + by;
    if (wanted >= 0) {
        moved.base = static_cast<std::uint64_t>(wanted);
        return moved;
    }
    moved.base = 0;
    const Nanoseconds cut = scale(-wanted, std::abs(rate));
    if (rate >= 0 || stop == kUnset) {
        moved.start = start + static_cast<std::uint64_t>(cut);
        if (time != kUnset) moved.time = shifted(time, scale(cut, applied_rate));
        if (stop != kUnset && moved.start > stop) moved.stop = kUnset;
        moved.position = std::max(position, moved.start);
    } else {
        moved.stop = stop - std::min(stop - start, static_cast<std::uint64_t>(cut));
        moved.position = std::min(position, moved.stop);
    }
    return moved;
}

Nanoseconds SharedTimeline::enter(std::uint64_t era, Nanoseconds sender, Nanoseconds now) {
    const std::lock_guard lock(mutex_);
    if (!era_ || era > *era_) {
        // After a flush what was output before is forgotten; in a new epoch it has still to be played.
        const bool flushed = era_ && epoch_of(era) == epoch_of(*era_);
        offset_ = (flushed ? now : std::max(now, end_.load(std::memory_order_relaxed))) - sender;
        if (flushed) end_.store(now, std::memory_order_relaxed);
        era_ = era;
        changes_.fetch_add(1, std::memory_order_release);
    }
    return offset_;
}

Nanoseconds SharedTimeline::offset(std::uint64_t era, Nanoseconds otherwise) const {
    const std::lock_guard lock(mutex_);
    return era_ == era ? offset_ : otherwise;
}

Nanoseconds SharedTimeline::at_least(std::uint64_t era, Nanoseconds offset) {
    const std::lock_guard lock(mutex_);
    if (era_ != era) return offset;
    if (offset > offset_) {
        offset_ = offset;
        changes_.fetch_add(1, std::memory_order_release);
    }
    return offset_;
}

void SharedTimeline::output_until(Nanoseconds end) {
    Nanoseconds before = end_.load(std::memory_order_relaxed);
    while (before < end && !end_.compare_exchange_weak(before, end, std::memory_order_relaxed)) {
    }
}

void TrackTimeline::new_epoch(unsigned number, std::uint64_t running_time) {
    era_ = std::uint64_t{number} << 32;
    epoch_running_time_ = running_time;
    anchored_ = false;
}

void TrackTimeline::flushed() {
    ++era_;
    epoch_running_time_ = kUnset;
    anchored_ = false;
    out_.reset();
    last_end_.reset();
    last_start_.reset();
    last_end_timestamp_ = kUnset;
    pending_ = in_.has_value();
}

void TrackTimeline::segment(const SegmentValues& segment) {
    in_ = segment;
    pending_ = true;
}

bool TrackTimeline::shifts() const {
    return out_ && in_ && epoch_of(out_era_) != epoch_of(era_) && in_->is_time() && out_->is_time() &&
           in_->rate == 1.0 && out_->rate == 1.0 && in_->applied_rate == out_->applied_rate;
}

void TrackTimeline::anchor(std::optional<Nanoseconds> running_time, Nanoseconds now) {
    if (!anchored_) {
        Nanoseconds sender = running_time.value_or(static_cast<Nanoseconds>(in_->base));
        if (epoch_running_time_ != kUnset) sender = static_cast<Nanoseconds>(epoch_running_time_);
        offset_ = shared_.enter(era_, sender, now);
        if (last_end_ && running_time && *running_time + offset_ < *last_end_)
            offset_ = shared_.at_least(era_, *last_end_ - *running_time);
        anchored_ = true;
        pending_ = true;
        return;
    }
    // Another pad may have had to move it since.
    const std::uint64_t changes = shared_.changes();
    if (changes == seen_changes_) return;
    seen_changes_ = changes;
    const Nanoseconds present = shared_.offset(era_, offset_);
    if (present != offset_) pending_ = true;
    offset_ = present;
}

void TrackTimeline::note_output(std::optional<Nanoseconds> running_time, std::uint64_t pts,
                                std::uint64_t duration) {
    if (!running_time) return;
    Nanoseconds length = 0;
    if (duration != kUnset)
        length = static_cast<Nanoseconds>(duration);
    else if (last_start_)
        length = std::clamp<Nanoseconds>(*running_time - *last_start_, 0, kLongestGuess);
    last_start_ = running_time;
    last_end_ = std::max(last_end_.value_or(*running_time + length), *running_time + length);
    if (pts != kUnset) last_end_timestamp_ = pts + static_cast<std::uint64_t>(length);
    shared_.output_until(*last_end_);
}

TrackTimeline::Output TrackTimeline::map(std::uint64_t pts, std::uint64_t dts, std::uint64_t duration,
                                         Nanoseconds now) {
    Output output{nullptr, pts, dts};
    if (!in_) return output;
    const std::uint64_t timestamp = pts != kUnset ? pts : dts;
    if (!rebase_ || !in_->is_time()) {
        if (std::exchange(pending_, false) && out_ != in_) output.segment = &*(out_ = in_);
        out_era_ = era_;
        if (timestamp != kUnset && duration != kUnset) last_end_timestamp_ = timestamp + duration;
        return output;
    }

    std::optional<Nanoseconds> running_time;
    if (timestamp != kUnset) running_time = in_->running_time(timestamp);
    anchor(running_time, now);

    if (shifts()) {
        const auto origin = [](const SegmentValues& segment) {
            return static_cast<Nanoseconds>(segment.base) - static_cast<Nanoseconds>(segment.start) -
                   static_cast<Nanoseconds>(segment.offset);
        };
        const Nanoseconds by = offset_ + origin(*in_) - origin(*out_);
        output.pts = shifted(pts, by);
        output.dts = shifted(dts, by);
        pending_ = false;
        // The old life's end is not the stream's end any more.
        if (out_->stop != kUnset) {
            out_->stop = out_->duration = kUnset;
            output.segment = &*out_;
        }
    } else if (std::exchange(pending_, false)) {
        const SegmentValues moved = in_->later(offset_);
        if (out_ != moved) output.segment = &out_.emplace(moved);
        out_era_ = era_;
    }
    if (running_time) running_time = *running_time + offset_;
    note_output(running_time, output.pts != kUnset ? output.pts : output.dts, duration);
    return output;
}

const SegmentValues* TrackTimeline::finish(Nanoseconds now) {
    if (!in_ || !pending_) return nullptr;
    return map(kUnset, kUnset, kUnset, now).segment;
}

}  // namespace hawser::elements
