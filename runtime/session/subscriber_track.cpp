#include "runtime/session/subscriber_track.h"

#include <algorithm>
#include <utility>

#include "runtime/base/log.h"

namespace hawser::session {

SubscriberTrack::SubscriberTrack(Owner& owner, std::string name, std::uint32_t max_items)
    : owner_(owner), name_(std::move(name)), queue_(max_items + kReserve) {}

// --- Streaming thread
// ---------------------------------------------------------------------------------------------------

bool SubscriberTrack::pop(Item& item) {
    if (!queue_.pop(last_)) return false;
    item = std::move(last_.item);
    return true;
}

void SubscriberTrack::handed() {
    if (std::exchange(last_.counted, false)) {
        if (last_.life != delivering_life_) {
            // Whoever sees the new life must not see the old one's sequence.
            delivered_.store(0, std::memory_order_release);
            delivering_life_ = last_.life;
            delivered_life_.store(delivering_life_, std::memory_order_release);
        }
        delivered_.store(last_.item.sequence + 1, std::memory_order_release);
        if (last_.object) {
            last_.counters->add(Counter::Delivered);
            total_delivered_.fetch_add(1, std::memory_order_relaxed);
        }
    }
    // Also where it was no object: reading may wait for this very place in the queue.
    owner_.taken(std::exchange(last_.bytes, 0));
}

std::uint64_t SubscriberTrack::delivered() const {
    if (delivered_life_.load(std::memory_order_acquire) != life_) return 0;
    return delivered_.load(std::memory_order_acquire);
}

// --- Reactor's thread
// ---------------------------------------------------------------------------------------------------

// There is room: the session reads no frame while full(), and none makes more than two items.
void SubscriberTrack::push(Queued queued) {
    queued.counters = counters_;
    queued.life = life_;
    if (!queue_.try_push(std::move(queued))) log().critical("{}: the queue overflowed", name_);
}

void SubscriberTrack::begin_epoch(CounterSlot& counters, const EpochItem& epoch, std::uint64_t start,
                                  std::uint64_t objects_before) {
    abandon_object();
    counters_ = &counters;
    epoch_number_ = epoch.number;
    ++life_;
    began_at_ = start;
    next = start;
    objects = objects_before;
    replay_until = 0;
    acknowledged = start;
    ended = false;
    counters.set(Counter::LastSequence, start);
    push({.item = {epoch, start, epoch.epoch}});
}

void SubscriberTrack::push_event(EventItem event, std::uint64_t sequence, std::uint64_t epoch,
                                 std::uint64_t bytes) {
    const bool counted = !event.snapshot;
    if (event.event.kind() == wire::Event::EOS) {
        ended = true;
        counters_->set(Counter::Ended, 1);
    } else if (event.event.kind() == wire::Event::STREAM_START || event.event.kind() == wire::Event::FLUSH) {
        ended = false;
    }
    if (counted) {
        next = sequence + 1;
        counters_->add(Counter::Events);
        counters_->set(Counter::LastSequence, next);
    }
    push({.item = {std::move(event), sequence, epoch}, .bytes = bytes, .counted = counted});
}

void SubscriberTrack::push_end(std::uint64_t epoch) {
    abandon_object();
    ended = true;
    EventItem end;
    end.event.set_kind(wire::Event::EOS);
    end.event.set_sticky(true);
    end.snapshot = true;
    push({.item = {std::move(end), next, epoch}});
}

void SubscriberTrack::push_gap(const wire::Gap& gap, std::uint64_t epoch) {
    abandon_object();
    next = gap.next();
    objects += gap.lost_objects();
    total_lost += gap.lost_objects();
    counters_->add(Counter::Lost, gap.lost_objects());
    counters_->set(Counter::LastSequence, next);
    push({.item = {GapItem{gap}, gap.next() - 1, epoch}, .counted = true});
}

void SubscriberTrack::begin_object(const wire::ObjectHeader& header, HeldBytes payload) {
    Assembly& assembly = assembly_.emplace(Assembly());
    assembly.object.header = header;
    assembly.object.payload = std::move(payload);
    assembly.object.extension.resize(header.extension_length);
}

std::uint64_t SubscriberTrack::missing() const {
    return assembly_ ? assembly_->object.header.body_length() - assembly_->landed : 0;
}

Landing SubscriberTrack::next_chunk(std::size_t chunk) {
    Assembly& assembly = *assembly_;
    const std::size_t extension = assembly.object.extension.size();
    Landing landing;
    std::size_t at = assembly.landed;
    if (at < extension) {
        const std::size_t size = std::min(chunk, extension - at);
        landing.first = {reinterpret_cast<std::byte*>(assembly.object.extension.data()) + at, size};
        chunk -= size;
        at += size;
        assembly.landed += size;
    }
    if (chunk > 0) landing.second = assembly.object.payload.bytes().subspan(at - extension, chunk);
    assembly.landed += chunk;
    return landing;
}

// An empty object costs a place all the same.
std::uint64_t SubscriberTrack::assembly_bytes() const {
    return assembly_->object.header.body_length() + wire::kObjectHeaderSize;
}

void SubscriberTrack::finish_object(std::uint64_t epoch) {
    const std::uint64_t bytes = assembly_bytes();
    ObjectItem object = std::move(assembly_->object);
    assembly_.reset();
    const std::uint64_t payload = object.header.payload_length;
    ++total_objects;
    total_bytes += payload;
    counters_->add(Counter::Objects);
    counters_->add(Counter::Bytes, payload);
    if (next < replay_until) {
        ++total_replayed;
        counters_->add(Counter::Replayed);
    }
    const std::uint64_t sequence = next++;
    ++objects;
    counters_->set(Counter::LastSequence, next);
    push({.item = {std::move(object), sequence, epoch}, .bytes = bytes, .counted = true, .object = true});
}

void SubscriberTrack::clear() {
    abandon_object();
    queue_.clear();
}

}  // namespace hawser::session
