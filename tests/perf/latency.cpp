// How long an object is under way over one link at an easy pace: from the call that hands it to the sender
// until it is whole at the receiver's pad.
#include <algorithm>
#include <map>

#include "tests/perf/bench.h"
#include "tests/perf/gst_ends.h"
#include "tests/perf/peers.h"

namespace hawser::perf {
namespace {

constexpr std::size_t kWarmUp = 50;  // objects that are not counted: the connection's first steps
const std::string kRaw = "raw send(), TCP_NODELAY";

struct Kind {
    std::string title, plot;
    std::size_t size;
    double rate, seconds;
};
const Kind kSmall{"1316 B, 1000 a second", "latency-1316", 1316, 1000, 3};
const Kind kLarge{"100 kB, 60 a second", "latency-100k", 100'000, 60, 5};

Sample measure(const Ends& ends, const Load& load, std::vector<double>& all) {
    Shared<Flow> flow;
    const Measured measured = run_link(flow, ends, load, 0, 0);
    if (!measured.failure.empty()) return Sample::failed(measured.failure);
    std::vector<double> delays;  // µs
    for (std::size_t i = kWarmUp; i < flow->delays_taken; ++i)
        delays.push_back(static_cast<double>(flow->delays[i]) / 1e3);
    if (delays.empty()) return Sample::failed("nothing was measured");
    all.insert(all.end(), delays.begin(), delays.end());
    std::sort(delays.begin(), delays.end());
    const auto at = [&](double part) {
        return delays[static_cast<std::size_t>(part * static_cast<double>(delays.size() - 1))];
    };
    return {{"p50", at(0.5)},
            {"p90", at(0.9)},
            {"p99", at(0.99)},
            {"max", at(1)},
            {"cpu", 100 * measured.cpu_seconds / measured.seconds}};
}

Plot plot_of(const Kind& kind, const std::vector<std::string>& order,
             std::map<std::string, std::vector<double>>& all) {
    Plot plot{kind.plot, "Delay, " + kind.title, "µs", "% of the objects that were as fast", true, false, {}};
    for (const auto& name : order) {
        auto& delays = all[name];
        if (delays.empty()) continue;
        std::sort(delays.begin(), delays.end());
        Plot::Series series{name, {}, false};
        for (int part = 0; part <= 1000; part += part >= 980 ? 1 : 10) {
            const auto at = static_cast<std::size_t>(part / 1000.0 * static_cast<double>(delays.size() - 1));
            series.points.emplace_back(delays[at], part / 10.0);
        }
        plot.series.push_back(std::move(series));
    }
    return plot;
}

void compare(Bench& bench, Table& table, const Kind& kind) {
    if (!bench.wanted(table)) return;
    Load load;
    load.size = kind.size;
    load.rate = kind.rate;
    load.count =
        kWarmUp + static_cast<std::uint64_t>(std::max(10.0, kind.rate * bench.seconds(kind.seconds)));
    std::map<std::string, std::vector<double>> all;
    std::vector<Row> rows;
    std::vector<std::string> order;
    const auto add = [&](const std::string& name, std::function<Ends()> make) {
        order.push_back(name);
        rows.push_back({name, [&all, name, load, make] { return measure(make(), load, all[name]); }});
    };
    add(kHawser, [=] { return hawser_link(load); });
    if (have_property("hawsersink", "busy-poll"))
        add(kHawser + ", busy-poll=200", [=] { return hawser_link(load, "busy-poll=200", "busy-poll=200"); });
    if (have_element("gdppay")) {
        add(kGdpServer, [=] { return gdp_server_link(load); });
        add(kGdpClient, [=] { return gdp_client_link(load); });
    }
    add(kRaw, [=] { return raw_link(load, 1, true, true); });
    bench.run(table, rows);
    bench.add(plot_of(kind, order, all));
}

}  // namespace
}  // namespace hawser::perf

int main(int argc, char** argv) {
    using namespace hawser::perf;
    Bench bench("latency", "Delay of one link", argc, argv);
    const std::vector<Table::Column> columns = {
        {"p50", "p50 µs"}, {"p90", "p90 µs"}, {"p99", "p99 µs"}, {"max", "max µs"}, {"cpu", "CPU %"}};
    Table& small = bench.table(
        kSmall.title, columns,
        "CPU of both processes, in % of one core. GStreamer's TCP elements leave TCP_NODELAY off.");
    small.at_most(kHawser, "p99", 120);
    compare(bench, small, kSmall);
    Table& large = bench.table(kLarge.title, columns);
    large.ratio("p50_ratio", "p50 ÷ gdp+tcpserversink's", "p50", kGdpServer);
    large.ratio("p99_ratio", "p99 ÷ its", "p99", kGdpServer);
    large.at_most(kHawser, "p50_ratio", 1.0 / 3);
    large.at_most(kHawser, "p99_ratio", 0.5);
    compare(bench, large, kLarge);
    return bench.finish();
}
