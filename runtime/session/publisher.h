// The sending end of a link: one stream with its tracks, served to any number of subscribers.
//
// Threads: each TrackWriter is used by one streaming thread (its pad's). Publisher's methods may be called
// from any thread but the reactor's, one at a time for each of start/stop. PublisherListener is called on the
// reactor's thread and must not block; it may call nothing of the Publisher but request-free getters.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hawser/wire.pb.h"
#include "proto/wire/header.h"
#include "runtime/base/result.h"
#include "runtime/io/reactor.h"
#include "runtime/session/bytes.h"
#include "runtime/session/config.h"

namespace hawser::session {

enum class SlowClientPolicy : std::uint8_t {
    Auto,   // Block while there is one subscriber and upstream is not live, else Drop; max_block bounds the
            // wait only while that subscriber is away
    Drop,   // skip to the newest group, report the loss
    Block,  // publish() waits for the slowest subscriber, at most max_block; then as Drop
    Disconnect,  // close the connection
};

struct PublisherConfig {
    LinkConfig link;
    // publish() waits for the first subscriber; where upstream is live, only with SlowClientPolicy::Block.
    bool wait_for_connection = true;
    SlowClientPolicy slow_client_policy = SlowClientPolicy::Auto;
    Duration max_block = std::chrono::seconds(10);
    Duration linger =
        std::chrono::seconds(5);  // stop(): how long GOAWAY and the last bytes may take; drain()'s bound
    std::uint64_t max_bytes = 64ull << 20;  // the ring's bounds, each track
    Duration max_time = std::chrono::seconds(30);
    std::uint32_t max_objects = 16384;  // rounded up to a power of two
    std::uint32_t max_clients = 10000;
    // A client whose socket takes nothing for so long is closed.
    Duration max_park = std::chrono::minutes(5);
    // How long objects may wait to be sent together with later ones; negative: as long as it takes for the
    // reactors to keep up, at most 50 ms; zero: never.
    Duration max_coalesce{-1};

    bool drops() const {
        return slow_client_policy == SlowClientPolicy::Drop || slow_client_policy == SlowClientPolicy::Auto;
    }
};

struct ClientStats {
    std::uint64_t id = 0;  // counts connections of this publisher from 1
    std::string address;
    const char* state = "";     // a client's: live, lagging, …; handshake before
    std::uint64_t objects = 0;  // handed to the kernel
    std::uint64_t bytes = 0;
    std::uint64_t lost = 0;  // objects reported to it as gone
    std::uint64_t lag = 0;   // entries published but not sent yet
};

struct PublisherTrackStats {
    std::string name;
    std::uint64_t objects = 0;  // published
    std::uint64_t bytes = 0;
    std::uint64_t ring_bytes = 0;
    std::uint64_t ring_objects = 0;
    std::uint64_t head = 0;  // next sequence
    std::uint64_t tail = 0;  // oldest sequence held
};

struct PublisherStats {
    std::uint64_t epoch = 0;
    std::uint64_t clients_total = 0;
    std::uint64_t reconnects = 0;
    // Connections refused since there were max_clients, and such as had to make room before they had said
    // what they want (of all publishers that share the address).
    std::uint64_t turned_away = 0;
    std::uint64_t skipped = 0;  // objects reported lost, all clients; see Losses
    std::array<std::uint64_t, wire::GapReason_ARRAYSIZE> skipped_by_reason{};  // of these, by wire::GapReason
    std::vector<PublisherTrackStats> tracks;
    std::vector<ClientStats> clients;
};

class PublisherListener {
  public:
    virtual void on_state(State state, State before, const std::string& reason) = 0;
    virtual void on_client_added(std::uint64_t id, const std::string& address) = 0;
    virtual void on_client_removed(std::uint64_t id, const std::string& reason) = 0;
    // A subscriber needs a group to start (rate-limited and coalesced here): ask the encoder for a keyframe.
    virtual void on_new_group_wanted(const std::string& track, bool all_headers, unsigned count) = 0;
    virtual void on_warning(const Error& error) = 0;  // heals by itself
    virtual void on_failed(const Error& error) = 0;   // state is Failed now

  protected:
    ~PublisherListener() = default;
};

// An object as its streaming thread hands it over. Of `header`, the element fills pts, dts, duration, offset,
// offset_end and gst_flags; the rest is the publisher's.
struct ObjectIn {
    wire::ObjectHeader header;
    bool group_start = true;                   // not GST_BUFFER_FLAG_DELTA_UNIT
    bool droppable = false;                    // GST_BUFFER_FLAG_DROPPABLE: nothing depends on it
    std::uint64_t running_time = wire::kNone;  // ns, for joining tracks at the same moment
    std::span<const std::byte> extension;      // an encoded wire::ObjectExtension, or empty
    std::span<const std::span<const std::byte>>
        payload;                // one span a memory; copied, unless `held` covers them
    HeldBytes* held = nullptr;  // optional: the whole payload as one piece that may be kept by reference
};

enum class PublishResult : std::uint8_t {
    Published,
    Unlocked,  // unlock() was called: GST_FLOW_FLUSHING
    Failed,    // the session cannot heal; on_failed() told why: GST_FLOW_ERROR
};

// One track's entrance. Obtained from Publisher::add_track(), valid until remove_track() or the publisher's
// end. All but unlock(), unlock_stop() and set_priority(): the track's streaming thread.
class TrackWriter {
  public:
    // Payloads up to this size are no dearer to copy than to hold; pass `held` only for larger ones.
    // (docs/design/0011-copy-or-hold.md has the figures.)
    static constexpr std::size_t kCopyBelow = 16 * 1024;

    virtual PublishResult publish(const ObjectIn& object) = 0;
    // A serialized event: takes its place between the objects, sticky ones are kept for joiners. EOS marks
    // the track as ended.
    virtual PublishResult event(const wire::Event& event) = 0;
    // Between hold_back(true) and hold_back(false), what is published need not leave at once: for many
    // objects that come together.
    virtual void hold_back(bool on) = 0;
    // Waits until every connected subscriber has acknowledged all that was published so far (EOS included),
    // at most `linger`. True where they have. Returns early with false on unlock().
    virtual bool drain() = 0;
    virtual void unlock() = 0;       // makes a blocked call, and all later ones, return Unlocked. Any thread.
    virtual void unlock_stop() = 0;  // back to normal. Any thread.
    virtual void set_priority(std::uint8_t priority) = 0;  // 0 (most urgent) … 7. Any thread.
    virtual void set_max_latency(
        Duration latency) = 0;  // objects get the deadline now + latency; max(): none. Any thread.

  protected:
    ~TrackWriter() = default;
};

class Publisher {
  public:
    // The first reactor listens or connects; all of them share the clients. At most 64.
    static std::unique_ptr<Publisher> create(std::vector<std::shared_ptr<io::Reactor>> reactors,
                                             PublisherConfig config, PublisherListener& listener);
    virtual ~Publisher() = default;  // stops

    // Tracks may come and go at any time; names are unique. Error: the name is taken.
    virtual Result<TrackWriter*> add_track(const std::string& name, std::uint8_t priority,
                                           Duration max_latency) = 0;
    virtual void remove_track(TrackWriter* track) = 0;

    // Begins a new epoch. Listener: binds and returns its error (AddressInUse, …); caller: connects in the
    // background.
    virtual Result<void> start() = 0;
    // Tells subscribers, closes and forgets everything; the listener is not called after it returns. Bounded
    // by 200 ms. Blocked writers return Unlocked.
    virtual void stop() = 0;
    // Whether upstream makes data at its own pace and cannot wait. Any thread.
    virtual void set_live(bool live) = 0;

    // Breaks every connection with RST; they come back by themselves.
    virtual void reconnect() = 0;

    virtual State state() const = 0;  // any thread, no lock
    virtual std::uint32_t num_clients() const = 0;
    virtual std::uint16_t port() const = 0;  // bound port of a listener, else 0
    virtual std::uint64_t epoch() const = 0;
    virtual PublisherStats stats() const = 0;  // asks the reactor; not from the reactor's thread
};

}  // namespace hawser::session
