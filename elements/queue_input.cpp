#include "elements/queue_input.h"

#include <algorithm>

namespace hawser::elements {
namespace {

constexpr std::int64_t kNoTime = ring::FillMeter::kNoTime;

GstBuffer* first_buffer(const QueueItem& item) {
    if (item.kind == QueueItem::Kind::Buffer) return GST_BUFFER_CAST(item.object);
    return item.buffers > 0 ? gst_buffer_list_get(GST_BUFFER_LIST_CAST(item.object), 0) : nullptr;
}

GstBuffer* last_buffer(const QueueItem& item) {
    if (item.kind == QueueItem::Kind::Buffer) return GST_BUFFER_CAST(item.object);
    return item.buffers > 0 ? gst_buffer_list_get(GST_BUFFER_LIST_CAST(item.object), item.buffers - 1)
                            : nullptr;
}

}  // namespace

void QueueInput::put(QueueItem&& item) {
    if (!seen_.load(std::memory_order_relaxed)) seen_.store(true, std::memory_order_relaxed);
    bool restart = false;
    switch (item.kind) {
        case QueueItem::Kind::Buffer:
            item.time = clock_.buffer(GST_BUFFER_CAST(item.object));
            break;
        case QueueItem::Kind::List:
            item.time = clock_.list(GST_BUFFER_LIST_CAST(item.object));
            break;
        case QueueItem::Kind::Event:
            if (GST_EVENT_TYPE(item.event()) == GST_EVENT_SEGMENT) {
                item.time = clock_.segment(item.event());
                restart = clock_.is_old();
            } else if (GST_EVENT_TYPE(item.event()) == GST_EVENT_GAP) {
                item.time = clock_.gap(item.event());
            } else if (GST_EVENT_TYPE(item.event()) == GST_EVENT_EOS) {
                item.time = meter_.position_in();  // the level in time is 0 behind it
            }
            break;
        default:
            break;
    }
    if (item.is_data()) {
        const Duration latency = max_latency();
        if (latency > Duration::zero())
            item.deadline = saturating_add(SteadyClock::instance().now(), latency);
    }
    if (item.time != kNoTime && (restart || meter_.position_out() == kNoTime)) {
        // What is taken out next was behind nothing: the level counts from here.
        const std::lock_guard lock(out_lock_);
        if (meter_.position_out() == kNoTime)
            meter_.restart(clock_.start());
        else if (chain_.empty_approx())
            meter_.restart(item.time);
    }
    const bool data = item.is_data();
    if (ends_in_data_.load(std::memory_order_relaxed) != data)
        ends_in_data_.store(data, std::memory_order_release);
    if (item.kind != QueueItem::Kind::Query) meter_.put(item.buffers, item.bytes, item.time);
    chain_.push(std::move(item));
}

void QueueInput::leaked_upstream(const QueueItem& item) {
    discont_in_ = true;
    count_loss(QueueLoss::Upstream, item.buffers);
}

bool QueueInput::pop(QueueItem& into) {
    if (!chain_.try_pop(into)) return false;
    if (into.kind != QueueItem::Kind::Query) meter_.taken(into.buffers, into.bytes, into.time);
    return true;
}

bool QueueInput::take(QueueItem& into) {
    const std::lock_guard lock(out_lock_);
    const QueueItem* next = chain_.front();
    if (!next) return false;
    if (!carried_.empty()) {
        into = QueueItem(carried_.front().leak());
        carried_.erase(carried_.begin());
        return true;
    }
    if (next->is_data()) {
        if (next->deadline != TimePoint::max() || late_.broken())
            drop_late(next->deadline != TimePoint::max() ? SteadyClock::instance().now() : TimePoint::min());
    }
    if (!pop(into)) return false;
    if (into.is_data()) {
        if (std::exchange(discont_out_, false)) into.mark_discont();
        sent_buffers_.store(sent_buffers_.load(std::memory_order_relaxed) + into.buffers,
                            std::memory_order_relaxed);
        sent_bytes_.store(sent_bytes_.load(std::memory_order_relaxed) + into.bytes,
                          std::memory_order_relaxed);
    }
    return true;
}

void QueueInput::not_sent(const QueueItem& item) {
    if (!item.is_data()) return;
    sent_buffers_.store(sent_buffers_.load(std::memory_order_relaxed) - item.buffers,
                        std::memory_order_relaxed);
    sent_bytes_.store(sent_bytes_.load(std::memory_order_relaxed) - item.bytes, std::memory_order_relaxed);
    count_loss(QueueLoss::Flushed, item.buffers);
}

std::optional<TimePoint> QueueInput::head(TimePoint now) {
    const std::lock_guard lock(out_lock_);
    drop_late(now);
    const QueueItem* next = chain_.front();
    if (!next) return std::nullopt;
    if (!carried_.empty()) return TimePoint::min();
    // An event or a query holds up the data behind it, whose deadline is not known yet.
    return next->is_data() ? next->deadline : TimePoint::min();
}

void QueueInput::drop_late(TimePoint now) {
    for (const QueueItem* next = chain_.front(); next && next->is_data(); next = chain_.front()) {
        const std::optional<sched::DropReason> why = late_.judge(now, next->deadline, next->delta);
        if (!why) return;
        count_loss(*why == sched::DropReason::Late ? QueueLoss::Late : QueueLoss::Dependent, next->buffers);
        discont_out_ = true;
        GstBuffer* first = first_buffer(*next);
        GstBuffer* last = last_buffer(*next);
        if (first && last) {
            if (!gap_) gap_.emplace();
            has_gap_.store(true, std::memory_order_relaxed);
            const GstClockTime begin = GST_BUFFER_PTS(first);
            const GstClockTime end = GST_BUFFER_PTS(last);
            const GstClockTime length = GST_BUFFER_DURATION(last);
            // Decoding order is not that of presentation: the earliest beginning, the latest end.
            if (GST_CLOCK_TIME_IS_VALID(begin) &&
                (!GST_CLOCK_TIME_IS_VALID(gap_->begin) || begin < gap_->begin))
                gap_->begin = begin;
            if (GST_CLOCK_TIME_IS_VALID(end) && GST_CLOCK_TIME_IS_VALID(length) &&
                (!GST_CLOCK_TIME_IS_VALID(gap_->end) || end + length > gap_->end))
                gap_->end = end + length;
        }
        QueueItem gone;
        pop(gone);
    }
}

std::optional<QueueGap> QueueInput::take_gap() {
    const std::lock_guard lock(out_lock_);
    has_gap_.store(false, std::memory_order_relaxed);
    return std::exchange(gap_, std::nullopt);
}

// What a sticky event says holds for what comes behind it, too. The last of its kind is enough; their order
// is that of their types, as on a GstPad.
void QueueInput::carry(GstEvent* event) {
    if (!is_sticky(event)) return;
    const GstEventType type = GST_EVENT_TYPE(event);
    const bool several = gst_event_type_get_flags(type) & GST_EVENT_TYPE_STICKY_MULTI;
    const bool begins = type == GST_EVENT_STREAM_START || type == GST_EVENT_SEGMENT;
    const GstStructure* structure = gst_event_get_structure(event);
    std::erase_if(carried_, [&](const Ptr<GstEvent>& other) {
        if (begins && GST_EVENT_TYPE(other.get()) == GST_EVENT_EOS) return true;
        return GST_EVENT_TYPE(other.get()) == type &&
               (!several ||
                (structure && gst_event_has_name(other.get(), gst_structure_get_name(structure))));
    });
    const auto behind = std::find_if(carried_.begin(), carried_.end(), [type](const Ptr<GstEvent>& other) {
        return GST_EVENT_TYPE(other.get()) > type;
    });
    carried_.insert(behind, Ptr<GstEvent>::ref(event));
}

void QueueInput::carry_event(GstEvent* event) {
    const std::lock_guard lock(out_lock_);
    carry(event);
}

bool QueueInput::leak_oldest(bool& was_query) {
    const std::lock_guard lock(out_lock_);
    QueueItem gone;
    if (!pop(gone)) return false;
    if (gone.is_data()) count_loss(QueueLoss::Downstream, gone.buffers);
    was_query = gone.kind == QueueItem::Kind::Query;
    discont_out_ = true;
    if (gone.kind == QueueItem::Kind::Event) carry(gone.event());
    return true;
}

void QueueInput::discard(bool keep) {
    const std::lock_guard lock(out_lock_);
    for (QueueItem item; pop(item); item.reset()) {
        if (item.is_data()) count_loss(QueueLoss::Flushed, item.buffers);
        if (keep && item.kind == QueueItem::Kind::Event) carry(item.event());
    }
    std::erase_if(carried_, [keep](const Ptr<GstEvent>& event) {
        const GstEventType type = GST_EVENT_TYPE(event.get());
        return !keep || type == GST_EVENT_SEGMENT || type == GST_EVENT_EOS;
    });
    discont_out_ = false;
    late_.reset();
    gap_.reset();
    has_gap_.store(false, std::memory_order_relaxed);
}

void QueueInput::mark_discont() {
    const std::lock_guard lock(out_lock_);
    discont_out_ = true;
}

void QueueInput::reset_positions() {
    const std::lock_guard lock(out_lock_);
    clock_.reset();
    discont_in_ = false;
    seen_.store(false, std::memory_order_relaxed);
    meter_.forget_time();
    if (clock_.start() != kNoTime) {
        meter_.put(0, 0, clock_.start());
        meter_.restart(clock_.start());
    }
}

}  // namespace hawser::elements
