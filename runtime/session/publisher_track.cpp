#include "runtime/session/publisher_track.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/base/text.h"

namespace hawser::session {
namespace {

// How far a source that can wait may be ahead of the socket, bytes. Where it makes many small objects it
// needs its share of a core, which it gets in longer turns.
constexpr std::uint64_t kAheadLarge = 2 << 20;
constexpr std::uint64_t kAheadSmall = 8 << 20;
constexpr std::uint64_t kLarge = 64 * 1024;
constexpr std::size_t kHeadSize = wire::kPrefixSize + wire::kObjectHeaderSize;

template <std::size_t N>
std::span<std::byte, N> part(std::span<std::byte> bytes, std::size_t at) {
    return std::span<std::byte, N>(bytes.data() + at, N);
}

}  // namespace

PublisherTrack::PublisherTrack(Owner& owner, const PublisherConfig& config, const Clock& clock,
                               PublisherShared& shared, std::uint16_t id, std::string name,
                               std::uint8_t priority, Duration max_latency, std::size_t reactors)
    : owner_(owner),
      config_(config),
      clock_(clock),
      shared_(shared),
      id_(id),
      name_(std::move(name)),
      priority_(priority),
      max_latency_(max_latency),
      progress_(reactors) {
    begin_epoch(0);
}

void PublisherTrack::begin_epoch(std::uint64_t epoch) {
    ring_.reset();
    writer_.reset();
    // A segment stays whole while one of its objects is held, and copies of large objects round up: leave
    // room for both.
    memory::SegmentPoolConfig pool;
    constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
    // What a source that is ahead of its socket takes in turn should not come from the system each time.
    pool.max_idle_bytes = std::min(kAheadSmall, 2 * std::min(config_.max_bytes, kMost));
    pool.max_bytes = 2 * std::min(config_.max_bytes, kMost) + config_.link.max_object_size + (1 << 20);
    pool_ = std::make_unique<memory::SegmentPool>(pool);
    writer_ = std::make_unique<memory::SegmentWriter>(*pool_);
    ring_ = std::make_unique<ring::HistoryRing>(
        ring::HistoryBounds{config_.max_bytes, config_.max_time, config_.max_objects});
    sticky_ = std::make_unique<StickyEvents>();
    epoch_ = epoch;
    counters_ = nullptr;
    group_ = 0;
    caps_id_ = 0;
    flush_epoch_ = 0;
    bytes_.store(0, std::memory_order_relaxed);
    ended_.store(false, std::memory_order_release);
    for (Progress& one : progress_) {
        one.set(ring::HistoryRing::kNone, ring::HistoryRing::kNone);
        one.set_wanted(ring::HistoryRing::kNone);
        one.set_sent(ring::HistoryRing::kNone);
    }
    group_asked = {};
    group_pending.reset();
}

CounterSlot& PublisherTrack::counters() {
    if (!counters_)
        counters_ =
            &CounterBlock::process().claim(CounterRole::Publisher, config_.link.stream, name_, epoch_);
    return *counters_;
}

std::optional<PublishResult> PublisherTrack::halted() const {
    if (shared_.failed.load(std::memory_order_acquire)) return PublishResult::Failed;
    if (shared_.stopped.load(std::memory_order_acquire) || gate_.unlocked()) return PublishResult::Unlocked;
    return std::nullopt;
}

std::optional<PublishResult> PublisherTrack::wait_for_subscriber() {
    // A live stream cannot be held up, only become stale; but who asked for `block` wants all of it.
    const auto go_on = [this] {
        return shared_.subscribed.load(std::memory_order_acquire) ||
               (shared_.live.load(std::memory_order_acquire) &&
                config_.slow_client_policy != SlowClientPolicy::Block);
    };
    if (config_.wait_for_connection && !go_on()) {
        announce_held_back();
        const auto result =
            gate_.wait([&] { return go_on() || shared_.failed.load() || shared_.stopped.load(); });
        if (result == ring::WaitResult::Unlocked) return PublishResult::Unlocked;
    }
    return halted();
}

// What everybody has acknowledged, and no newcomer would begin with, need not be kept: its memory goes round
// sooner, while it is still in the caches.
void PublisherTrack::forget_unwanted() {
    const std::uint64_t wanted = least<&Progress::wanted>();
    if (wanted != ring::HistoryRing::kNone && wanted > ring_->tail()) ring_->advance_tail(wanted);
}

// A source that can wait runs no further ahead of the socket than is good for the caches. (With several
// tracks that might wait for what the same source has for another one.)
void PublisherTrack::keep_pace(std::uint64_t bytes) {
    if (config_.slow_client_policy != SlowClientPolicy::Auto ||
        !shared_.blocking.load(std::memory_order_acquire))
        return;
    const std::uint64_t sent = least<&Progress::sent>();
    const std::uint64_t ahead = bytes >= kLarge ? kAheadLarge : kAheadSmall;
    if (sent == ring::HistoryRing::kNone || ring_->bytes_from(sent) <= ahead) return;
    announce_held_back();
    // Until it is half of that, since each time costs a wake.
    std::uint64_t enough = sent;
    while (ring_->bytes_from(enough) > ahead / 2) ++enough;
    enough_sent_.store(enough);
    gate_.wait([&] {
        return least<&Progress::sent>() >= enough || !shared_.blocking.load() || !shared_.present.load() ||
               shared_.failed.load() || shared_.stopped.load();
    });
    enough_sent_.store(ring::HistoryRing::kNone);
}

// By the policy, what is not acknowledged yet may be worth waiting for. An end that the ring has overtaken
// already is not waited for again until it has caught up.
std::optional<PublishResult> PublisherTrack::wait_for_room(std::uint64_t bytes, TimePoint& now) {
    forget_unwanted();
    keep_pace(bytes);
    now = clock_.now();
    const auto acked = [this] { return least<&Progress::for_policy>(); };
    const auto blocking = [this] { return shared_.blocking.load(std::memory_order_acquire); };
    const std::uint64_t needed = ring_->tail_for(bytes);
    if (blocking() && acked() < needed && acked() >= ring_->tail()) {
        announce_held_back();
        const auto done = [&] {
            return !blocking() || acked() >= needed || shared_.failed.load() || shared_.stopped.load();
        };
        // A receiver that is there but takes nothing, as a paused player, holds a copy up as the next element
        // would. The bound is for one that may not come back, and for those who asked for `block`.
        ring::WaitResult result;
        do {
            result = gate_.wait(done, config_.max_block);
        } while (result == ring::WaitResult::TimedOut && shared_.present.load() &&
                 config_.slow_client_policy == SlowClientPolicy::Auto);
        now = clock_.now();
        if (result == ring::WaitResult::Unlocked) return PublishResult::Unlocked;
        if (auto halt = halted()) return halt;
        if (result == ring::WaitResult::TimedOut)
            owner_.warn(
                {Errc::TimedOut, "a receiver of \"" + name_ + "\" has been too slow for " +
                                     format_duration(config_.max_block.count()) +
                                     " (max-block); going on, what it has missed is reported to it as lost"});
    }
    std::uint64_t by_time = ring_->tail_by_time(now);
    if (blocking()) by_time = std::min(by_time, std::max(acked(), ring_->tail()));
    ring_->advance_tail(by_time);
    return std::nullopt;
}

// The pool is larger than the ring, but large objects round up: where it is exhausted, the oldest go early.
memory::SegmentWriter::Allocation PublisherTrack::allocate(std::size_t size) {
    for (;;) {
        auto made = writer_->allocate(size);
        if (made || ring_->tail() == ring_->head()) return made;
        ring_->advance_tail(ring_->tail() + 1 + (ring_->head() - ring_->tail()) / 8);
    }
}

PublishResult PublisherTrack::publish(const ObjectIn& in) {
    std::uint64_t payload = 0;
    for (const auto& piece : in.payload) payload += piece.size();
    const std::uint64_t body = payload + in.extension.size();
    if (body > config_.link.max_object_size) {
        owner_.fail({Errc::Invalid,
                     "a buffer of " + format_bytes(body) + " on \"" + name_ + "\" exceeds max-object-size (" +
                         format_bytes(config_.link.max_object_size) + "); raise it on both ends"});
        return PublishResult::Failed;
    }
    if (in.extension.size() > wire::kMaxExtension) {
        owner_.fail({Errc::Invalid, "a buffer on \"" + name_ + "\" has metas of " +
                                        format_bytes(in.extension.size()) +
                                        ", more than the 1 MiB that may travel"});
        return PublishResult::Failed;
    }
    if (auto halt = wait_for_subscriber()) return *halt;
    TimePoint now;
    if (auto halt = wait_for_room(kHeadSize + body, now)) return *halt;

    const bool hold = in.held && *in.held;
    const std::uint64_t copied = hold ? in.extension.size() : body;
    auto space = allocate(kHeadSize + copied);
    if (!space) {
        owner_.fail(
            {Errc::NoResource, "no memory for a buffer of " + format_bytes(body) + " on \"" + name_ + "\""});
        return PublishResult::Failed;
    }

    ring::HistoryEntry& entry = ring_->next();
    entry.published = now;
    const Duration latency = max_latency_.load(std::memory_order_relaxed);
    if (latency != Duration::max()) entry.deadline = saturating_add(entry.published, latency);
    if (in.group_start) ++group_;

    wire::ObjectHeader header = in.header;
    header.group = group_;
    header.deadline = latency == Duration::max()
                          ? wire::kNone
                          : static_cast<std::uint64_t>(entry.deadline.time_since_epoch().count());
    header.payload_length = static_cast<std::uint32_t>(payload);
    header.extension_length = static_cast<std::uint32_t>(in.extension.size());
    header.caps_id = caps_id_;
    header.flush_epoch = flush_epoch_;
    header.priority = priority();
    const std::uint64_t chunk = wire::usual_fragment(body);
    const std::uint8_t flags = static_cast<std::uint8_t>((chunk < body ? wire::kMore : 0) |
                                                         (in.group_start ? wire::kGroupStart : 0));
    wire::encode({static_cast<std::uint32_t>(wire::kObjectHeaderSize + chunk), wire::FrameType::Object, flags,
                  id_, ring_->head()},
                 part<wire::kPrefixSize>(space.bytes, 0));
    wire::encode(header, part<wire::kObjectHeaderSize>(space.bytes, wire::kPrefixSize));
    std::byte* at = space.bytes.data() + kHeadSize;
    const auto copy = [&at](std::span<const std::byte> bytes) {
        if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
        at += bytes.size();
    };
    copy(in.extension);
    if (hold) {
        entry.tail = in.held->bytes();
        entry.held = std::move(*in.held);
    } else {
        for (const auto& piece : in.payload) copy(piece);
    }
    entry.head = space.bytes;
    entry.segment = std::move(space.segment);
    entry.head_size = kHeadSize;
    entry.object = true;
    entry.group_start = in.group_start;
    entry.droppable = in.droppable;
    entry.running_time = in.running_time;
    const std::uint64_t size = entry.bytes();
    ring_->append();
    writer_->expect(kHeadSize + copied);  // the next one is like it, as a rule

    bytes_.store(bytes_.load(std::memory_order_relaxed) + payload, std::memory_order_relaxed);
    CounterSlot& count = counters();
    count.bump(Counter::Objects);
    count.bump(Counter::Bytes, payload);
    count.set(Counter::LastSequence, ring_->head());
    announce(size);
    return PublishResult::Published;
}

PublishResult PublisherTrack::event(const wire::Event& event) {
    if (auto halt = halted()) return *halt;
    const std::size_t size = event.ByteSizeLong();
    if (size > wire::kMaxControl) {
        owner_.warn({Errc::Invalid, "an event of " + format_bytes(size) + " on \"" + name_ +
                                        "\" is longer than the 1 MiB that may travel; it was dropped"});
        return PublishResult::Published;
    }
    TimePoint now;
    if (auto halt = wait_for_room(wire::kPrefixSize + size, now)) return *halt;
    auto space = allocate(wire::kPrefixSize + size);
    if (!space) return PublishResult::Failed;
    if (event.kind() == wire::Event::CAPS) ++caps_id_;
    if (event.kind() == wire::Event::FLUSH) ++flush_epoch_;

    const std::uint64_t sequence = ring_->head();
    wire::encode({static_cast<std::uint32_t>(size), wire::FrameType::Event, 0, id_, sequence},
                 part<wire::kPrefixSize>(space.bytes, 0));
    event.SerializeWithCachedSizesToArray(
        reinterpret_cast<std::uint8_t*>(space.bytes.data() + wire::kPrefixSize));
    // Known before it can be seen in the ring, so that no joiner misses it.
    if (event.sticky() || event.kind() == wire::Event::FLUSH) sticky_->add(event, sequence + 1, id_);
    // Not the tail: a reader in its turn may still start a client below it.
    sticky_->prune(ring_->reclaimed());

    ring::HistoryEntry& entry = ring_->next();
    entry.published = now;
    entry.head = space.bytes;
    entry.segment = std::move(space.segment);
    entry.head_size = static_cast<std::uint32_t>(entry.head.size());
    entry.running_time = wire::kNone;
    ring_->append();

    CounterSlot& count = counters();
    count.add(Counter::Events);
    count.set(Counter::LastSequence, ring_->head());
    if (event.kind() == wire::Event::EOS) {
        count.set(Counter::Ended, 1);
        ended_.store(true, std::memory_order_release);
    } else if (event.kind() == wire::Event::STREAM_START || event.kind() == wire::Event::FLUSH) {
        ended_.store(false, std::memory_order_release);
    }
    announce(size);
    return PublishResult::Published;
}

void PublisherTrack::hold_back(bool on) {
    holds_back_ = on;
    if (!on) announce_held_back();
}

void PublisherTrack::announce(std::uint64_t bytes) {
    held_back_ += bytes;
    if (!holds_back_) announce_held_back();
}

void PublisherTrack::announce_held_back() {
    const std::uint64_t bytes = std::exchange(held_back_, 0);
    if (bytes > 0)
        owner_.published(shared_.published_bytes.fetch_add(bytes, std::memory_order_relaxed) + bytes);
}

bool PublisherTrack::drain() {
    announce_held_back();
    const std::uint64_t target = ring_->head();
    shared_.draining.fetch_add(1);
    owner_.acknowledgements_wanted();
    const auto acked = [this] { return least<&Progress::for_drain>(); };
    bool drained = false;
    for (;;) {
        const std::uint64_t before = acked();
        const auto result = gate_.wait(
            [&] { return acked() > before || acked() >= target || halted().has_value(); }, config_.linger);
        drained = acked() >= target;
        if (drained || halted() || result != ring::WaitResult::Ready) break;  // or no progress for `linger`
    }
    shared_.draining.fetch_sub(1);
    return drained;
}

PublisherTrackStats PublisherTrack::stats() const {
    const std::uint64_t tail = ring_->tail();  // before the head, which only grows
    const std::uint64_t head = ring_->head();
    return {
        name_, ring_->objects(), bytes_.load(std::memory_order_relaxed), ring_->bytes(), head - tail, head,
        tail};
}

}  // namespace hawser::session
