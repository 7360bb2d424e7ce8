// How much goes through one link of two processes, and what it costs, against GStreamer's own elements and
// plain sockets in the same rounds.
#include <algorithm>

#include "tests/perf/bench.h"
#include "tests/perf/gst_ends.h"
#include "tests/perf/peers.h"

namespace hawser::perf {
namespace {

struct Kind {
    std::string title;
    std::size_t size;
    std::string caps;
    double times, cpu_ratio, cpu_per_gb;  // the goals; 0: none
};

const std::vector<Kind> kKinds = {
    {"64 B objects", 64, "application/x-test", 10, 0, 0},
    {"1316 B objects", 1316, "application/x-test", 8, 1.0 / 8, 0},
    {"100 kB objects", 100'000, "application/x-test", 4, 0, 0.32},
    {"1080p I420 frames (3110400 B)", 3'110'400,
     "video/x-raw,format=I420,width=1920,height=1080,framerate=60/1", 2.8, 0, 0},
};

// tcpserversink has no back-pressure: left alone it queues without bound. So its source stops when as much is
// under way as hawsersink keeps by default. The longer its queue the slower it gets, so there is a row with a
// short one as well: more than its users can have, since there is no such setting.
std::uint64_t ring_bound(std::size_t size) {
    return std::min<std::uint64_t>(64 << 20, 16384 * size);
}
std::uint64_t short_queue(std::size_t size) {
    return std::max<std::uint64_t>(300'000, 2 * size);
}

Sample sample_of(const Measured& measured) {
    if (!measured.failure.empty()) return Sample::failed(measured.failure);
    return {{"objects", measured.objects / measured.seconds},
            {"gb", measured.bytes / measured.seconds / 1e9},
            {"cpu", measured.cpu_seconds / (measured.bytes / 1e9)}};
}

// One process that pushes into nothing.
Sample nothing_between(const Load& load, double warm_up, double seconds) {
    Shared<Flow> flow;
    Role role([&] { return gst_nothing_between(load, *flow); });
    if (!wait_until(20, [&] { return flow->received > 0; })) return Sample::failed("does not start");
    sleep_for(warm_up);
    const std::int64_t start = now_ns();
    const std::uint64_t first = flow->received;
    const double cpu = role.cpu_seconds();
    sleep_for(seconds);
    Measured measured;
    measured.seconds = static_cast<double>(now_ns() - start) / 1e9;
    measured.objects = static_cast<double>(flow->received - first);
    measured.bytes = measured.objects * static_cast<double>(load.size);
    measured.cpu_seconds = role.cpu_seconds() - cpu;
    flow->stop = flow->finish = true;
    role.wait(10);
    return sample_of(measured);
}

void compare(Bench& bench, const Kind& kind) {
    Table& table = bench.table(
        kind.title, {{"objects", "objects/s"}, {"gb", "GB/s"}, {"cpu", "CPU-s/GB"}},
        "CPU time of both processes. Objects are counted, and their order checked, at the far pad.");
    table.ratio("times", "× gdp+tcpserversink", "objects", kGdpServer);
    table.ratio("cpu_ratio", "its CPU", "cpu", kGdpServer);
    table.at_least(kHawser, "times", kind.times);
    if (kind.cpu_ratio > 0) table.at_most(kHawser, "cpu_ratio", kind.cpu_ratio);
    if (kind.cpu_per_gb > 0) table.at_most(kHawser, "cpu", kind.cpu_per_gb);
    if (!bench.wanted(table)) return;
    Load load;
    load.size = kind.size;
    load.caps = kind.caps;
    Load polite = load;
    polite.ahead = ring_bound(kind.size);
    Load short_of = load;
    short_of.ahead = short_queue(kind.size);
    const auto row = [&](const std::string& name, std::function<Ends()> make) {
        return Row{name, [&bench, load, make] {
                       Shared<Flow> flow;
                       return sample_of(run_link(flow, make(), load, bench.seconds(0.3), bench.seconds(1)));
                   }};
    };
    std::vector<Row> rows = {row(kHawser, [=] { return hawser_link(load); })};
    if (have_element("gdppay")) {
        rows.push_back(row(kGdpServer, [=] { return gdp_server_link(polite); }));
        rows.push_back(row(kGdpServer + kShortQueue, [=] { return gdp_server_link(short_of); }));
        rows.push_back(row(kGdpClient, [=] { return gdp_client_link(load); }));
    }
    rows.push_back(row(kBareServer, [=] { return bare_server_link(polite); }));
    rows.push_back(row(kRawSend, [=] { return raw_link(load, 1, false, false); }));
    if (kind.size < 10'000) rows.push_back(row(kRawBatch, [=] { return raw_link(load, 64, false, false); }));
    rows.push_back({kNothing, [&] { return nothing_between(load, bench.seconds(0.1), bench.seconds(0.3)); }});
    bench.run(table, rows);
}

}  // namespace
}  // namespace hawser::perf

int main(int argc, char** argv) {
    using namespace hawser::perf;
    Bench bench("throughput", "Throughput of one link", argc, argv);
    for (const auto& kind : kKinds) compare(bench, kind);
    return bench.finish();
}
