#include "tests/perf/broadcast.h"
#include "tests/support/port.h"

#include <algorithm>
#include <memory>

namespace hawser::perf {
namespace {

using test::Histogram;
using test::LoadCounters;

struct Look {
    std::int64_t when;
    double cpu, load_cpu;
    Histogram::Counts delays;
    std::vector<std::uint64_t> bytes;
};

Look look(const BroadcastFlow& flow, const Role& sender, const Role& load, unsigned clients) {
    Look now{now_ns(), sender.cpu_seconds(), load.cpu_seconds(), flow.counters.delays.counts(), {}};
    for (unsigned i = 0; i < clients; ++i) now.bytes.push_back(flow.counters.connections[i].bytes);
    return now;
}

// What has come of what was sent, in %, over the connections that read. Each counts from its first object on.
double delivered(const BroadcastFlow& flow, unsigned first, unsigned clients) {
    double wanted = 0, came = 0;
    for (unsigned i = first; i < clients; ++i) {
        const auto& connection = flow.counters.connections[i];
        if (connection.objects == 0) {
            wanted += static_cast<double>(flow.sent);
            continue;
        }
        wanted += static_cast<double>(flow.sent - connection.first_index);
        came += static_cast<double>(connection.objects);
    }
    return wanted > 0 ? 100 * came / wanted : 0;
}

bool all_have_the_last(const BroadcastFlow& flow, unsigned first, unsigned clients) {
    for (unsigned i = first; i < clients; ++i) {
        if (flow.counters.connections[i].last_index + 1 < flow.sent) return false;
    }
    return true;
}

}  // namespace

Outcome run_broadcast(const Sender& sender, const Broadcast& broadcast, const Crowd& crowd) {
    Outcome outcome;
    const auto shared = std::make_unique<Shared<BroadcastFlow>>();
    BroadcastFlow& flow = **shared;
    const int port = test::free_port();
    Role sending([&] { return sender(port, broadcast, flow); });
    const auto fail = [&](const std::string& why) {
        outcome.failure = why;
        if (flow.counters.trouble[0] != 0)
            outcome.failure += std::string(" (") + flow.counters.trouble.data() + ")";
        flow.finish = true;
        return outcome;
    };
    if (!wait_until(20, [&] { return flow.ready || flow.failed || !sending.running(); }) || !flow.ready)
        return fail("the sender does not start");
    wait_until(5, [&] { return flow.sent > 2; });
    outcome.private_before = static_cast<double>(sending.private_bytes());
    Role receiving([&] {
        test::LoadOptions options;
        options.port = static_cast<std::uint16_t>(port);
        options.clients = crowd.clients;
        options.never_read = crowd.never_read;
        options.at_a_time = crowd.at_a_time;
        options.one_served_first = crowd.patient;
        options.nap = 500'000;
        options.protocol = crowd.hawser ? test::LoadProtocol::Hawser : test::LoadProtocol::Raw;
        options.raw_answers = crowd.answers;
        options.object_size = crowd.hawser ? 0 : broadcast.size;
        test::LoadClient client(options, flow.counters);
        client.run([&] { return flow.finish.load(); });
        return 0;
    });
    const LoadCounters& counters = flow.counters;
    const unsigned readers = crowd.clients - crowd.never_read;
    const auto over = [&] { return flow.failed || !sending.running() || !receiving.running(); };
    wait_until(crowd.gather, [&] { return counters.served >= readers || over(); });
    if (over()) return fail("a process ended too early");
    outcome.gathered =
        static_cast<double>(counters.last_first - static_cast<std::int64_t>(counters.started)) / 1e9;
    sleep_for(crowd.settle);
    outcome.private_after = static_cast<double>(sending.private_bytes());

    const Look first = look(flow, sending, receiving, crowd.clients);
    outcome.rss_before = static_cast<double>(sending.rss());
    outcome.rss_max = outcome.rss_before;
    const std::int64_t end = first.when + static_cast<std::int64_t>(crowd.seconds * 1e9);
    while (now_ns() < end) {
        sleep_until(std::min(end, now_ns() + 500'000'000));
        const auto rss = static_cast<double>(sending.rss());
        outcome.rss.emplace_back(static_cast<double>(now_ns() - first.when) / 1e9, rss);
        outcome.rss_max = std::max(outcome.rss_max, rss);
    }
    const Look last = look(flow, sending, receiving, crowd.clients);

    flow.stop = true;
    if (!wait_until(10, [&] { return flow.stopped || over(); })) return fail("the sender does not stop");
    wait_until(3, [&] { return all_have_the_last(flow, crowd.never_read, crowd.clients) || over(); });
    outcome.served = static_cast<unsigned>(counters.served);
    if (outcome.served < readers)
        outcome.unserved = std::to_string(counters.connected) + " connected, " +
                           std::to_string(counters.subscribed) + " subscribed, " +
                           std::to_string(counters.failed) + " failed, " + std::to_string(counters.closed) +
                           " closed " + counters.trouble.data();
    outcome.delivered = delivered(flow, crowd.never_read, crowd.clients);
    const double seconds = static_cast<double>(last.when - first.when) / 1e9;
    outcome.cpu = 100 * (last.cpu - first.cpu) / seconds;
    outcome.load_cpu = 100 * (last.load_cpu - first.load_cpu) / seconds;
    outcome.delays = Histogram::between(first.delays, last.delays);
    outcome.p50 = Histogram::quantile(outcome.delays, 0.5);
    outcome.p99 = Histogram::quantile(outcome.delays, 0.99);
    double least = 1e300, most = 0;
    for (unsigned i = crowd.never_read; i < crowd.clients; ++i) {
        const auto bytes = static_cast<double>(last.bytes[i] - first.bytes[i]);
        least = std::min(least, bytes);
        most = std::max(most, bytes);
    }
    outcome.fairness = most > 0 ? least / most : 0;
    for (unsigned i = crowd.never_read; i < crowd.clients; ++i)
        outcome.starved += static_cast<double>(last.bytes[i] - first.bytes[i]) < most / 2 ? 1 : 0;
    flow.finish = true;
    if (counters.wrong > 0) return fail(std::to_string(counters.wrong) + " connections went wrong");
    if (flow.sent == 0) return fail("nothing was sent");
    if (!sending.wait(20) || !receiving.wait(20)) return fail("a process does not stop");
    return outcome;
}

}  // namespace hawser::perf
