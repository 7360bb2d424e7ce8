// One client that never reads, beside ten that take 50 MB a second each: what it costs the sender and the
// others.
#include "tests/perf/bench.h"
#include "tests/perf/broadcast.h"

int main(int argc, char** argv) {
    using namespace hawser::perf;
    Bench bench("slow_client", "A client that never reads", argc, argv);
    const std::string alone = "hawsersink, without it", with = "hawsersink, with it";
    Table& table = bench.table("10 clients at 50 MB/s, and one that never reads",
                               {{"delivered", "delivered %"},
                                {"cpu", "sender's CPU %"},
                                {"p50", "p50 ms"},
                                {"p99", "p99 ms"},
                                {"before", "RSS before MB"},
                                {"growth", "RSS growth MB"}},
                               "500 objects of 100 kB a second for 30 s. Delivered, and delays: of the ten. "
                               "Growth: the most while measured. The bad "
                               "client goes on to send PINGs, so it does not count as dead.");
    table.ratio("ratio", "p99 ÷ that of hawsersink without it", "p99", alone);
    table.at_most(with, "growth", 80);
    table.at_most(with, "ratio", 1.1);
    table.at_most(with, "cpu", 12);
    Plot plot{"slow-client-rss",
              "The sender's memory with a client that never reads",
              "seconds",
              "RSS, MB",
              false,
              false,
              {}};
    struct Contender {
        std::string name;
        Sender sender;
        bool hawser;
        unsigned bad;
    };
    const std::vector<Contender> all = {{alone, hawser_sender(), true, 0},
                                        {with, hawser_sender(), true, 1},
                                        {"tcpserversink, without it", tcp_sender(), false, 0},
                                        {"tcpserversink, with it", tcp_sender(), false, 1}};
    std::vector<Row> rows;
    for (const auto& contender : all) {
        plot.series.push_back({contender.name, {}, false});
        rows.push_back({contender.name, [&, index = plot.series.size() - 1] {
                            Crowd crowd;
                            crowd.clients = 10 + contender.bad;
                            crowd.never_read = contender.bad;
                            crowd.at_a_time = 1;
                            crowd.hawser = contender.hawser;
                            crowd.settle = bench.seconds(1);
                            crowd.seconds = bench.seconds(30);
                            Broadcast broadcast;
                            broadcast.size = 100'000;
                            broadcast.rate = 500;
                            const Outcome outcome = run_broadcast(contender.sender, broadcast, crowd);
                            if (!outcome.failure.empty()) return Sample::failed(outcome.failure);
                            auto& points = plot.series[index].points;
                            points.clear();
                            for (const auto& [when, rss] : outcome.rss) points.emplace_back(when, rss / 1e6);
                            return Sample{{"delivered", outcome.delivered},
                                          {"cpu", outcome.cpu},
                                          {"p50", outcome.p50 / 1e6},
                                          {"p99", outcome.p99 / 1e6},
                                          {"before", outcome.rss_before / 1e6},
                                          {"growth", (outcome.rss_max - outcome.rss_before) / 1e6}};
                        }});
    }
    bench.run(table, rows, 3);
    bench.add(plot);
    return bench.finish();
}
