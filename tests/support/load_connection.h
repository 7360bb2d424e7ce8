// One receiver of the load client as the bytes see it: what it takes in, checks and counts, and what it
// answers. No sockets and no clock here. It knows the wire protocol from its description alone
// (docs/protocol/wire.md), not from runtime/session, and checks the sender by that.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "proto/wire/header.h"
#include "tests/support/histogram.h"
#include "tests/support/load_content.h"

namespace hawser::test {

struct LoadCounters;

enum class LoadProtocol : std::uint8_t {
    Hawser,
    Raw,  // objects of a fixed size one after the other, as tcpserversink sends them
};

struct LoadOptions {
    std::uint16_t port = 0;  // of 127.0.0.1
    unsigned clients = 1;
    LoadProtocol protocol = LoadProtocol::Hawser;
    std::string stream = "/perf";
    std::size_t object_size = 0;    // with Raw: where objects are cut; 0: bytes are only counted
    bool check_content = true;      // as load_content.h has it; else only the protocol's own sequence
    unsigned at_a_time = 64;        // attempts to connect that may be under way; 0: all at once
    bool one_served_first = false;  // an attempt is under way until its first object has come, for servers
                                    // with a short backlog
    unsigned never_read = 0;        // so many of them (the first) read nothing once they are subscribed
    bool acknowledge = true;
    bool raw_answers = false;  // with Raw: each connection says a byte a second, as any protocol's receiver
                               // does that wants to be known to be alive
    // Looks for data so often instead of being woken by each packet, ns. On the loopback it is the sender
    // that pays for waking its receivers, which it would not do over a network.
    std::int64_t nap = 0;
};

class LoadConnection {
  public:
    // `number`: which of the counters' connections it is.
    LoadConnection(const LoadOptions& options, LoadCounters& counters, unsigned number);

    // What to send first, once connected.
    void start();
    // Takes as much of `bytes` as are whole frames (or objects), and says how many that were; the rest comes
    // again, with more behind it. `now`: CLOCK_MONOTONIC ns.
    std::size_t take(std::span<const std::byte> bytes, std::int64_t now);
    // Answers that wait to be sent; the caller clears what it has sent.
    std::string& output() { return output_; }

    bool subscribed() const { return subscribed_; }
    bool broken() const { return broken_; }  // the sender broke the rules, or said that it is over
    bool over() const { return over_; }      // GOAWAY, ERROR
    std::string_view trouble() const { return trouble_; }

    // An ACK is wanted: something has arrived since the last one. `interval`: no more often than that.
    bool wants_ack() const { return wants_ack_; }
    std::int64_t ack_interval() const { return ack_interval_; }
    void write_ack();
    void write_ping(std::int64_t now);  // with Raw: the byte

    std::int64_t last_ack = 0;  // kept by the caller
    bool ack_waits = false;     // kept by the caller

  private:
    static constexpr std::size_t kTracks = 4;
    struct Track {
        std::uint16_t id = 0;
        bool told = false;       // where it starts
        std::uint64_t next = 0;  // sequence
        std::uint64_t acked = 0;
        std::uint64_t body = 0;  // of the object under way: what is still missing
        std::uint64_t offset = 0;
        std::uint64_t extension = 0;
    };

    void take_frame(const wire::FramePrefix& prefix, std::span<const std::byte> body, std::int64_t now);
    void take_object(Track& track, const wire::FramePrefix& prefix, std::span<const std::byte> body,
                     std::int64_t now);
    void take_body(Track& track, std::span<const std::byte> body, std::int64_t now);
    void take_payload(std::span<const std::byte> part, std::uint64_t offset, std::int64_t now);
    void object_done(std::size_t payload, std::int64_t now);
    void take_announce(std::span<const std::byte> body);
    void take_subscribe_ok(std::span<const std::byte> body);
    void take_gap(Track& track, std::span<const std::byte> body);
    std::size_t take_raw(std::span<const std::byte> bytes, std::int64_t now);
    Track* track_of(std::uint16_t id);
    void write_frame(wire::FrameType type, const std::string& body);
    void fail(std::string why);

    const LoadOptions& options_;
    LoadCounters& counters_;
    const unsigned number_;
    std::string output_, trouble_;
    bool preamble_ = false, asked_ = false, sent_subscribe_ = false, subscribed_ = false, broken_ = false,
         over_ = false, wants_ack_ = false;
    bool any_ = false;         // an object has arrived
    std::uint64_t index_ = 0;  // by content: of the object under way or last
    LoadStamp stamp_;          // of the object under way
    std::uint64_t epoch_ = 0;
    std::int64_t ack_interval_ = 10'000'000;
    std::array<Track, kTracks> tracks_;
};

}  // namespace hawser::test
