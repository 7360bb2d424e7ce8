// Many receivers in one thread: a server's load for benchmarks and tests. Each receiver checks the sequence
// and the content of what it gets, answers as hawsersrc would, and counts; the counters may lie in memory
// that is shared with another process.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/histogram.h"
#include "tests/support/load_connection.h"

namespace hawser::test {

// Written by the load client's thread, read by anyone.
struct LoadCounters {
    static constexpr unsigned kMaxClients = 16384;

    std::atomic<std::uint64_t> started{0};  // when the first attempt to connect was made, CLOCK_MONOTONIC ns
    std::atomic<std::uint64_t> connected{0};   // TCP connections made
    std::atomic<std::uint64_t> subscribed{0};  // Hawser: SUBSCRIBE_OK received
    std::atomic<std::uint64_t> served{0};      // have received an object
    std::atomic<std::int64_t> last_first{0};   // when the last of them received its first
    std::atomic<std::uint64_t> closed{0};      // connections that the sender closed
    std::atomic<std::uint64_t> failed{0};      // attempts that failed
    std::atomic<std::uint64_t> wrong{0};       // connections that broke a rule or delivered a wrong content
    std::atomic<std::uint64_t> lost{0};        // objects that the sender said are lost
    std::atomic<std::uint64_t> objects{0}, bytes{0}, acks{0}, reads{0};
    Histogram delays;  // ns from the stamp to the moment its read returned
    struct Connection {
        std::atomic<std::uint64_t> bytes{0}, objects{0}, lost{0};
        std::atomic<std::int64_t> first{0};                        // when it received its first object
        std::atomic<std::uint64_t> first_index{0}, last_index{0};  // by the objects' stamps
    };
    std::array<Connection, kMaxClients> connections;
    std::array<char, 200> trouble{};   // what was wrong first
    std::atomic<bool> read_on{false};  // set by anyone: those that never read take what there is after all
};

class LoadClient {
  public:
    LoadClient(LoadOptions options, LoadCounters& counters);
    LoadClient(const LoadClient&) = delete;
    LoadClient& operator=(const LoadClient&) = delete;
    ~LoadClient();

    // Connects and receives until `stop` says so; it is asked every few milliseconds.
    void run(const std::function<bool()>& stop);

  private:
    struct Peer;

    void connect_some();
    void connect_one(unsigned number);
    void on_event(Peer& peer, std::uint32_t events);
    void read(Peer& peer);
    void flush(Peer& peer);
    void acknowledge(Peer& peer, std::int64_t now);
    void acknowledge_late(std::int64_t now);
    void ping_all(std::int64_t now);
    void close(Peer& peer);
    void read_on();

    const LoadOptions options_;
    LoadCounters& counters_;
    int epoll_ = -1;
    std::vector<std::unique_ptr<Peer>> peers_;
    std::vector<std::byte> buffer_;
    std::deque<Peer*> ack_later_;  // in order of their time
    unsigned next_ = 0, connecting_ = 0, ping_next_ = 0;
    std::int64_t ping_from_ = 0;
    bool reading_on_ = false;
};

}  // namespace hawser::test
