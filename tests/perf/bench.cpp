#include "tests/perf/bench.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace hawser::perf {
namespace {

std::string today() {
    char text[64];
    const time_t now = time(nullptr);
    tm parts{};
    gmtime_r(&now, &parts);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

// The values of one run on a line.
std::string short_text(const Sample& sample) {
    if (!sample.failure.empty()) return "FAILED: " + sample.failure;
    std::string text;
    for (const auto& [key, value] : sample.values)
        text += (text.empty() ? "" : ", ") + key + " " + number(value);
    return sample.remark.empty() ? text : text + " (" + sample.remark + ")";
}

}  // namespace

Bench::Bench(std::string name, std::string title, int argc, char** argv)
    : name_(std::move(name)),
      title_(std::move(title)),
      options_(parse_options(name_, argc, argv)),
      machine_(this_machine()) {
    std::printf("# %s\n\n%s\n\n", title_.c_str(), machine_.line().c_str());
    if (machine_.load > 0.5 && !options_.smoke)
        std::fprintf(
            stderr,
            "The machine is busy with something else (load %.1f): the figures will be worth little.\n",
            machine_.load);
    if (machine_.build == "Debug") std::fprintf(stderr, "This is a debug build: its figures mean nothing.\n");
    std::fflush(stdout);
}

unsigned Bench::count(unsigned full) const {
    return std::max(1U, static_cast<unsigned>(std::lround(full * options_.size_scale)));
}

Table& Bench::table(const std::string& title, std::vector<Table::Column> columns, const std::string& notes) {
    return tables_.emplace_back(title, std::move(columns), notes);
}

bool Bench::wanted(const Table& table) const {
    return table.title().find(options_.tables) != std::string::npos;
}

void Bench::run(Table& table, const std::vector<Row>& rows, unsigned rounds) {
    if (!wanted(table)) return;
    rounds = rounds == 0 ? options_.rounds : std::min(rounds, options_.rounds);
    const bool terminal = isatty(STDERR_FILENO) == 1;
    for (unsigned round = 1; round <= rounds; ++round) {
        for (const auto& row : rows) {
            if (row.name.find(options_.rows) == std::string::npos) continue;
            if (terminal) {
                std::fprintf(stderr, "  %s: round %u of %u, %s …", table.title().c_str(), round, rounds,
                             row.name.c_str());
                std::fflush(stderr);
            }
            const Sample sample = row.run();
            table.add(row.name, sample);
            std::fprintf(stderr, "%s  %s: round %u of %u, %s: %s\n", terminal ? "\r\033[K" : "",
                         table.title().c_str(), round, rounds, row.name.c_str(), short_text(sample).c_str());
        }
    }
    std::printf("%s\n", table.markdown().c_str());
    std::fflush(stdout);
}

void Bench::add(Plot plot) {
    plots_.push_back(std::move(plot));
}

int Bench::finish() {
    std::error_code error;
    std::filesystem::create_directories(options_.out, error);
    const std::string base = options_.out + "/" + name_;
    std::string text = "## " + title_ + "\n\n" + machine_.line() + ". " + today() + ", " +
                       std::to_string(options_.rounds) + " rounds" + (options_.quick ? ", quick" : "") +
                       ".\n\n";
    std::string json = "{\"benchmark\": " + json_text(name_) + ", \"title\": " + json_text(title_) +
                       ", \"when\": \"" + today() + "\", \"rounds\": " + std::to_string(options_.rounds) +
                       ", \"quick\": " + (options_.quick ? "true" : "false") +
                       ",\n \"machine\": " + machine_.json() + ",\n \"tables\": [";
    bool complete = true, met = true, first = true;
    for (const auto& table : tables_) {
        if (table.empty()) continue;
        text += table.markdown() + "\n";
        json += std::string(first ? "" : ",") + "\n  " + table.json();
        first = false;
        complete = complete && table.complete();
        met = met && table.goals_met();
    }
    std::ofstream(base + ".md") << text;
    std::ofstream(base + ".json") << json << "]}\n";
    for (const auto& plot : plots_) std::ofstream(options_.out + "/" + plot.name + ".svg") << svg(plot);
    std::fprintf(stderr, "Written to %s.json and .md%s\n", base.c_str(),
                 plots_.empty() ? "" : ", plots beside them");
    return complete && (met || !options_.check) ? 0 : 1;
}

}  // namespace hawser::perf
