// The receiving end of a link.
//
// Threads: each TrackReader is used by one streaming thread. Subscriber's methods: any thread but the
// reactor's. SubscriberListener: the reactor's thread, must not block.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "hawser/wire.pb.h"
#include "proto/wire/header.h"
#include "runtime/base/counters.h"
#include "runtime/base/result.h"
#include "runtime/io/reactor.h"
#include "runtime/session/bytes.h"
#include "runtime/session/config.h"

namespace hawser::session {

class TrackReader;

struct SubscriberConfig {
    LinkConfig link;
    std::uint64_t max_queue_bytes = 16ull
                                    << 20;  // received, not yet handed downstream; reading pauses above it
    std::uint32_t max_queue_items = 8192;   // each track
    Duration busy_poll{};                   // how long a reader looks for data before it sleeps
};

struct SubscriberTrackStats {
    std::string name;
    std::uint64_t objects = 0;
    std::uint64_t bytes = 0;
    std::uint64_t lost = 0;
    std::uint64_t next_sequence = 0;
};

struct SubscriberStats {
    std::uint64_t epoch = 0;   // the present one
    std::uint64_t epochs = 0;  // seen so far
    std::uint64_t objects = 0, bytes = 0, replayed = 0, lost = 0, doubled = 0, delivered = 0;
    std::uint64_t reconnects = 0;
    std::uint64_t rtt = 0;  // ns, smoothed; 0 while unknown
    std::uint64_t queued_bytes = 0;
    std::vector<SubscriberTrackStats> tracks;
};

struct Recovery {
    bool new_epoch = false;
    std::uint64_t epoch = 0;
    Duration downtime{};         // from the loss of the old connection to the first frame of data after it
    std::uint64_t replayed = 0;  // objects that the ring gave again, as announced by the publisher
    std::uint64_t lost = 0;      // objects it no longer had
};

class SubscriberListener {
  public:
    virtual void on_state(State state, State before, const std::string& reason) = 0;
    // A track appears (once for each name in the subscriber's life: a new epoch goes on in the same track).
    virtual void on_track(TrackReader& track) = 0;
    // The publisher has announced all tracks that it has now.
    virtual void on_tracks_complete() = 0;
    virtual void on_recovered(const Recovery& recovery) = 0;
    virtual void on_gap(const std::string& track, const wire::Gap& gap) = 0;
    // An object begins: memory for its payload_length bytes, into which the socket is read. Of the header,
    // the owner keeps what it needs; the reader gets it as Item::object. Empty result: out of memory, the
    // connection breaks.
    virtual HeldBytes land(TrackReader& track, const wire::ObjectHeader& header) = 0;
    virtual void on_warning(const Error& error) = 0;
    virtual void on_failed(const Error& error) = 0;

  protected:
    ~SubscriberListener() = default;
};

struct EventItem {
    wire::Event event;
    bool snapshot = false;  // a repeated sticky event: may equal what the reader has already
};
struct GapItem {
    wire::Gap gap;
};
// The first item of each epoch, before its events: from here on timestamps belong to another life of the
// sender.
struct EpochItem {
    std::uint64_t epoch = 0;
    unsigned number = 0;  // 0 for the first
    std::uint64_t running_time =
        wire::kNone;  // least running time that will come on any track, where the sender knew it
    CounterSlot* counters = nullptr;  // of the track in this epoch; for the reader's own use
};

// What a reader gets, in the track's order. Small, and without memory of its own for an object that has no
// extension.
struct Item {
    enum class Kind : std::uint8_t { None, Object, Event, Gap, Epoch };
    using Details = std::variant<std::string, EventItem, GapItem, EpochItem>;

    Kind kind = Kind::None;
    bool counted = false;  // has a place in the sequence
    std::uint64_t sequence = 0;
    std::uint64_t cost = 0;            // bytes it counts in the queue
    HeldBytes object;                  // Object: what SubscriberListener::land() gave
    std::unique_ptr<Details> details;  // Object: its extension, or null; else what the kind says

    // An encoded wire::ObjectExtension; empty where there is none.
    std::string_view extension() const {
        return details ? std::string_view(std::get<std::string>(*details)) : std::string_view();
    }
    const EventItem& event() const { return std::get<EventItem>(*details); }
    const GapItem& gap() const { return std::get<GapItem>(*details); }
    const EpochItem& epoch() const { return std::get<EpochItem>(*details); }
};
static_assert(sizeof(Item) <= 64, "one for each object goes from thread to thread");

class TrackReader {
  public:
    virtual const std::string& name() const = 0;
    // The oldest item, in place until drop(). wait() blocks until there is one, peek() does not. Null where
    // there is none, after unlock(), or when the subscriber has stopped. wait() may stand in for the reactor:
    // to read, and to acknowledge.
    virtual Item* wait() = 0;
    virtual Item* peek() = 0;
    // How many items there are now; more may have come.
    virtual std::size_t waiting() const = 0;
    // Lets the oldest item go, on to the next.
    virtual void drop() = 0;
    // What was dropped so far was handed downstream, or given up: acknowledges it. For several at once where
    // they are handed on at once.
    virtual void handed() = 0;
    virtual void unlock() = 0;       // any thread
    virtual void unlock_stop() = 0;  // any thread
    // Asks the publisher for a keyframe. Any thread.
    virtual void request_new_group(bool all_headers, unsigned count) = 0;
    // For the element's own use.
    void* user_data = nullptr;

  protected:
    ~TrackReader() = default;
};

class Subscriber {
  public:
    static std::unique_ptr<Subscriber> create(std::shared_ptr<io::Reactor> reactor, SubscriberConfig config,
                                              SubscriberListener& listener);
    virtual ~Subscriber() = default;  // stops

    // Caller: connects in the background. Listener: binds at once and returns its error.
    virtual Result<void> start() = 0;
    // Closes. The listener is not called after it returns; readers' pop() returns false. TrackReaders stay
    // valid until the destructor.
    virtual void stop() = 0;
    virtual void reconnect() = 0;  // breaks the connection with RST; it comes back by itself

    virtual State state() const = 0;
    virtual std::uint16_t port() const = 0;
    virtual SubscriberStats stats() const = 0;
};

}  // namespace hawser::session
