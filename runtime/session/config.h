// What a session is told: where the peer is and within which limits it works. Plain values, set before
// start().
#pragma once

#include <cstdint>
#include <string>

#include "runtime/base/clock.h"
#include "runtime/io/reactor.h"

namespace hawser::session {

enum class Mode : std::uint8_t { Listener, Caller };

// States of either role as users see them; publisher.h and subscriber.h say which of them each role knows.
enum class State : std::uint8_t {
    Idle,        // not started, or stopped
    Resolving,   // caller: looking the host up
    Connecting,  // caller: TCP connection under way
    Listening,   // listener: waiting for a peer
    Handshake,   // preamble, HELLO, WELCOME, ANNOUNCE, SUBSCRIBE
    Streaming,   // objects may flow
    Backoff,     // caller: waiting before the next attempt
    Failed,      // cannot heal; only stop() leads out
    Ended,       // EOS on every track, acknowledged
};
const char* to_string(State state);  // "streaming"

struct Liveness {
    Duration handshake_timeout = std::chrono::seconds(5);
    Duration peer_timeout =
        std::chrono::seconds(3);  // silence after which a peer counts as dead; a PING each third of it
};

struct Reconnect {
    Duration min_delay = std::chrono::milliseconds(100);
    Duration max_delay = std::chrono::seconds(1);
    std::int64_t attempts = -1;  // consecutive failed ones before FAILED; -1: without end
};

struct LinkConfig {
    Mode mode = Mode::Caller;
    io::Address address;       // peer's (caller) or own (listener)
    std::string stream = "/";  // path, begins with "/"
    std::string agent;         // for the peer's log; "hawser/0.1.0"
    Liveness liveness;
    Reconnect reconnect;
    std::uint64_t max_object_size = 256ull << 20;  // payload and extension, bytes
};

}  // namespace hawser::session
