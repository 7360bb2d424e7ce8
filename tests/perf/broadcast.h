// One sender and many receivers: the sender as a process, the load client as another, and what came of it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/perf/process.h"
#include "tests/perf/table.h"
#include "tests/support/load_client.h"

namespace hawser::perf {

// What is sent, to everyone: objects as tests/support/load_content.h has them.
struct Broadcast {
    std::size_t size = 1000;
    double rate = 50;  // objects a second
    unsigned batch =
        1;  // the raw sender: so many objects a system call, the first of them delayed by as much
};

struct BroadcastFlow {
    std::atomic<bool> ready{false}, stop{false}, finish{false}, failed{false};
    std::atomic<std::uint64_t> sent{0};  // objects handed to the sender
    std::atomic<bool> stopped{false};    // `sent` is final
    std::atomic<std::uint64_t> late{0};  // objects that left more than half a period late
    test::LoadCounters counters;
};

// The sender's work: listens on `port`, sets flow.ready, sends until flow.stop, then waits for flow.finish.
using Sender = std::function<int(int port, const Broadcast&, BroadcastFlow&)>;

// `sink`: the last element of a pipeline as in gst-launch, with HOST and PORT in it. Its `reset` is the
// action signal "reconnect".
Sender gst_sender(const std::string& sink);
// hawsersink with further properties ("max-coalesce=0").
Sender hawser_sender(const std::string& properties = "");
Sender tcp_sender();
// send() to each connection in turn, from one epoll thread; or the same by io_uring.
Sender raw_sender(bool uring = false);

struct Crowd {
    unsigned clients = 1000;
    unsigned never_read = 0;
    unsigned at_a_time = 64;  // 0: all at once
    bool patient = false;     // each batch of them waits until the one before it is served
    bool hawser = true;       // protocol
    bool answers = false;     // receivers of another protocol say a byte a second
    double gather = 10;       // seconds that all may take to be served
    double settle = 1;        // then, before measuring
    double seconds = 5;       // measured
};

struct Outcome {
    std::string failure;
    unsigned served = 0;      // of those that read
    std::string unserved;     // what became of the others
    double cpu = 0;           // of the sender while measured, % of a core
    double load_cpu = 0;      // of the load client
    double p50 = 0, p99 = 0;  // ns
    double delivered = 0;     // of what was sent from each one's first object on, %
    double fairness = 0;      // bytes of who got least / of who got most, while measured
    unsigned starved = 0;     // got less than half of who got most
    double gathered = 0;      // seconds from the first attempt until the last one's first object
    double private_before = 0, private_after = 0;  // sender's private bytes, before anyone came and after
    double rss_before = 0, rss_max = 0;  // sender's resident bytes, before measuring and at most while
    std::vector<std::pair<double, double>> rss;  // seconds, bytes
    test::Histogram::Counts delays;
};

Outcome run_broadcast(const Sender& sender, const Broadcast& broadcast, const Crowd& crowd);

}  // namespace hawser::perf
