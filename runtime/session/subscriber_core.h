// The subscriber behind subscriber.h.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/random.h"
#include "runtime/io/busy_poll.h"
#include "runtime/session/connection.h"
#include "runtime/session/link.h"
#include "runtime/session/stand_in.h"
#include "runtime/session/subscriber.h"
#include "runtime/session/subscriber_track.h"

namespace hawser::session {

class SubscriberCore final : public Subscriber,
                             private Link::User,
                             private Connection::User,
                             private SubscriberTrack::Owner,
                             private StandIn::User,
                             private io::Notifiable {
  public:
    SubscriberCore(std::shared_ptr<io::Reactor> reactor, Random& random, SubscriberConfig config,
                   SubscriberListener& listener);
    ~SubscriberCore() override;

    Result<void> start() override;
    void stop() override;
    void reconnect() override;
    State state() const override { return link_.state(); }
    std::uint16_t port() const override { return link_.port(); }
    SubscriberStats stats() const override;

  private:
    // Link::User
    void introduce(Peer& self) override;
    Result<void> admit(const Peer& peer) override;
    std::size_t most_peers() const override { return 1; }
    void meet(std::unique_ptr<Connection> connection, const Peer& peer) override;
    void on_state(State now, State before, const std::string& reason) override;
    void on_warning(const Error& error) override { listener_.on_warning(error); }
    void on_failed(const Error& error) override;
    // Connection::User
    Result<void> on_hello(const wire::Hello&) override;
    Result<void> on_welcome(const wire::Welcome&) override;
    void on_room() override {}
    void on_ping() override;
    void on_closed(const Closing& closing) override;
    Result<void> on_frame(const wire::FramePrefix& prefix, std::span<const std::byte> body) override;
    Result<std::optional<Landing>> on_object(const wire::FramePrefix& prefix,
                                             const wire::ObjectHeader& header, std::size_t chunk) override;
    Result<std::optional<Landing>> on_fragment(const wire::FramePrefix& prefix, std::uint64_t offset,
                                               std::size_t chunk) override;
    Result<void> on_chunk(const wire::FramePrefix& prefix) override;
    void on_parsed() override;
    bool wants_more() const override;
    // SubscriberTrack::Owner (streaming threads)
    ring::WaitResult wait(SubscriberTrack& track, ring::SpscQueue<Item>& queue) override;
    void taken(SubscriberTrack& track, std::uint64_t bytes) override;
    void end_taken() override;
    void new_group_wanted(SubscriberTrack& track, bool all_headers, unsigned count) override;
    // StandIn::User (the streaming thread, in the reactor)
    bool read_some() override;
    bool expects_more() const override;
    std::uint64_t objects_read() const override {
        return tracks_.size() == 1 ? tracks_.front()->total_objects : 0;
    }
    // Notifiable
    void on_notified() override;

    Result<void> on_announce(const wire::Announce& message);
    Result<void> on_subscribed(const wire::SubscribeOk& message);
    void report_lost(SubscriberTrack& track, const wire::TrackStart& start, Recovery& recovery);
    Result<void> on_event(const wire::FramePrefix& prefix, std::span<const std::byte> body);
    Result<void> on_gap(const wire::FramePrefix& prefix, const wire::Gap& gap);
    SubscriberTrack* find(std::uint32_t id);
    SubscriberTrack* started(std::uint16_t id);
    void count_in(std::uint64_t bytes);
    void begin_epoch(SubscriberTrack& track, std::uint64_t start, std::uint64_t objects);
    void data_arrived();
    bool crowded() const;
    bool full() const;
    bool all_ended() const;
    void drop_connection();
    void offer_reading();
    // The publisher serves so many that it wants to hear little of each.
    bool one_of_many() const { return publishers_interval_ >= std::chrono::milliseconds(250); }
    void arm_acknowledge();
    void acknowledge();
    void heed(const wire::Announce& message);
    bool worth_telling(const SubscriberTrack& track) const;
    void tell_later();

    // Of acknowledgements, unless the publisher asks for longer ones.
    static constexpr Duration kAckInterval = std::chrono::milliseconds(10);
    static constexpr std::uint64_t kNoMatter = std::uint64_t{1} << 62;

    const std::shared_ptr<io::Reactor> reactor_;
    const SubscriberConfig config_;
    SubscriberListener& listener_;
    const std::uint64_t session_;
    // Bytes that went into the queues and came out again; written by the reactor, and by the readers.
    alignas(kCacheLine) std::atomic<std::uint64_t> bytes_in_{0};
    alignas(kCacheLine) std::atomic<std::uint64_t> bytes_out_{0};
    mutable std::atomic<bool> paused_{false};  // reading waits for room in the queues
    std::atomic<bool> tell_{false};            // what was handed downstream is to be acknowledged at once
    std::atomic<std::uint64_t> tell_at_{wire::kNone};  // bytes_out_ at which that is so; the reactor's

    // The reactor's
    mutable std::uint64_t bytes_out_copy_ = 0;  // as of the last look
    SubscriberTrack* found_ = nullptr;          // by find(), the last time
    SubscriberTrack* grown_ = nullptr;          // whose queue grew last: no other can have become full
    SubscriberTrack* unnotified_ = nullptr;     // whose reader does not know yet
    Link link_;
    std::unique_ptr<Connection> connection_;
    StandIn stand_in_;
    std::optional<io::BusyPoll> busy_poll_;                 // where the reactor reads, and we are running
    std::uint64_t peer_epoch_ = 0;                          // as told in the handshake
    std::vector<std::unique_ptr<SubscriberTrack>> tracks_;  // by first appearance
    std::uint32_t generation_ = 0;
    std::uint64_t epoch_ = 0;
    EpochItem epoch_item_;
    unsigned epochs_ = 0;
    bool announced_ = false;  // ANNOUNCE has come on this connection
    std::uint64_t announced_epoch_ = 0;
    bool subscribed_ = false;  // SUBSCRIBE_OK has
    bool complete_told_ = false;
    std::optional<TimePoint> lost_at_;
    std::optional<Recovery> recovery_;  // to be told with the first data
    std::uint64_t reconnects_ = 0;
    io::TimerId ack_timer_ = 0;
    wire::Ack ack_;
    Duration ack_interval_ = kAckInterval;         // until the next look
    Duration publishers_interval_ = kAckInterval;  // as the publisher wants it
    // Handed downstream: worth telling earlier.
    std::uint64_t publishers_bytes_ = kNoMatter;    // of all tracks
    std::uint64_t publishers_entries_ = kNoMatter;  // of one
    bool running_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace hawser::session
