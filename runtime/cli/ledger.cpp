#include "runtime/cli/ledger.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "graph/model/launch_text.h"
#include "runtime/base/text.h"
#include "runtime/cli/console.h"
#include "runtime/cli/narrator.h"

namespace hawser::cli {
namespace {

using supervise::Entry;
using supervise::State;

// Rows of cells, printed in columns as wide as their widest cell. `align`: a letter a column, 'l' or 'r'; the
// last letter stands for the rest.
class Columns {
  public:
    explicit Columns(std::vector<std::string> head) { rows_.push_back(std::move(head)); }
    void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

    std::string text(const Console& console, std::string_view align) const {
        std::vector<std::size_t> widths;
        for (const auto& row : rows_) {
            widths.resize(std::max(widths.size(), row.size()));
            for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
        }
        std::string out;
        for (std::size_t r = 0; r < rows_.size(); ++r) {
            std::string line = "  ";
            for (std::size_t i = 0; i < rows_[r].size(); ++i) {
                if (i > 0) line += "  ";
                line += align[std::min(i, align.size() - 1)] == 'l' ? left(rows_[r][i], widths[i])
                                                                    : right(rows_[r][i], widths[i]);
            }
            while (line.ends_with(' ')) line.pop_back();
            out += (r == 0 ? console.painted(line, Colour::Dim) : line) + "\n";
        }
        return out;
    }

  private:
    std::vector<std::vector<std::string>> rows_;
};

std::string epoch_end(const supervise::EpochEntry& epoch) {
    if (!epoch.sender_in_order) return "its sender died";
    return epoch.ended ? "ended by EOS" : "its sender stopped";
}

std::vector<std::string> cells(std::string name, std::string how, const Entry& e, bool rare) {
    std::vector<std::string> row{std::move(name),
                                 std::move(how),
                                 std::to_string(e.sent),
                                 std::to_string(e.received),
                                 std::to_string(e.replayed),
                                 std::to_string(e.lost),
                                 std::to_string(e.lost_with_sender)};
    if (rare) {
        row.push_back(std::to_string(e.lost_with_receiver));
        row.push_back(std::to_string(e.before_joining));
        row.push_back(std::to_string(e.received_again));
        row.push_back(std::to_string(e.doubled));
        row.push_back(std::to_string(e.missing));
    }
    row.push_back(format_bytes(e.bytes));
    return row;
}

std::string link_ledger(const supervise::LinkBooks& books, const Console& console) {
    std::string out = "\n" + console.painted(books.from + " → " + books.to, Colour::Bold) + "\n";
    // Columns that are zero all the way down say nothing.
    const Entry& t = books.total;
    const bool rare =
        t.lost_with_receiver || t.before_joining || t.received_again || t.doubled || !books.balance();
    std::vector<std::string> head{
        "epoch", "", "sent", "received", "replayed", "lost", "lost with the sender"};
    if (rare)
        for (const char* name :
             {"lost with the receiver", "before joining", "received again", "doubled", "unexplained"})
            head.push_back(name);
    head.push_back("bytes");
    Columns table(std::move(head));
    for (const auto& epoch : books.epochs) {
        table.row(cells(std::to_string(epoch.number), epoch_end(epoch), epoch.total, rare));
        if (epoch.tracks.size() < 2) continue;
        for (const auto& track : epoch.tracks) table.row(cells("", "  " + track.track, track.figures, rare));
    }
    if (books.epochs.size() > 1) table.row(cells("all", "", t, rare));
    if (books.epochs.empty()) return out + "  nothing was sent\n";
    return out + table.text(console, "llr");
}

std::string file_line(const std::string& path) {
    struct stat info {};
    if (stat(path.c_str(), &info) != 0) return path + " (not there)";
    return path + "  " + format_bytes(static_cast<std::uint64_t>(info.st_size));
}

// Says the same as the exit code: what failed, where anything did, and never only that the books balance.
std::string last_line(const Conclusion& conclusion, const Console& console) {
    if (conclusion.failures.empty()) {
        if (conclusion.books.empty()) return {};
        return console.painted("  The books balance.", Colour::Green) + "\n";
    }
    std::string out;
    for (const std::string& failure : conclusion.failures)
        if (failure != "the books do not balance")
            out += console.painted("  FAILED: " + failure, Colour::Red) + "\n";
    if (!conclusion.balanced)
        out +=
            console.painted("  FAILED: the books do NOT balance: some objects are unexplained", Colour::Red) +
            "\n";
    else if (!conclusion.books.empty())
        out.insert(out.size() - 1, console.painted(" (the books balance)", Colour::Dim));
    return out;
}

}  // namespace

std::vector<std::string> written_files(const graph::Graph& graph) {
    std::vector<std::string> files;
    for (const auto& pipeline : graph.pipelines()) {
        for (const auto& element : graph::parse_launch_text(pipeline.launch()).elements) {
            if (!element.factory.ends_with("filesink") && !element.factory.ends_with("splitmuxsink"))
                continue;
            for (const auto& property : element.properties)
                if (property.name == "location" && !property.value.starts_with("/dev/"))
                    files.push_back(property.value);
        }
    }
    return files;
}

std::string ledger_text(const supervise::Supervisor& supervisor, const Conclusion& conclusion, bool colour) {
    const Console console(STDOUT_FILENO, colour, false);
    std::string out;
    for (const auto& books : conclusion.books) out += link_ledger(books, console);

    if (!conclusion.recoveries.empty()) {
        out += "\n" + console.painted("Recoveries", Colour::Bold) + "\n";
        Columns table({"", "pipeline", "after", "replayed", "lost", "cause"});
        std::size_t number = 0;
        for (const auto& r : conclusion.recoveries)
            table.row({std::to_string(++number), r.pipeline, format_duration(r.downtime.count()),
                       r.new_epoch ? "new epoch" : std::to_string(r.replayed), std::to_string(r.lost),
                       r.cause});
        out += table.text(console, "rlrrrl");
    }

    out += "\n";
    std::size_t width = 0;
    for (const auto* run : supervisor.pipelines()) width = std::max(width, run->spec->name().size());
    for (const auto* run : supervisor.pipelines()) {
        const unsigned restarts = run->restarts.restarts();
        std::string line = "  " + left(run->spec->name(), width) + "  " +
                           left(console.painted(to_string(run->state), colour_of(run->state)), 11);
        if (restarts) line += " " + std::to_string(restarts) + (restarts == 1 ? " restart" : " restarts");
        if (!run->reason.empty() && run->state != State::Completed)
            line += (restarts ? ", " : " ") + run->reason;
        while (line.ends_with(' ')) line.pop_back();
        out += line + "\n";
    }
    for (const std::string& file : conclusion.files) out += "  written to " + file_line(file) + "\n";
    if (!conclusion.drill_missed.empty())
        out += console.painted("  " + conclusion.drill_missed, Colour::Yellow) + "\n";
    return out + last_line(conclusion, console);
}

}  // namespace hawser::cli
