// One link between two processes: what its ends tell each other and the benchmark.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "tests/perf/process.h"

namespace hawser::perf {

// The first bytes of each object, so that the far end can check that none is missing or doubled.
struct Stamp {
    std::int64_t sent = 0;  // CLOCK_MONOTONIC ns, where the objects are paced
    std::uint64_t index = 0;
};

struct Flow {
    static constexpr std::size_t kMaxDelays = 1 << 18;

    // Sender's.
    alignas(64) std::atomic<std::uint64_t> sent{0};  // objects
    // Receiver's.
    alignas(64) std::atomic<std::uint64_t> received{0};  // objects; 0 where objects cannot be told apart
    std::atomic<std::uint64_t> received_bytes{0};
    std::atomic<std::uint64_t> wrong{0};  // objects of the wrong size or out of order
    std::atomic<std::size_t> delays_taken{0};
    std::array<std::int64_t, kMaxDelays> delays{};  // ns, of paced objects; in order of arrival
    // Everybody's.
    alignas(64) std::atomic<bool> ready{false};  // whoever listens does
    std::atomic<bool> stop{false};               // the sender sends no more
    std::atomic<bool> stopped{false};            // it has, and `sent` is final
    std::atomic<bool> finish{false};             // the ends may go
    std::atomic<bool> failed{false};             // an end could not go on, and has said why on stderr

    // Receiver: an object with this stamp arrived whole.
    void arrived(const Stamp& stamp, bool right_size, std::size_t bytes) {
        const std::uint64_t index = received.load(std::memory_order_relaxed);
        if (stamp.index != index || !right_size) wrong.fetch_add(1, std::memory_order_relaxed);
        if (stamp.sent != 0) delay(now_ns() - stamp.sent);
        received_bytes.store(received_bytes.load(std::memory_order_relaxed) + bytes,
                             std::memory_order_relaxed);
        received.store(index + 1, std::memory_order_release);
    }
    void delay(std::int64_t ns) {
        const std::size_t at = delays_taken.load(std::memory_order_relaxed);
        if (at >= kMaxDelays) return;
        delays[at] = ns;
        delays_taken.store(at + 1, std::memory_order_release);
    }
    void fail(const std::string& why);
};

// What the sender sends.
struct Load {
    std::size_t size = 0;     // bytes an object, at least sizeof(Stamp)
    double rate = 0;          // objects a second; 0: as fast as they are taken
    std::uint64_t count = 0;  // stops by itself after so many; 0: when told to
    std::uint64_t ahead = 0;  // bytes that may be under way before the sender waits; 0: the link's own affair
    std::uint64_t break_at = 0;  // GStreamer: before this object the sink breaks its connections; 0: never
    std::string caps = "application/x-test";

    // Sender, before each object: false when it is time to stop. Waits where it has to.
    bool next(Flow& flow, std::uint64_t index, std::int64_t begun) const;
};

// Who does what. Each function is the work of one process.
struct Ends {
    std::function<int(Flow&)> send, receive;
    bool receiver_listens = false;
    bool objects = true;  // false: the receiver sees bytes only
};

struct Measured {
    double seconds = 0, objects = 0, bytes = 0, cpu_seconds = 0;  // of the time that was measured
    std::string failure;  // not empty: the rest is not worth looking at
};

// Runs both ends in processes of their own: warms up, measures for `seconds` (or, with load.count, until all
// has been sent), and then sees that everything sent has arrived.
Measured run_link(Shared<Flow>& flow, const Ends& ends, const Load& load, double warm_up, double seconds);

}  // namespace hawser::perf
