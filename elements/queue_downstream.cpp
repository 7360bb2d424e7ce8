// What the src pad's task does.
#include <algorithm>

#include "elements/queue_core.h"

namespace hawser::elements {
namespace {

// Items a call: the task's own turn takes two locks.
constexpr int kItemsATurn = 64;

bool same_caps(const Ptr<GstEvent>& a, const Ptr<GstEvent>& b) {
    if (!a || !b) return !a && !b;
    GstCaps* of_a = nullptr;
    GstCaps* of_b = nullptr;
    gst_event_parse_caps(a.get(), &of_a);
    gst_event_parse_caps(b.get(), &of_b);
    return gst_caps_is_equal(of_a, of_b);
}

bool same_segment(const Ptr<GstEvent>& a, const Ptr<GstEvent>& b) {
    if (!a || !b) return !a && !b;
    const GstSegment* of_a = nullptr;
    const GstSegment* of_b = nullptr;
    gst_event_parse_segment(a.get(), &of_a);
    gst_event_parse_segment(b.get(), &of_b);
    return gst_segment_is_equal(of_a, of_b);
}

bool has_time(const Ptr<GstEvent>& segment_event) {
    if (!segment_event) return false;
    const GstSegment* segment = nullptr;
    gst_event_parse_segment(segment_event.get(), &segment);
    return segment->format == GST_FORMAT_TIME;
}

}  // namespace

void QueueCore::loop(gpointer self) {
    for (int i = 0; i < kItemsATurn; ++i)
        if (!static_cast<QueueCore*>(self)->step()) return;
}

// One item from an input to downstream. False: the task is paused.
bool QueueCore::step() {
    QueueInput* input = nullptr;
    QueueItem item;
    if (!next(input, item)) return stop_for(GST_FLOW_OK);
    const GstFlowReturn result = deliver(*input, item);
    return result == GST_FLOW_OK || stop_for(result);
}

// Pauses the task, if `result` or somebody else wants it. True: it goes on.
bool QueueCore::stop_for(GstFlowReturn result) {
    Lock lock(mutex_);
    if (result != GST_FLOW_OK && !stop_.load(std::memory_order_relaxed)) {
        // An input that has begun another stream since its EOS wants to go on.
        if (result == GST_FLOW_EOS && std::any_of(inputs_.begin(), inputs_.end(), [](const auto& input) {
                return !input->control.eos && input->takes_part();
            }))
            return true;
        result_ = result;
        update(lock);
    }
    if (!stop_.load(std::memory_order_relaxed)) return true;
    gst_pad_pause_task(src_);
    if (flushes_ > 0) return false;  // the rest is the flush's business
    const GstFlowReturn why = result_;
    bool eos = false;
    for (const auto& input : inputs_) {
        // Not linked: may be linked again. At the end: a new stream may begin.
        if (why != GST_FLOW_NOT_LINKED && why != GST_FLOW_EOS) input->discard(true);
        fail_query(lock, *input);
        eos = eos || input->control.eos;
    }
    wake_all();
    lock.unlock();
    // Upstream has said that it is done, so nobody there would report it.
    if (eos && (why == GST_FLOW_NOT_LINKED || why < GST_FLOW_EOS)) {
        GST_ELEMENT_FLOW_ERROR(element_, why);
        gst_pad_push_event(src_, gst_event_new_eos());
    }
    return false;
}

// ---- Which item

bool QueueCore::next(QueueInput*& input, QueueItem& item) {
    while (!stop_.load(std::memory_order_acquire)) {
        refresh_inputs();
        if (std::exchange(check_over_, false) && !eos_sent_ && all_over()) {
            input = serving_.front().get();
            item = QueueItem(gst_event_new_eos());
            return true;
        }
        if (pick(input, item)) return true;
        if (!wait_for_data()) break;
    }
    return false;
}

void QueueCore::refresh_inputs() {
    const unsigned version = inputs_version_.load(std::memory_order_acquire);
    if (version == serving_version_) return;
    const Lock lock(mutex_);
    serving_ = inputs_;
    serving_version_ = version;
    check_over_ = true;
    const auto serves = [this](const auto& input) { return input.get() == last_; };
    if (std::none_of(serving_.begin(), serving_.end(), serves)) last_ = nullptr;
}

void QueueCore::notify_room(QueueInput& input) {
    input.room.notify_if(
        [&] { return !input.is_patient() || !reaches(input.level(), settings.low_water()); });
}

bool QueueCore::pick(QueueInput*& input, QueueItem& item) {
    const bool has_min = reaches({~0ull, ~0ull, ~0ull}, settings.min.get());
    if (serving_.size() == 1) {
        input = serving_.front().get();
        if (has_min && !is_ready(*input)) return false;
        const bool taken = input->take(item);
        notify_room(*input);
        return taken;
    }
    const TimePoint now = SteadyClock::instance().now();
    candidates_.clear();
    for (std::size_t i = 0; i < serving_.size(); ++i) {
        QueueInput& each = *serving_[i];
        if (each.empty() || (has_min && !is_ready(each))) continue;
        if (const auto deadline = each.head(now))
            candidates_.push_back({each.priority(), static_cast<std::uint16_t>(i), *deadline});
        notify_room(each);
    }
    const auto chosen = scheduler_.pick(candidates_);
    if (!chosen) return false;
    input = serving_[candidates_[*chosen].track].get();
    const bool taken = input->take(item);
    notify_room(*input);
    return taken;
}

// Thresholds hold data back, but neither events nor queries, and nothing once the queue is full or at its
// end.
bool QueueCore::is_ready(const QueueInput& input) const {
    if (input.empty()) return false;
    if (input.output.discarding || !input.ends_in_data() || input.is_drained_at_any_level()) return true;
    const ring::Fill min = settings.min.get();
    const ring::Fill level = input.level();
    const bool below = (min.items > 0 && level.items < min.items) ||
                       (min.bytes > 0 && level.bytes < min.bytes) || (min.time > 0 && level.time < min.time);
    return !below || reaches(level, settings.max.get());
}

bool QueueCore::has_work() const {
    return stop_.load(std::memory_order_acquire) ||
           inputs_version_.load(std::memory_order_acquire) != serving_version_ ||
           std::any_of(serving_.begin(), serving_.end(),
                       [this](const auto& input) { return is_ready(*input); });
}

// False: the task has to stop.
bool QueueCore::wait_for_data() {
    refuse_more();
    const auto ready = [this] { return has_work(); };
    if (spin_.spin(ready)) return !stop_.load(std::memory_order_acquire);
    while (!has_work()) {
        if (!settings.silent.load(std::memory_order_relaxed)) {
            emit(QueueSignal::Underrun);
            if (stop_.load(std::memory_order_acquire)) return false;
        }
        data_.wait(ready);
        if (stop_.load(std::memory_order_acquire)) return false;
        if (!settings.silent.load(std::memory_order_relaxed)) {
            emit(QueueSignal::Running);
            emit(QueueSignal::Pushing);
        }
    }
    return !stop_.load(std::memory_order_acquire);
}

// ---- What is done with it

GstFlowReturn QueueCore::deliver(QueueInput& input, QueueItem& item) {
    if (flushed_.load(std::memory_order_acquire)) note_flushes();
    if (input.output.discarding && !pass_after_eos(input, item)) {
        input.not_sent(item);
        return GST_FLOW_OK;
    }
    GstFlowReturn result = GST_FLOW_OK;
    switch (item.kind) {
        case QueueItem::Kind::Buffer:
            turn_to(input);
            result = gst_pad_push(src_, GST_BUFFER_CAST(std::exchange(item.object, nullptr)));
            break;
        case QueueItem::Kind::List:
            turn_to(input);
            result = gst_pad_push_list(src_, GST_BUFFER_LIST_CAST(std::exchange(item.object, nullptr)));
            break;
        case QueueItem::Kind::Event:
            return deliver_event(input,
                                 Ptr<GstEvent>::adopt(GST_EVENT_CAST(std::exchange(item.object, nullptr))));
        case QueueItem::Kind::Query:
            return run_query(input, item.bytes);
        case QueueItem::Kind::None:
            break;
    }
    if (result != GST_FLOW_EOS) return result;
    downstream_ended();
    return GST_FLOW_OK;
}

GstFlowReturn QueueCore::deliver_event(QueueInput& input, Ptr<GstEvent> event) {
    const bool current = !last_ || last_ == &input || eos_sent_;
    switch (GST_EVENT_TYPE(event.get())) {
        case GST_EVENT_STREAM_START:
            input.output.over = false;
            // The inputs make one stream: that of the first.
            if (!current && stream_started_) return GST_FLOW_OK;
            stream_started_ = true;
            eos_sent_ = false;
            break;
        case GST_EVENT_CAPS:
            input.output.caps = event;
            if (!current) return GST_FLOW_OK;  // when it is its turn
            sent_caps_ = event;
            break;
        case GST_EVENT_SEGMENT:
            input.output.segment = event;
            input.output.over = false;
            if (!current) return GST_FLOW_OK;
            sent_segment_ = event;
            eos_sent_ = false;
            break;
        case GST_EVENT_EOS:
            if (input.has_gap()) turn_to(input);
            input.output.over = true;
            return all_over() ? deliver_eos(std::move(event)) : GST_FLOW_OK;
        default:
            turn_to(input);
            break;
    }
    last_ = &input;
    if (!gst_pad_push_event(src_, gst_event_ref(event.get())) && GST_PAD_IS_FLUSHING(src_))
        push_again(input, event.get());
    return GST_FLOW_OK;
}

// A flush has overtaken it: a sticky event is not lost with what is in front of it.
void QueueCore::push_again(QueueInput& input, GstEvent* event) {
    const GstEventType type = GST_EVENT_TYPE(event);
    if (type == GST_EVENT_STREAM_START) stream_started_ = false;
    if (type == GST_EVENT_CAPS) sent_caps_ = nullptr;
    if (type != GST_EVENT_SEGMENT) input.carry_event(event);
}

GstFlowReturn QueueCore::deliver_eos(Ptr<GstEvent> event) {
    eos_sent_ = true;
    gst_pad_push_event(src_, event.leak());
    return GST_FLOW_EOS;
}

bool QueueCore::all_over() const {
    bool any = false;
    // Not those it serves: the pad of one that has been taken away may be gone.
    const Lock lock(mutex_);
    for (const auto& input : inputs_) {
        if (input->output.over)
            any = true;
        else if (input->takes_part())
            return false;
    }
    return any;
}

GstFlowReturn QueueCore::run_query(QueueInput& input, std::uint64_t number) {
    using Query = QueueInput::Control::Query;
    QueueInput::Control& control = input.control;
    GstQuery* query = nullptr;
    {
        const Lock lock(mutex_);
        if (control.query_state != Query::Waits || control.query_number != number) return GST_FLOW_OK;
        control.query_state = Query::InHand;
        query = control.query;
    }
    turn_to(input);
    const bool result = gst_pad_peer_query(src_, query);
    const Lock lock(mutex_);
    control.query_state = Query::Done;
    control.query_result = result;
    input.query_changed.notify_all();
    return GST_FLOW_OK;
}

// Before anything of an input's stream: what downstream has to know of it.
void QueueCore::turn_to(QueueInput& input) {
    if (input.has_gap()) {
        if (const auto gap = input.take_gap();
            gap && GST_CLOCK_TIME_IS_VALID(gap->begin) && has_time(input.output.segment)) {
            turn_to(input);
            const bool length = GST_CLOCK_TIME_IS_VALID(gap->end) && gap->end > gap->begin;
            gst_pad_push_event(
                src_, gst_event_new_gap(gap->begin, length ? gap->end - gap->begin : GST_CLOCK_TIME_NONE));
        }
    }
    if (last_ == &input && (sent_segment_ || !input.output.segment)) return;
    last_ = &input;
    if (input.output.caps && !same_caps(sent_caps_, input.output.caps)) {
        const bool pushed = gst_pad_push_event(src_, gst_event_ref(input.output.caps.get()));
        sent_caps_ = pushed || !GST_PAD_IS_FLUSHING(src_) ? input.output.caps : nullptr;
    }
    if (input.output.segment && (eos_sent_ || !same_segment(sent_segment_, input.output.segment))) {
        sent_segment_ = input.output.segment;
        eos_sent_ = false;
        gst_pad_push_event(src_, gst_event_ref(sent_segment_.get()));
    }
}

// A flush took the segment away downstream, and all that was known of the flushed input.
void QueueCore::note_flushes() {
    flushed_.store(false, std::memory_order_relaxed);
    sent_segment_ = nullptr;
    eos_sent_ = false;
    for (const auto& input : serving_) {
        if (!input->flushed.exchange(false, std::memory_order_acq_rel)) continue;
        input->output.segment = nullptr;
        input->output.over = false;
        input->output.discarding = false;
    }
}

// ---- Downstream's EOS

// Downstream takes nothing more until a stream begins anew, and that may be in the rings already.
void QueueCore::downstream_ended() {
    for (const auto& input : serving_) input->output.discarding = true;
}

bool QueueCore::pass_after_eos(QueueInput& input, const QueueItem& item) {
    if (item.kind == QueueItem::Kind::Event) {
        const GstEventType type = GST_EVENT_TYPE(item.event());
        if (type != GST_EVENT_EOS && type != GST_EVENT_SEGMENT && type != GST_EVENT_STREAM_START)
            return false;
        input.output.discarding = false;
        Lock lock(mutex_);
        input.control.unexpected = false;
        update(lock);
        return true;
    }
    if (item.kind == QueueItem::Kind::Query) {
        Lock lock(mutex_);
        fail_query(lock, input);
    }
    return false;
}

// Where nothing is left of a stream that downstream does not want, upstream is told.
void QueueCore::refuse_more() {
    for (const auto& input : serving_) {
        if (!input->output.discarding) continue;
        Lock lock(mutex_);
        // Events are put in under this lock, so none that would change it is on its way.
        if (input->control.unexpected || input->control.eos || !input->empty()) continue;
        input->control.unexpected = true;
        update(lock);
    }
}

}  // namespace hawser::elements
