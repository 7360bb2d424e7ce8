// A benchmark program: tables whose rows take turns, so that what disturbs the machine disturbs all of them.
//
//   int main(int argc, char** argv) {
//       Bench bench("rings", "Rings and pools", argc, argv);
//       Table& table = bench.table("Hand-off between two cores", {{"ns", "ns/op"}});
//       table.ratio("times", "× mutex queue", "ns", "mutex queue");
//       table.at_most("SPSC", "ns", 10);
//       bench.run(table, {{"SPSC", [&] { return Sample{{"ns", spsc(bench.seconds(1))}}; }},
//                         {"mutex queue", [&] { return Sample{{"ns", mutex(bench.seconds(1))}}; }}});
//       return bench.finish();
//   }
//
// Named perf_NAME and registered with perf_program() in tests/perf/CMakeLists.txt, it is run by `./dev bench
// NAME`, and by CTest in one very short round (--smoke), where only a failed sample is a failure.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "tests/perf/machine.h"
#include "tests/perf/options.h"
#include "tests/perf/plot.h"
#include "tests/perf/table.h"

namespace hawser::perf {

struct Row {
    std::string name;
    std::function<Sample()> run;  // one run; a failure goes into the sample
};

class Bench {
  public:
    Bench(std::string name, std::string title, int argc, char** argv);

    const Options& options() const { return options_; }
    // A duration, or a number of clients, as a full run has it; less with --quick and --smoke.
    double seconds(double full) const { return full * options_.time_scale; }
    unsigned count(unsigned full) const;

    // Lives as long as this. `notes` say how it is measured and what is unfair.
    Table& table(const std::string& title, std::vector<Table::Column> columns, const std::string& notes = "");
    // Whether --tables asks for it: look before anything that costs time.
    bool wanted(const Table& table) const;
    // All rounds of all rows, each round every row in turn; prints progress, then the table. `rounds`: at
    // most so many, for what takes long; 0: as many as the options say.
    void run(Table& table, const std::vector<Row>& rows, unsigned rounds = 0);
    void add(Plot plot);

    // Writes NAME.json, NAME.md and the plots. The exit code: 0 where no sample failed (and, with --check,
    // no goal was missed).
    int finish();

  private:
    const std::string name_, title_;
    const Options options_;
    const Machine machine_;
    std::deque<Table> tables_;
    std::vector<Plot> plots_;
};

}  // namespace hawser::perf
