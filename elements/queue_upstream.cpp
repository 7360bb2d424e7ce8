// What the inputs' streaming threads do.
#include "elements/queue_core.h"

namespace hawser::elements {
namespace {

constexpr Duration kPatience = std::chrono::milliseconds(1);

}  // namespace

GstFlowReturn QueueCore::chain(QueueInput& input, QueueItem&& item) {
    if (const GstFlowReturn flow = input.flow(); flow != GST_FLOW_OK) return flow;
    if (input.full(settings.max.get())) {
        switch (make_room(input, item)) {
            case Room::Found:
                break;
            case Room::Leaked:
                return GST_FLOW_OK;
            case Room::Refused:
                return input.flow();
        }
    }
    if (input.take_discont()) item.mark_discont();
    input.put(std::move(item));
    data_.notify();
    return GST_FLOW_OK;
}

QueueCore::Room QueueCore::make_room(QueueInput& input, const QueueItem& item) {
    const auto refused = [&input] { return input.flow() != GST_FLOW_OK; };
    const auto full = [&] { return input.full(settings.max.get()); };
    do {
        const bool silent = settings.silent.load(std::memory_order_relaxed);
        if (!silent) {
            emit(QueueSignal::Overrun);
            if (refused()) return Room::Refused;
            if (!full()) break;  // a handler has changed the bounds
        }
        switch (settings.leaky.load(std::memory_order_relaxed)) {
            case QueueLeak::Upstream:
                input.leaked_upstream(item);
                return Room::Leaked;
            case QueueLeak::Downstream:
                leak(input);
                break;
            case QueueLeak::No:
                wait_for_room(input);
                if (refused()) return Room::Refused;
                if (!silent) {
                    emit(QueueSignal::Running);
                    if (refused()) return Room::Refused;
                }
                break;
        }
    } while (full());
    return Room::Found;
}

// Where the consumer is the slower one, room for one buffer at a time would cost a wake each. So for a while
// there has to be a little more: kPatience at most, and the rest of the ring is full meanwhile.
void QueueCore::wait_for_room(QueueInput& input) {
    const auto refused = [&] { return input.flow() != GST_FLOW_OK; };
    const auto room = [&] { return !input.full(settings.max.get()); };
    const auto ample = [&] { return refused() || !input.full(settings.low_water()); };
    const auto any = [&] { return refused() || room(); };
    if (input.room_spin.spin(ample) || any()) return;
    if (input.patience_pays()) {
        input.set_patient(true);
        const bool came = input.room.wait(ample, kPatience) == ring::WaitResult::Ready;
        input.set_patient(false);
        input.learn_patience(came);
    }
    input.room.wait(any);
}

// Takes out as much as makes it less than full. Any thread.
void QueueCore::leak(QueueInput& input) {
    for (bool was_query = false;
         reaches(input.level(), settings.max.get()) && input.leak_oldest(was_query);) {
        if (!was_query) continue;
        Lock lock(mutex_);
        fail_query(lock, input);
    }
}

GstFlowReturn QueueCore::event(QueueInput& input, GstEvent* event) {
    bool forwarded = true;
    switch (GST_EVENT_TYPE(event)) {
        case GST_EVENT_FLUSH_START:
            forwarded = flush_start(input, event);
            break;
        case GST_EVENT_FLUSH_STOP:
            forwarded = flush_stop(input, event);
            break;
        default:
            if (is_serialized(event)) return serialized(input, event);
            forwarded = gst_pad_push_event(src_, event);
            break;
    }
    return forwarded ? GST_FLOW_OK : GST_FLOW_ERROR;
}

GstFlowReturn QueueCore::serialized(QueueInput& input, GstEvent* event) {
    QueueItem item(event);
    const GstEventType type = GST_EVENT_TYPE(event);
    const bool begins = type == GST_EVENT_STREAM_START || type == GST_EVENT_SEGMENT;
    Lock lock(mutex_);
    if (begins && flow_of(lock, input) != GST_FLOW_FLUSHING &&
        (input.control.eos || result_ == GST_FLOW_EOS)) {
        // After the end of a stream these begin another.
        input.control.eos = false;
        input.control.unexpected = false;
        result_ = GST_FLOW_OK;
        update(lock);
        if (!stop_.load(std::memory_order_relaxed)) start_task(lock);
    }
    if (const GstFlowReturn flow = flow_of(lock, input); flow != GST_FLOW_OK) {
        // A sticky event is not the place to report an error: the data behind it is. Behind EOS there is
        // none.
        if (type == GST_EVENT_EOS) {
            lock.unlock();
            if (flow == GST_FLOW_NOT_LINKED || flow < GST_FLOW_EOS) GST_ELEMENT_FLOW_ERROR(element_, flow);
            return flow;
        }
        if (!is_sticky(event)) return flow;
    }
    if (input.control.eos) return GST_FLOW_EOS;
    if (type == GST_EVENT_EOS) {
        if (settings.flush_on_eos.load(std::memory_order_relaxed)) {
            input.discard(true);
            input.reset_positions();
        }
        input.set_draining(true);
        input.control.eos = true;
    } else if (type == GST_EVENT_SEGMENT) {
        input.control.unexpected = false;
    }
    input.put(std::move(item));
    update(lock);
    return GST_FLOW_OK;
}

bool QueueCore::serialized_query(QueueInput& input, GstQuery* query) {
    using Query = QueueInput::Control::Query;
    Lock lock(mutex_);
    if (flow_of(lock, input) != GST_FLOW_OK) return false;
    QueueInput::Control& control = input.control;
    control.query = query;
    control.query_state = Query::Waits;
    input.put(QueueItem::query(++control.query_number));
    data_.notify();
    // One in hand is waited for: downstream looks into it.
    input.query_changed.wait(lock, [&] {
        return control.query_state == Query::Done ||
               (control.query_state == Query::Waits && flow_of(lock, input) != GST_FLOW_OK);
    });
    const bool result = control.query_state == Query::Done && control.query_result;
    control.query = nullptr;
    control.query_state = Query::None;
    return result;
}

}  // namespace hawser::elements
