// One sender, many receivers: what a client costs, how late it gets its objects, and whether all get them.
#include "runtime/io/uring_reactor.h"
#include "tests/perf/bench.h"
#include "tests/perf/broadcast.h"
#include "tests/perf/gst_ends.h"

namespace hawser::perf {
namespace {

struct Contender {
    std::string name;
    Sender sender;
    bool hawser;
    unsigned batch = 1;
    bool answers = false;
};

const std::string kHawser = "hawsersink";
const std::string kCoalesced = "hawsersink, max-coalesce 100 ms";
const std::string kTcp = "tcpserversink";
const std::string kRaw = "raw send() from epoll";
const std::string kRawUring = "raw sends by io_uring";
const std::string kRawBunched = "raw send() from epoll, 5 objects each";

std::vector<Contender> contenders() {
    std::vector<Contender> all = {{kHawser, hawser_sender(), true}};
    if (have_property("hawsersink", "max-coalesce"))
        all.push_back({kCoalesced, hawser_sender("max-coalesce=100000000"), true});
    // The first row's engine is io_uring where it works.
    if (have_property("hawsersink", "io-engine"))
        all.push_back({"hawsersink io-engine=epoll", hawser_sender("io-engine=epoll"), true});
    all.push_back({kTcp, tcp_sender(), false});
    all.push_back({kRaw, raw_sender(), false});
    all.push_back({kRawBunched, raw_sender(), false, 5});
    return all;
}

// Receivers that say something, as those of any protocol do that shall be known to be alive: Linux
// acknowledges for them in the sender's own time.
std::vector<Contender> with_answers(std::vector<Contender> all) {
    all.push_back({kRaw + ", receivers answer", raw_sender(), false, 1, true});
    all.push_back({kRawBunched + ", receivers answer", raw_sender(), false, 5, true});
    if (io::UringReactor::probe()) {
        all.push_back({kRawUring, raw_sender(true), false});
        all.push_back({kRawUring + ", receivers answer", raw_sender(true), false, 1, true});
    }
    return all;
}

// Nobody may be left out, or get less than all, but for tcpserversink: its failure is the result.
Sample sample_of(const Outcome& outcome, const Crowd& crowd, bool lenient) {
    if (!outcome.failure.empty() && !lenient) return Sample::failed(outcome.failure);
    Sample sample{{"served", outcome.served}, {"delivered", outcome.delivered}, {"fair", outcome.fairness},
                  {"cpu", outcome.cpu},       {"p50", outcome.p50 / 1e6},       {"p99", outcome.p99 / 1e6},
                  {"load", outcome.load_cpu}};
    if (outcome.starved > 0) sample.remark = std::to_string(outcome.starved) + " got less than half";
    if (outcome.served < crowd.clients && !lenient)
        sample.failure = std::to_string(outcome.served) + " of " + std::to_string(crowd.clients) +
                         " were served: " + outcome.unserved;
    return sample;
}

const std::vector<Table::Column> kColumns = {{"served", "served"},        {"delivered", "delivered %"},
                                             {"fair", "min/max bytes"},   {"cpu", "sender's CPU %"},
                                             {"p50", "p50 ms"},           {"p99", "p99 ms"},
                                             {"load", "receivers' CPU %"}};
const std::string kNotes =
    "50 objects of 1000 B a second to each client. The clients are one process with one thread (its CPU is "
    "in the last "
    "column), which checks the sequence and every byte of every connection and looks for data every 0.5 ms: "
    "were it woken by "
    "each packet, the sender would pay for that, as over no network. 100 % CPU is one core of two. Delay: "
    "from the call that "
    "hands the object to the sender until the client's read returned. Raw receivers say nothing, but for "
    "those that \"answer\": a byte a second each.";

Crowd crowd_of(const Bench& bench, unsigned clients, const Contender& contender) {
    Crowd crowd;
    crowd.clients = bench.count(clients);
    crowd.hawser = contender.hawser;
    crowd.answers = contender.answers;
    crowd.gather = 10;
    if (contender.name == kTcp) {
        crowd.patient = true;  // its backlog is 5
        crowd.at_a_time = 5;
        crowd.gather = 15;
    }
    crowd.settle = contender.answers ? 2 : bench.seconds(1);  // each has answered once by then
    crowd.seconds = bench.seconds(clients >= 10000 ? 8 : 4);
    return crowd;
}

void compare(Bench& bench, Table& table, unsigned clients, const std::vector<Contender>& all,
             unsigned rounds) {
    std::vector<Row> rows;
    for (const auto& contender : all) {
        rows.push_back({contender.name, [&bench, &contender, clients] {
                            const Crowd crowd = crowd_of(bench, clients, contender);
                            Broadcast broadcast;
                            broadcast.batch = contender.batch;
                            return sample_of(run_broadcast(contender.sender, broadcast, crowd), crowd,
                                             contender.name == kTcp);
                        }});
    }
    bench.run(table, rows, rounds);
}

// How CPU and delay grow with the number of clients.
void curves(Bench& bench, Table& table, const std::vector<Contender>& all) {
    if (!bench.wanted(table)) return;
    Plot cpu{"fanout-cpu",
             "Sender's CPU, 50 × 1000 B a second to each",
             "clients",
             "% of a core",
             true,
             false,
             {}};
    Plot p99{"fanout-p99", "p99 delay, 50 × 1000 B a second to each", "clients", "ms", true, true, {}};
    std::vector<Row> rows;
    for (const auto& contender : all) {
        cpu.series.push_back({contender.name, {}});
        p99.series.push_back({contender.name, {}});
    }
    for (const unsigned clients : {100U, 300U, 1000U, 3000U, 10000U}) {
        if (bench.options().smoke && clients != 1000) continue;
        for (std::size_t i = 0; i < all.size(); ++i) {
            const auto& contender = all[i];
            if (contender.name == kTcp && clients > 1000) continue;  // does not serve them
            rows.push_back({contender.name + ", " + number(clients), [&, clients, i] {
                                Crowd crowd = crowd_of(bench, clients, contender);
                                crowd.seconds = bench.seconds(2);
                                Broadcast broadcast;
                                broadcast.batch = contender.batch;
                                const Outcome outcome = run_broadcast(contender.sender, broadcast, crowd);
                                const Sample sample = sample_of(outcome, crowd, contender.name == kTcp);
                                if (sample.failure.empty()) {
                                    cpu.series[i].points.emplace_back(clients, outcome.cpu);
                                    p99.series[i].points.emplace_back(clients, outcome.p99 / 1e6);
                                }
                                return sample;
                            }});
        }
    }
    bench.run(table, rows, 1);
    bench.add(cpu);
    bench.add(p99);
}

}  // namespace
}  // namespace hawser::perf

int main(int argc, char** argv) {
    using namespace hawser::perf;
    Bench bench("fanout", "One sender, many receivers", argc, argv);
    const auto all = contenders();
    Table& thousand = bench.table("1000 clients", kColumns, kNotes);
    // The goals were set where plain sends cost 14 % of a core; the ratios are what holds elsewhere.
    thousand.ratio("of_raw", "its CPU ÷ raw send()'s", "cpu", kRaw);
    thousand.at_most(kHawser, "of_raw", 15.0 / 14);
    thousand.at_most(kCoalesced, "of_raw", 6.0 / 14);
    thousand.at_most(kHawser, "cpu", 15);
    thousand.at_most(kHawser, "p99", 8);
    thousand.at_most(kCoalesced, "cpu", 6);
    compare(bench, thousand, 1000, with_answers(all), 3);
    Table& ten = bench.table("10 000 clients", kColumns, "");
    ten.at_least(kHawser, "served", bench.count(10000));
    ten.at_least(kHawser, "delivered", 100);
    ten.at_least(kHawser, "fair", 0.98);
    ten.at_most(kHawser, "cpu", 100);
    ten.at_most(kHawser, "p99", 120);
    compare(bench, ten, 10000, all, 3);
    Table& curve = bench.table("The same over the number of receivers", kColumns, "One round.");
    curves(bench, curve, all);
    return bench.finish();
}
