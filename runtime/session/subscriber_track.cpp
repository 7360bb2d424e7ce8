#include "runtime/session/subscriber_track.h"

#include <algorithm>
#include <utility>

#include "runtime/base/log.h"

namespace hawser::session {
namespace {

// Single writers: no locked instruction.
void add(std::atomic<std::uint64_t>& to, std::uint64_t by) {
    to.store(to.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

template <typename T>
Item item_of(Item::Kind kind, std::uint64_t sequence, T details) {
    Item item;
    item.kind = kind;
    item.sequence = sequence;
    item.details = std::make_unique<Item::Details>(std::move(details));
    return item;
}

}  // namespace

SubscriberTrack::SubscriberTrack(Owner& owner, std::string name, std::uint32_t max_items)
    : owner_(owner), name_(std::move(name)), queue_(max_items + kReserve) {}

// --- Streaming thread
// ---------------------------------------------------------------------------------------------------

Item* SubscriberTrack::wait() {
    return owner_.wait(*this, queue_) == ring::WaitResult::Ready ? queue_.front() : nullptr;
}

Item* SubscriberTrack::peek() {
    return queue_.unlocked() ? nullptr : queue_.front();
}

void SubscriberTrack::drop() {
    Item& item = *queue_.front();
    if (item.kind == Item::Kind::Epoch) {
        handed();  // what was before it belongs to the epoch before
        ++reading_life_;
        reading_counters_ = item.epoch().counters;
    } else if (item.kind == Item::Kind::Object) {
        ++dropped_objects_;
    } else if (item.kind == Item::Kind::Event && item.event().event.kind() == wire::Event::EOS) {
        dropped_end_ = true;
    }
    if (item.counted) {
        dropped_counted_ = true;
        dropped_next_ = item.sequence + 1;
    }
    dropped_bytes_ += item.cost;
    dropped_any_ = true;
    queue_.drop_front();
}

void SubscriberTrack::handed() {
    if (!std::exchange(dropped_any_, false)) return;
    if (std::exchange(dropped_counted_, false)) {
        if (delivered_life_.load(std::memory_order_relaxed) != reading_life_) {
            // Whoever sees the new life must not see the old one's sequence.
            delivered_.store(0, std::memory_order_release);
            delivered_life_.store(reading_life_, std::memory_order_release);
        }
        delivered_.store(dropped_next_, std::memory_order_release);
    }
    if (const std::uint64_t count = std::exchange(dropped_objects_, 0); count > 0) {
        reading_counters_->bump(Counter::Delivered, count);
        add(total_delivered_, count);
    }
    // Also where it was no object: reading may wait for this very place in the queue.
    owner_.taken(*this, std::exchange(dropped_bytes_, 0));
    if (std::exchange(dropped_end_, false)) owner_.end_taken();
}

std::uint64_t SubscriberTrack::delivered() const {
    if (delivered_life_.load(std::memory_order_acquire) != life_) return 0;
    return delivered_.load(std::memory_order_acquire);
}

// --- Reactor's thread
// ---------------------------------------------------------------------------------------------------

// There is room: the session reads no frame while full(), and none makes more than two items.
void SubscriberTrack::push(Item&& item) {
    if (!queue_.try_push_quietly(std::move(item))) log().critical("{}: the queue overflowed", name_);
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
    EpochItem begun = epoch;
    begun.counters = &counters;
    push(item_of(Item::Kind::Epoch, start, begun));
    notify();
}

void SubscriberTrack::push_event(EventItem event, std::uint64_t sequence, std::uint64_t bytes) {
    const bool counted = !event.snapshot;
    if (event.event.kind() == wire::Event::EOS) {
        ended = true;
        counters_->set(Counter::Ended, 1);
    } else if (event.event.kind() == wire::Event::STREAM_START || event.event.kind() == wire::Event::FLUSH) {
        ended = false;
    }
    if (counted) {
        next = sequence + 1;
        counters_->bump(Counter::Events);
        counters_->set(Counter::LastSequence, next);
    }
    Item item = item_of(Item::Kind::Event, sequence, std::move(event));
    item.counted = counted;
    item.cost = bytes;
    push(std::move(item));
    notify();
}

void SubscriberTrack::push_end() {
    abandon_object();
    ended = true;
    EventItem end;
    end.event.set_kind(wire::Event::EOS);
    end.event.set_sticky(true);
    end.snapshot = true;
    push(item_of(Item::Kind::Event, next, std::move(end)));
    notify();
}

void SubscriberTrack::push_gap(const wire::Gap& gap) {
    abandon_object();
    next = gap.next();
    objects += gap.lost_objects();
    total_lost += gap.lost_objects();
    counters_->bump(Counter::Lost, gap.lost_objects());
    counters_->set(Counter::LastSequence, next);
    Item item = item_of(Item::Kind::Gap, gap.next() - 1, GapItem{gap});
    item.counted = true;
    push(std::move(item));
    notify();
}

void SubscriberTrack::begin_object(const wire::ObjectHeader& header, HeldBytes object) {
    assembling_ = true;
    object_ = std::move(object);
    body_ = header.body_length();
    landed_ = 0;
    extension_size_ = header.extension_length;
    if (extension_size_ > 0) extension_ = std::make_unique<Item::Details>(std::string(extension_size_, '\0'));
}

void SubscriberTrack::abandon_object() {
    assembling_ = false;
    object_.reset();
    extension_.reset();
}

Landing SubscriberTrack::next_chunk(std::size_t chunk) {
    Landing landing;
    std::uint64_t at = landed_;
    landed_ += chunk;
    if (at < extension_size_) {
        const std::size_t size = std::min<std::size_t>(chunk, extension_size_ - at);
        std::string& bytes = std::get<std::string>(*extension_);
        landing.first = {reinterpret_cast<std::byte*>(bytes.data()) + at, size};
        chunk -= size;
        at += size;
    }
    if (chunk > 0) landing.second = object_.bytes().subspan(at - extension_size_, chunk);
    return landing;
}

void SubscriberTrack::finish_object() {
    assembling_ = false;
    const std::uint64_t payload = body_ - extension_size_;
    ++total_objects;
    total_bytes += payload;
    counters_->bump(Counter::Objects);
    counters_->bump(Counter::Bytes, payload);
    if (next < replay_until) {
        ++total_replayed;
        counters_->bump(Counter::Replayed);
    }
    const std::uint64_t sequence = next++;
    ++objects;
    counters_->set(Counter::LastSequence, next);
    Item item;
    item.kind = Item::Kind::Object;
    item.counted = true;
    item.sequence = sequence;
    item.cost = assembly_bytes();
    item.object = std::move(object_);
    item.details = std::move(extension_);
    push(std::move(item));
}

}  // namespace hawser::session
