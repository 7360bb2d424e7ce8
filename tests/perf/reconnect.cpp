// How long a link is without data when its connection is reset.
#include <algorithm>

#include "tests/perf/bench.h"
#include "tests/perf/peers.h"

int main(int argc, char** argv) {
    using namespace hawser::perf;
    Bench bench("reconnect", "A connection that is reset", argc, argv);
    Table& table = bench.table("From the reset until data flows again",
                               {{"out", "ms without data"}, {"objects", "objects"}, {"lost", "lost"}},
                               "1316 B, 1000 a second; in mid-stream the sender resets the connection. The "
                               "longest delay of the objects after it: the "
                               "first of them was handed over just then, and waits for the new connection. "
                               "GStreamer's TCP elements have no row: "
                               "tcpclientsrc ends its pipeline with the connection.");
    Load load;
    load.size = 1316;
    load.rate = 1000;
    load.break_at = static_cast<std::uint64_t>(std::max(100.0, 1000 * bench.seconds(1)));
    load.count = 2 * load.break_at;
    const std::vector<Row> rows = {
        {kHawser, [&] {
             Shared<Flow> flow;
             const Measured measured = run_link(flow, hawser_link(load), load, 0, 0);
             if (!measured.failure.empty()) return Sample::failed(measured.failure);
             const auto* first = flow->delays.data() + load.break_at;
             const auto* last = flow->delays.data() + flow->delays_taken;
             const auto received = static_cast<double>(flow->received);
             return Sample{{"out", static_cast<double>(*std::max_element(first, last)) / 1e6},
                           {"objects", received},
                           {"lost", static_cast<double>(load.count) - received}};
         }}};
    table.at_most(kHawser, "lost", 0);
    bench.run(table, rows);
    return bench.finish();
}
