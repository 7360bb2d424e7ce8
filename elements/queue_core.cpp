// State changes, flushes, pads that come and go.
#include "elements/queue_core.h"

#include <algorithm>

namespace hawser::elements {

QueueCore::QueueCore(GstElement* element, GstPad* src, const std::array<guint, kQueueSignals>& signals)
    : element_(element), src_(src), signals_(signals) {}

void QueueCore::emit(QueueSignal which) {
    g_signal_emit(element_, signals_[static_cast<std::size_t>(which)], 0);
}

void QueueCore::update(Lock& lock) {
    stop_.store(result_ != GST_FLOW_OK || flushes_ > 0, std::memory_order_release);
    for (const auto& input : inputs_) {
        const bool over = input->control.eos || input->control.unexpected;
        const GstFlowReturn flow = flow_of(lock, *input);
        input->set_flow(flow == GST_FLOW_OK && over ? GST_FLOW_EOS : flow);
    }
    wake_all();
}

void QueueCore::wake_all() {
    data_.notify();
    for (const auto& input : inputs_) {
        input->room.notify();
        input->query_changed.notify_all();
    }
}

void QueueCore::start_task(Lock&) {
    // Deactivation takes the pad's mode away before it calls activate_src(), which ends the task.
    if (GST_PAD_MODE(src_) == GST_PAD_MODE_PUSH) gst_pad_start_task(src_, loop, this, nullptr);
}

void QueueCore::fail_query(Lock&, QueueInput& input) {
    if (input.control.query_state != QueueInput::Control::Query::Waits) return;
    input.control.query_state = QueueInput::Control::Query::Done;
    input.control.query_result = false;
    input.query_changed.notify_all();
}

// ---- Properties

void QueueCore::max_changed() {
    for (const auto& input : inputs()) {
        if (settings.leaky.load(std::memory_order_relaxed) == QueueLeak::Downstream) leak(*input);
        input->room.notify();
    }
}

void QueueCore::min_changed() {
    data_.notify();
}

ring::Fill QueueCore::level() const {
    const Lock lock(mutex_);
    ring::Fill all;
    for (const auto& input : inputs_) {
        const ring::Fill fill = input->level();
        all.items += fill.items;
        all.bytes += fill.bytes;
        all.time = std::max(all.time, fill.time);
    }
    return all;
}

std::vector<std::shared_ptr<QueueInput>> QueueCore::inputs() const {
    const Lock lock(mutex_);
    return inputs_;
}

// ---- Pads

std::shared_ptr<QueueInput> QueueCore::add_input(GstPad* pad) {
    auto input = std::make_shared<QueueInput>(pad);
    input->reset_positions();
    Lock lock(mutex_);
    inputs_.push_back(input);
    inputs_version_.fetch_add(1, std::memory_order_release);
    update(lock);
    return input;
}

void QueueCore::remove_input(const std::shared_ptr<QueueInput>& input) {
    bool in_flush = false;
    {
        const Lock lock(mutex_);
        in_flush = input->control.in_flush;
    }
    // Nobody else would end the flush which it began downstream.
    if (in_flush) flush_stop(*input, gst_event_new_flush_stop(TRUE));
    gst_pad_set_active(input->pad(), FALSE);
    Lock lock(mutex_);
    std::erase(inputs_, input);
    inputs_version_.fetch_add(1, std::memory_order_release);
    update(lock);
}

bool QueueCore::activate_input(QueueInput& input, bool active) {
    {
        Lock lock(mutex_);
        input.control.flushing = !active;
        if (std::exchange(input.control.in_flush, false)) --flushes_;
        if (active) {
            input.control.eos = false;
            input.control.unexpected = false;
            input.set_draining(false);
        }
        update(lock);
    }
    if (active) return true;
    // Its streaming thread leaves; then there is no producer.
    GST_PAD_STREAM_LOCK(input.pad());
    {
        Lock lock(mutex_);
        input.discard(false);
        input.reset_positions();
        fail_query(lock, input);
        input.flushed.store(true, std::memory_order_relaxed);
        flushed_.store(true, std::memory_order_release);
    }
    GST_PAD_STREAM_UNLOCK(input.pad());
    return true;
}

bool QueueCore::activate_src(bool active) {
    if (active) {
        Lock lock(mutex_);
        // No task runs yet: its notes are ours.
        last_ = nullptr;
        sent_caps_ = nullptr;
        sent_segment_ = nullptr;
        stream_started_ = false;
        eos_sent_ = false;
        for (const auto& input : inputs_) {
            input->output = {};
            input->control.eos = false;
            input->control.unexpected = false;
        }
        result_ = GST_FLOW_OK;
        update(lock);
        return gst_pad_start_task(src_, loop, this, nullptr);
    }
    {
        Lock lock(mutex_);
        result_ = GST_FLOW_FLUSHING;
        update(lock);
    }
    const bool stopped = gst_pad_stop_task(src_);
    Lock lock(mutex_);
    for (const auto& input : inputs_) {
        input->discard(true);
        fail_query(lock, *input);
    }
    return stopped;
}

void QueueCore::reconfigured() {
    Lock lock(mutex_);
    if (result_ != GST_FLOW_NOT_LINKED) return;
    result_ = GST_FLOW_OK;
    update(lock);
    start_task(lock);
}

// ---- Flushes

// A flush of one input flushes downstream, as GstFunnel's does, but what the other inputs hold is kept.
bool QueueCore::flush_start(QueueInput& input, GstEvent* event) {
    {
        // First, so that the task takes downstream's "flushing" for what it is.
        Lock lock(mutex_);
        input.control.flushing = true;
        if (!std::exchange(input.control.in_flush, true)) ++flushes_;
        update(lock);
    }
    const bool forwarded = gst_pad_push_event(src_, event);
    gst_pad_pause_task(src_);
    input.discard(true);
    // Only now, as downstream may have had the query in hand.
    Lock lock(mutex_);
    fail_query(lock, input);
    return forwarded;
}

bool QueueCore::flush_stop(QueueInput& input, GstEvent* event) {
    const bool forwarded = gst_pad_push_event(src_, event);
    Lock lock(mutex_);
    input.discard(true);
    input.reset_positions();
    fail_query(lock, input);
    input.control.flushing = false;
    input.control.eos = false;
    input.control.unexpected = false;
    input.set_draining(false);
    input.flushed.store(true, std::memory_order_relaxed);
    flushed_.store(true, std::memory_order_release);
    if (std::exchange(input.control.in_flush, false)) --flushes_;
    for (const auto& other : inputs_)
        if (other.get() != &input) other->mark_discont();
    result_ = GST_FLOW_OK;
    update(lock);
    if (!stop_.load(std::memory_order_relaxed)) start_task(lock);
    return forwarded;
}

}  // namespace hawser::elements
