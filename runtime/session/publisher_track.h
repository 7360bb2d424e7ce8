// One track of a publisher: the streaming thread writes it into its ring, the reactor sends from there.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/counters.h"
#include "runtime/memory/segment_pool.h"
#include "runtime/ring/blocking_consumer.h"
#include "runtime/ring/history.h"
#include "runtime/session/publisher.h"
#include "runtime/session/sticky.h"

namespace hawser::session {

// What the tracks need to know of their publisher; written by the reactor's thread and by start() and stop().
struct PublisherShared {
    std::atomic<bool> subscribed{false};   // there was a subscriber in this epoch
    std::atomic<bool> blocking{false};     // by the slow-client policy, publish() waits for acknowledgements
    std::atomic<bool> live{false};         // upstream makes data at its own pace and cannot wait
    std::atomic<bool> present{false};      // at least one subscriber is connected
    std::atomic<bool> absent_block{true};  // those who may come back are waited for as well
    std::atomic<bool> stopped{true};
    std::atomic<bool> failed{false};
    std::atomic<std::uint64_t> published_bytes{0};  // on all tracks, heads included
    std::atomic<unsigned> draining{0};              // tracks in drain()
};

// How far the clients of one reactor are with a track: lowest sequences. kNone: nobody counts. Written by
// that reactor, read by the streaming thread.
class Progress {
  public:
    // Not acknowledged by those who count for the slow-client policy, and for drain().
    std::uint64_t for_policy() const { return policy_.load(std::memory_order_acquire); }
    std::uint64_t for_drain() const { return drain_.load(std::memory_order_acquire); }
    void set(std::uint64_t policy, std::uint64_t drain) {
        policy_.store(policy, std::memory_order_release);
        drain_.store(drain, std::memory_order_release);
    }
    // One more counts.
    void lower(std::uint64_t policy, std::uint64_t drain) {
        set(std::min(for_policy(), policy), std::min(for_drain(), drain));
        set_wanted(std::min(wanted(), policy));
    }
    // What somebody may still want: not acknowledged, or where a newcomer would begin. 0: not known.
    std::uint64_t wanted() const { return wanted_.load(std::memory_order_acquire); }
    void set_wanted(std::uint64_t sequence) { wanted_.store(sequence, std::memory_order_release); }
    // Not sent to everybody. kNone: does not matter.
    std::uint64_t sent() const { return sent_.load(std::memory_order_acquire); }
    void set_sent(std::uint64_t sequence) { sent_.store(sequence, std::memory_order_release); }

  private:
    std::atomic<std::uint64_t> policy_{ring::HistoryRing::kNone};
    std::atomic<std::uint64_t> drain_{ring::HistoryRing::kNone};
    std::atomic<std::uint64_t> wanted_{ring::HistoryRing::kNone};
    std::atomic<std::uint64_t> sent_{ring::HistoryRing::kNone};
};

class PublisherTrack final : public TrackWriter {
  public:
    // How the streaming threads reach the reactor; any thread.
    class Owner {
      public:
        virtual void published(std::uint64_t bytes) = 0;  // there is something new to send
        virtual void acknowledgements_wanted() = 0;
        virtual void fail(const Error& error) = 0;
        virtual void warn(const Error& error) = 0;

      protected:
        ~Owner() = default;
    };

    // `reactors`: how many serve its clients.
    PublisherTrack(Owner& owner, const PublisherConfig& config, const Clock& clock, PublisherShared& shared,
                   std::uint16_t id, std::string name, std::uint8_t priority, Duration max_latency,
                   std::size_t reactors = 1);

    // --- Streaming thread (TrackWriter)
    PublishResult publish(const ObjectIn& object) override;
    PublishResult event(const wire::Event& event) override;
    void hold_back(bool on) override;
    bool drain() override;
    // --- Any thread
    void unlock() override { gate_.unlock(); }
    void unlock_stop() override { gate_.unlock_stop(); }
    void set_priority(std::uint8_t priority) override {
        priority_.store(priority, std::memory_order_relaxed);
    }
    void set_max_latency(Duration latency) override {
        max_latency_.store(latency, std::memory_order_relaxed);
    }
    std::uint8_t priority() const { return priority_.load(std::memory_order_relaxed); }
    const std::string& name() const { return name_; }
    std::uint16_t id() const { return id_; }
    bool ended() const { return ended_.load(std::memory_order_acquire); }
    PublisherTrackStats stats() const;

    // --- Reactor's thread, or while no streaming thread runs
    // Forgets all and begins anew at sequence 0.
    void begin_epoch(std::uint64_t epoch);
    ring::HistoryRing& ring() { return *ring_; }
    const StickyEvents& sticky() const { return *sticky_; }
    // Something that a blocked streaming thread may wait for has changed.
    void wake() { gate_.notify(); }
    // The same, where it waits for what has been sent: not before enough of it has.
    void wake_if_sent() {
        gate_.notify_if([this] { return least<&Progress::sent>() >= enough_sent_.load(); });
    }
    Progress& progress(std::size_t reactor) { return progress_[reactor]; }

    // --- The first reactor's thread
    TimePoint group_asked{};  // when a new group was last asked for
    // Asked for again too soon: the head then. It is seen to when the time has come, if no group has begun
    // at or behind it until then.
    std::optional<std::uint64_t> group_pending;

  private:
    std::optional<PublishResult> wait_for_subscriber();
    std::optional<PublishResult> wait_for_room(std::uint64_t bytes, TimePoint& now);
    void keep_pace(std::uint64_t bytes);
    void forget_unwanted();
    std::optional<PublishResult> halted() const;
    // The least of all reactors.
    template <std::uint64_t (Progress::*what)() const>
    std::uint64_t least() const {
        std::uint64_t least = ring::HistoryRing::kNone;
        for (const Progress& one : progress_) least = std::min(least, (one.*what)());
        return least;
    }
    memory::SegmentWriter::Allocation allocate(std::size_t size);
    void announce(std::uint64_t bytes);
    void announce_held_back();
    CounterSlot& counters();

    Owner& owner_;
    const PublisherConfig& config_;
    const Clock& clock_;
    PublisherShared& shared_;
    const std::uint16_t id_;
    const std::string name_;
    std::atomic<std::uint8_t> priority_;
    std::atomic<Duration> max_latency_;
    std::atomic<bool> ended_{false};
    ring::BlockingConsumer gate_;
    std::vector<Progress> progress_;  // by reactor
    // Written by the streaming thread when it waits for this to be sent.
    std::atomic<std::uint64_t> enough_sent_{ring::HistoryRing::kNone};

    // The streaming thread's
    std::unique_ptr<memory::SegmentPool> pool_;
    std::unique_ptr<memory::SegmentWriter> writer_;
    std::unique_ptr<ring::HistoryRing> ring_;
    std::unique_ptr<StickyEvents> sticky_;
    std::uint64_t epoch_ = 0;
    CounterSlot* counters_ = nullptr;
    std::uint64_t held_back_ = 0;  // bytes published, which the reactors have not been told of
    bool holds_back_ = false;
    std::uint64_t group_ = 0;
    std::uint32_t caps_id_ = 0;
    std::uint32_t flush_epoch_ = 0;
    std::atomic<std::uint64_t> bytes_{0};
};

}  // namespace hawser::session
