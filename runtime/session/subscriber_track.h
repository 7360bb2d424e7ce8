// One track of a subscriber: the reactor assembles its objects and queues them, a streaming thread takes them
// out.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "runtime/base/counters.h"
#include "runtime/base/fence.h"
#include "runtime/ring/spsc_queue.h"
#include "runtime/session/frame_reader.h"
#include "runtime/session/subscriber.h"

namespace hawser::session {

class SubscriberTrack final : public TrackReader {
  public:
    // How the streaming thread reaches the reactor; any thread.
    class Owner {
      public:
        // Waits for an item in the track's queue.
        virtual ring::WaitResult wait(SubscriberTrack& track, ring::SpscQueue<Item>& queue) = 0;
        virtual void taken(SubscriberTrack& track, std::uint64_t bytes) = 0;  // room in the queues
        virtual void end_taken() = 0;                                         // EOS was handed downstream
        virtual void new_group_wanted(SubscriberTrack& track, bool all_headers, unsigned count) = 0;

      protected:
        ~Owner() = default;
    };

    SubscriberTrack(Owner& owner, std::string name, std::uint32_t max_items);

    // --- Streaming thread
    Item* wait() override;
    Item* peek() override;
    std::size_t waiting() const override { return queue_.size_approx(); }
    void drop() override;
    void handed() override;
    // --- Any thread
    const std::string& name() const override { return name_; }
    void unlock() override { queue_.unlock(); }
    void unlock_stop() override { queue_.unlock_stop(); }
    void request_new_group(bool all_headers, unsigned count) override {
        owner_.new_group_wanted(*this, all_headers, count);
    }
    // What was handed downstream: everything below the result since the last begin_epoch(); 0 where nothing
    // was. The reactor's thread, but for what it reads.
    std::uint64_t delivered() const;
    // Whether enough was handed on since tell_later() to be worth an ACK. Any thread.
    bool worth_telling() const {
        return delivered_.load(std::memory_order_relaxed) >= tell_at_.load(std::memory_order_relaxed);
    }
    std::uint64_t total_delivered() const {
        return total_delivered_.load(std::memory_order_relaxed);
    }  // objects

    // --- Reactor's thread
    std::uint16_t id = 0;            // in this epoch; 0: not announced in it
    std::uint64_t next = 0;          // sequence expected
    std::uint64_t objects = 0;       // objects of this epoch below `next`
    std::uint64_t replay_until = 0;  // objects below were sent before the last reconnection
    std::uint64_t acknowledged = 0;  // last told
    bool ended = false;
    std::uint64_t total_objects = 0, total_bytes = 0, total_lost = 0;  // all epochs
    std::uint64_t total_replayed = 0, total_doubled = 0;

    void begin_epoch(CounterSlot& counters, const EpochItem& epoch, std::uint64_t start,
                     std::uint64_t objects_before);
    // What is known of it is another track's.
    void leave_epoch() {
        abandon_object();
        counters_ = nullptr;
    }
    bool in_epoch(unsigned number) const { return counters_ && epoch_number_ == number; }
    // A new connection: what was acknowledged may never have arrived.
    void acknowledge_again() { acknowledged = began_at_; }
    CounterSlot& counters() { return *counters_; }
    bool full() { return queue_.holds(queue_.capacity() - kReserve); }
    // `bytes`: what it counts in the queue.
    void push_event(EventItem event, std::uint64_t sequence, std::uint64_t bytes);
    // EOS, where the stream is over and the publisher has not said it of this track.
    void push_end();
    void push_gap(const wire::Gap& gap);
    // Begins an object, for which the listener has given `object`.
    void begin_object(const wire::ObjectHeader& header, HeldBytes object);
    bool assembling() const { return assembling_; }
    Landing next_chunk(std::size_t chunk);
    // Bytes of the object under way that have not been landed.
    std::uint64_t missing() const { return assembling_ ? body_ - landed_ : 0; }
    std::uint64_t landed() const { return assembling_ ? landed_ : 0; }
    // What the object under way counts in the queue: an empty one costs a place all the same.
    std::uint64_t assembly_bytes() const { return body_ + wire::kObjectHeaderSize; }
    // The object under way is whole: it goes into the queue, but its reader is not woken before notify().
    void finish_object();
    void notify() { queue_.notify(); }
    // So many entries from now.
    void tell_later(std::uint64_t entries) {
        tell_at_.store(delivered_.load(std::memory_order_relaxed) + entries, std::memory_order_relaxed);
    }
    ring::SpscQueue<Item>& queue() { return queue_; }
    void abandon_object();

    // Whether the reader has taken enough for reading to go on where it waits for room: not for each item,
    // which would be a wake each. Streaming thread.
    bool drained() const { return queue_.size_approx() <= queue_.capacity() / 2; }
    bool empty() { return queue_.front() == nullptr; }

  private:
    // Places for what is not asked whether there is room: gaps, epochs.
    static constexpr std::size_t kReserve = 64;

    void push(Item&& item);

    Owner& owner_;
    const std::string name_;
    ring::SpscQueue<Item> queue_;

    // The reactor's
    alignas(kCacheLine) CounterSlot* counters_ = nullptr;
    HeldBytes object_;  // the object under way
    std::unique_ptr<Item::Details> extension_;
    std::uint64_t body_ = 0, landed_ = 0;  // bytes; landed_ of them have a place
    std::uint32_t extension_size_ = 0;
    bool assembling_ = false;
    unsigned epoch_number_ = 0;
    unsigned life_ = 0;           // calls of begin_epoch(): a sequence means something within one only
    std::uint64_t began_at_ = 0;  // `next` at the last one

    // The streaming thread's: what was dropped and not handed yet…
    alignas(kCacheLine) std::uint64_t dropped_bytes_ = 0;
    std::uint64_t dropped_objects_ = 0;
    std::uint64_t dropped_next_ = 0;  // sequence behind the last that was counted
    bool dropped_counted_ = false;    // there was one that is
    bool dropped_any_ = false;
    bool dropped_end_ = false;
    // … and the epoch in which that is.
    unsigned reading_life_ = 0;
    CounterSlot* reading_counters_ = nullptr;

    alignas(kCacheLine) std::atomic<unsigned> delivered_life_{0};
    std::atomic<std::uint64_t> tell_at_{wire::kNone};  // the reactor's
    std::atomic<std::uint64_t> delivered_{0};
    std::atomic<std::uint64_t> total_delivered_{0};
};

}  // namespace hawser::session
