// Many clients that come at the same moment, and the memory that each takes of the sender.
#include "tests/perf/bench.h"
#include "tests/perf/broadcast.h"

namespace hawser::perf {
namespace {

struct Contender {
    std::string name;
    Sender sender;
    bool hawser;
};

const std::string kHawser = "hawsersink";
const std::string kTcp = "tcpserversink";
const std::string kRaw = "raw epoll server";

std::vector<Contender> contenders() {
    return {{kHawser, hawser_sender(), true}, {kTcp, tcp_sender(), false}, {kRaw, raw_sender(), false}};
}

// tcpserversink's failures are the result, not a failure of the benchmark.
Sample arrivals(const Bench& bench, const Contender& contender, unsigned clients) {
    Crowd crowd;
    crowd.clients = bench.count(clients);
    crowd.hawser = contender.hawser;
    crowd.at_a_time = 0;
    crowd.gather = 10;
    crowd.settle = 0;
    crowd.seconds = 0.1;
    const Outcome outcome = run_broadcast(contender.sender, {}, crowd);
    Sample sample{{"served", outcome.served}};
    if (outcome.served >= crowd.clients) {
        sample.values["all"] = outcome.gathered * 1e3;
    } else if (contender.name != kTcp) {
        sample.failure = std::to_string(outcome.served) + " were served";
    }
    if (!outcome.failure.empty() && contender.name != kTcp) sample.failure = outcome.failure;
    return sample;
}

Sample memory(const Bench& bench, const Contender& contender, unsigned clients) {
    Crowd crowd;
    crowd.clients = bench.count(clients);
    crowd.hawser = contender.hawser;
    crowd.gather = 20;
    crowd.settle = bench.seconds(1);
    crowd.seconds = 0.1;
    crowd.patient = contender.name == kTcp;
    if (crowd.patient) crowd.at_a_time = 5;  // its backlog is 5
    Broadcast broadcast;
    broadcast.size = 64;
    broadcast.rate = crowd.patient ? 50 : 10;
    const Outcome outcome = run_broadcast(contender.sender, broadcast, crowd);
    if (!outcome.failure.empty()) return Sample::failed(outcome.failure);
    if (outcome.served == 0) return Sample::failed("nobody was served");
    return {{"served", outcome.served},
            {"bytes", (outcome.private_after - outcome.private_before) / static_cast<double>(outcome.served)},
            {"total", outcome.private_after / 1e6}};
}

}  // namespace
}  // namespace hawser::perf

int main(int argc, char** argv) {
    using namespace hawser::perf;
    Bench bench("arrivals", "Many clients at once, and their memory", argc, argv);
    const auto all = contenders();
    const std::vector<Table::Column> columns = {{"served", "served within 10 s"},
                                                {"all", "all served after ms"}};
    const auto compare = [&](Table& table, unsigned clients, auto measure, bool with_tcp) {
        std::vector<Row> rows;
        for (const auto& contender : all) {
            if (contender.name == kTcp && !with_tcp) continue;
            rows.push_back(
                {contender.name, [&, clients, measure] { return measure(bench, contender, clients); }});
        }
        bench.run(table, rows, 3);
    };
    Table& thousand = bench.table(
        "1000 arrive at once", columns,
        "From the first attempt to connect until the last client has received its first object, of "
        "50 a second. The clients' own work, on one of the two cores, is part of it.");
    thousand.at_most(kHawser, "all", 200);
    compare(thousand, 1000, arrivals, true);
    Table& ten = bench.table("10 000 arrive at once", columns);
    ten.at_most(kHawser, "all", 2000);
    compare(ten, 10000, arrivals, false);
    Table& user = bench.table(
        "User memory", {{"served", "clients"}, {"bytes", "B a client"}, {"total", "in all MB"}},
        "Growth of the sender's private memory (smaps) from before anyone came until all were served and a "
        "second had passed, by their number. The kernel's memory for sockets is not in it.");
    user.at_most(kHawser + ", 10 000", "bytes", 614);
    std::vector<Row> rows;
    for (const auto& contender : all) {
        for (const unsigned clients : {1000U, 10000U}) {
            if (contender.name == kTcp && clients > 1000) continue;
            rows.push_back({contender.name + ", " + number(clients),
                            [&, clients] { return memory(bench, contender, clients); }});
        }
    }
    bench.run(user, rows, 3);
    return bench.finish();
}
