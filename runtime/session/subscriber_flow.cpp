// How much waits in a subscriber's queues, and what is told of what has come out of them.
#include <algorithm>
#include <utility>

#include "runtime/session/subscriber_core.h"

namespace hawser::session {
namespace {

// While nothing moves downstream, it is looked ever less often what to acknowledge.
constexpr Duration kMaxAckInterval = std::chrono::milliseconds(160);
// What may be asked for.
constexpr Duration kMostAckInterval = std::chrono::seconds(1);
constexpr std::uint64_t kLeastAckBytes = 1024;
constexpr std::uint64_t kLargeObject = 32 * 1024;  // bytes; smaller ones come many to a read

}  // namespace

// --- Back-pressure
// ------------------------------------------------------------------------------------------------------

void SubscriberCore::count_in(std::uint64_t bytes) {
    bytes_in_.store(bytes_in_.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
}

// By bytes. Asks what the readers have taken only where it matters.
bool SubscriberCore::crowded() const {
    const std::uint64_t in = bytes_in_.load(std::memory_order_relaxed);
    if (in - bytes_out_copy_ < config_.max_queue_bytes) return false;
    bytes_out_copy_ = bytes_out_.load(std::memory_order_seq_cst);
    return in - bytes_out_copy_ >= config_.max_queue_bytes;
}

bool SubscriberCore::full() const {
    return crowded() ||
           std::any_of(tracks_.begin(), tracks_.end(), [](const auto& track) { return track->full(); });
}

// Dekker with taken(): we say that we pause, then look again; it makes room, then looks whether we pause.
bool SubscriberCore::wants_more() const {
    if (!crowded() && !(grown_ && grown_->full())) return true;
    paused_.store(true, std::memory_order_seq_cst);
    if (full()) return false;
    paused_.store(false, std::memory_order_relaxed);
    return true;
}

// Reading goes on when half of what made it wait is taken, since each time costs a wake; but an empty queue
// does not wait for what lies in others'.
void SubscriberCore::taken(SubscriberTrack& track, std::uint64_t bytes) {
    const std::uint64_t out = bytes_out_.fetch_add(bytes, std::memory_order_seq_cst) + bytes;
    if (!paused_.load(std::memory_order_seq_cst)) return;
    const std::uint64_t queued = bytes_in_.load(std::memory_order_relaxed) - out;
    if ((queued <= config_.max_queue_bytes / 2 && track.drained()) || track.empty()) reactor_->notify(*this);
}

// A publisher that waits for room may be waiting for what has just been handed on.
ring::WaitResult SubscriberCore::wait(SubscriberTrack& track, ring::SpscQueue<Item>& queue) {
    if (worth_telling(track)) {
        if (reactor_->try_enter()) {
            acknowledge();
            reactor_->leave();
        } else {
            tell_.store(true, std::memory_order_release);
            reactor_->notify(*this);
        }
    }
    return stand_in_.wait(queue);
}

// One track's reader may read for itself: what comes is its own.
void SubscriberCore::offer_reading() {
    if (connection_ && subscribed_ && tracks_.size() == 1)
        stand_in_.offer(connection_->stream(), tracks_.front()->queue());
    else
        stand_in_.withdraw();
    if (config_.busy_poll > Duration::zero() && tracks_.size() > 1 && !busy_poll_)
        busy_poll_.emplace(reactor_, config_.busy_poll);
}

bool SubscriberCore::read_some() {
    if (!connection_) return false;
    if (!paused_) return connection_->read_some();
    // Its queue is empty, so there is room.
    on_notified();
    return true;
}

bool SubscriberCore::expects_more() const {
    return tracks_.size() == 1 && tracks_.front()->missing() > 0 &&
           tracks_.front()->assembly_bytes() >= kLargeObject;
}

void SubscriberCore::end_taken() {
    tell_.store(true, std::memory_order_release);
    reactor_->notify(*this);
}

void SubscriberCore::on_notified() {
    if (tell_.exchange(false, std::memory_order_acquire)) acknowledge();
    if (!paused_ || full()) return;
    paused_ = false;
    if (connection_) connection_->resume_reading();
}

// --- Acknowledgements
// ---------------------------------------------------------------------------------------------------

void SubscriberCore::arm_acknowledge() {
    if (ack_timer_ || !connection_) return;
    ack_timer_ = reactor_->after(ack_interval_, [this] {
        ack_timer_ = 0;
        // Each time that there was nothing to tell.
        ack_interval_ = std::min(ack_interval_ * 2, std::max(kMaxAckInterval, publishers_interval_));
        acknowledge();
    });
}

// It costs no packet of its own then.
void SubscriberCore::on_ping() {
    if (!one_of_many() || !ack_timer_) return;
    reactor_->cancel(std::exchange(ack_timer_, 0));
    acknowledge();
}

bool SubscriberCore::worth_telling(const SubscriberTrack& track) const {
    return bytes_out_.load(std::memory_order_relaxed) >= tell_at_.load(std::memory_order_relaxed) ||
           track.worth_telling();
}

void SubscriberCore::tell_later() {
    tell_at_.store(bytes_out_.load(std::memory_order_relaxed) + publishers_bytes_, std::memory_order_relaxed);
    for (const auto& track : tracks_) track->tell_later(publishers_entries_);
}

void SubscriberCore::acknowledge() {
    tell_later();
    if (!connection_ || !subscribed_) return;
    wire::Ack& message = ack_;  // kept, with the memory it has
    message.Clear();
    bool behind = false;
    for (const auto& track : tracks_) {
        if (!track->id) continue;
        const std::uint64_t delivered = track->delivered();
        if (delivered > track->acknowledged) {
            wire::TrackPosition& position = *message.add_tracks();
            position.set_track(track->id);
            position.set_next(delivered);
            track->acknowledged = delivered;
        }
        behind = behind || track->acknowledged < track->next;
    }
    if (message.tracks_size() > 0) {
        ack_interval_ = publishers_interval_;
        connection_->send(wire::FrameType::Ack, message);
    }
    if (behind) arm_acknowledge();
}

// When the publisher wants to hear of what was handed on.
void SubscriberCore::heed(const wire::Announce& message) {
    publishers_interval_ = message.ack_interval() > 0
                               ? std::clamp<Duration>(std::chrono::milliseconds(message.ack_interval()),
                                                      kAckInterval, kMostAckInterval)
                               : kAckInterval;
    publishers_bytes_ =
        message.ack_bytes() > 0 ? std::clamp(message.ack_bytes(), kLeastAckBytes, kNoMatter) : kNoMatter;
    publishers_entries_ = message.ack_entries() > 0 ? message.ack_entries() : kNoMatter;
}

}  // namespace hawser::session
