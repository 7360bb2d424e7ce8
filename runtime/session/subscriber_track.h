// One track of a subscriber: the reactor assembles its objects and queues them, a streaming thread takes them
// out.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "runtime/base/counters.h"
#include "runtime/ring/spsc_queue.h"
#include "runtime/session/frame_reader.h"
#include "runtime/session/subscriber.h"

namespace hawser::session {

class SubscriberTrack final : public TrackReader {
  public:
    // How the streaming thread reaches the reactor; any thread.
    class Owner {
      public:
        virtual void taken(std::uint64_t bytes) = 0;  // room in the queues
        virtual void new_group_wanted(SubscriberTrack& track, bool all_headers, unsigned count) = 0;

      protected:
        ~Owner() = default;
    };

    SubscriberTrack(Owner& owner, std::string name, std::uint32_t max_items);

    // --- Streaming thread
    bool has_items() { return queue_.front() != nullptr; }
    bool pop(Item& item) override;
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
    bool full() const { return queue_.size_approx() + kReserve >= queue_.capacity(); }
    // `bytes`: what it counts in the queue.
    void push_event(EventItem event, std::uint64_t sequence, std::uint64_t epoch, std::uint64_t bytes);
    // EOS, where the stream is over and the publisher has not said it of this track.
    void push_end(std::uint64_t epoch);
    void push_gap(const wire::Gap& gap, std::uint64_t epoch);
    // Begins an object; its payload goes where `land` says.
    void begin_object(const wire::ObjectHeader& header, HeldBytes payload);
    bool assembling() const { return assembly_.has_value(); }
    Landing next_chunk(std::size_t chunk);
    std::uint64_t missing() const;  // bytes of the object under way that have not been landed
    std::uint64_t landed() const { return assembly_ ? assembly_->landed : 0; }
    std::uint64_t assembly_bytes() const;  // what the object under way counts in the queue
    // The object under way is whole: it goes into the queue.
    void finish_object(std::uint64_t epoch);
    void abandon_object() { assembly_.reset(); }
    void clear();  // while no streaming thread runs

  private:
    static constexpr std::size_t kReserve =
        64;  // places for what is not asked whether there is room: gaps, epochs

    struct Queued {
        Item item;
        CounterSlot* counters = nullptr;
        std::uint64_t bytes = 0;  // what it counts in the queue
        unsigned life = 0;
        bool counted = false;  // has a place in the sequence
        bool object = false;
    };
    struct Assembly {
        ObjectItem object;
        std::uint64_t landed = 0;
    };

    void push(Queued queued);

    Owner& owner_;
    const std::string name_;
    ring::SpscQueue<Queued> queue_;

    // The reactor's
    CounterSlot* counters_ = nullptr;
    std::optional<Assembly> assembly_;
    unsigned epoch_number_ = 0;
    unsigned life_ = 0;           // calls of begin_epoch(): a sequence means something within one only
    std::uint64_t began_at_ = 0;  // `next` at the last one

    // The streaming thread's
    Queued last_;
    unsigned delivering_life_ = 0;

    alignas(64) std::atomic<unsigned> delivered_life_{0};
    std::atomic<std::uint64_t> delivered_{0};
    std::atomic<std::uint64_t> total_delivered_{0};
};

}  // namespace hawser::session
