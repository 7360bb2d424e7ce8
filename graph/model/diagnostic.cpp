#include "graph/model/diagnostic.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "runtime/base/text.h"

namespace hawser::graph {
namespace {

void add(Diagnostics& to, Diagnostic::Severity severity, const Location& where, std::string message,
         std::string hint) {
    Diagnostic* entry = to.add_diagnostics();
    entry->set_severity(severity);
    *entry->mutable_location() = where;
    entry->set_message(std::move(message));
    entry->set_hint(std::move(hint));
}

auto order(const Diagnostic& d) {
    return std::make_tuple(d.location().file(), d.location().line(), d.location().column());
}

}  // namespace

void add_error(Diagnostics& to, const Location& where, std::string message, std::string hint) {
    add(to, Diagnostic::ERROR, where, std::move(message), std::move(hint));
}

void add_warning(Diagnostics& to, const Location& where, std::string message, std::string hint) {
    add(to, Diagnostic::WARNING, where, std::move(message), std::move(hint));
}

bool has_errors(const Diagnostics& diagnostics) {
    return std::any_of(diagnostics.diagnostics().begin(), diagnostics.diagnostics().end(),
                       [](const Diagnostic& d) { return d.severity() == Diagnostic::ERROR; });
}

void sort_diagnostics(Diagnostics& diagnostics) {
    std::vector<Diagnostic> all(diagnostics.diagnostics().begin(), diagnostics.diagnostics().end());
    std::stable_sort(all.begin(), all.end(),
                     [](const Diagnostic& a, const Diagnostic& b) { return order(a) < order(b); });
    diagnostics.Clear();
    std::set<std::string> seen;
    for (auto& entry : all)
        if (seen.insert(to_string(entry.location()) + '\n' + entry.message()).second)
            *diagnostics.add_diagnostics() = std::move(entry);
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
    const std::string best = nearest(word, candidates);
    return best.empty() ? "" : "did you mean \"" + best + "\"?";
}

Location locate(const Pipeline& pipeline, std::size_t offset, std::size_t length) {
    Location where;
    where.set_length(static_cast<std::uint32_t>(length));
    const SourceMark* mark = nullptr;
    for (const auto& candidate : pipeline.launch_marks()) {
        if (candidate.offset() > offset) break;
        mark = &candidate;
    }
    if (mark != nullptr) {
        where.set_file(pipeline.launch_location().file());
        where.set_line(mark->line());
        where.set_column(mark->column());
        if (mark->length() > 0)
            where.set_length(mark->length());
        else
            where.set_column(mark->column() + static_cast<std::uint32_t>(offset - mark->offset()));
        return where;
    }
    if (!pipeline.name().empty()) {
        const std::string& file = pipeline.launch_location().file();
        where.set_file((file.empty() ? "" : file + ", ") + "launch of " + pipeline.name());
    }
    const std::string_view before = std::string_view(pipeline.launch()).substr(0, offset);
    const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
    where.set_line(1 + static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n')));
    where.set_column(1 + static_cast<std::uint32_t>(before.size() - line_start));
    return where;
}

std::string to_string(const Location& where) {
    const std::string line = std::to_string(where.line()), column = std::to_string(where.column());
    if (where.file().empty()) return where.line() == 0 ? "" : "line " + line + ", column " + column;
    return where.line() == 0 ? where.file() : where.file() + ":" + line + ":" + column;
}

}  // namespace hawser::graph
