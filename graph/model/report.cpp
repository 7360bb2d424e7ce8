#include "graph/model/report.h"

#include <algorithm>
#include <iterator>
#include <optional>

namespace hawser::graph {
namespace {

constexpr std::size_t kWidest =
    160;  // characters of a source line that are shown; a longer one is cut around the caret

struct Colours {
    const char* bold = "";
    const char* error = "";
    const char* warning = "";
    const char* caret = "";
    const char* hint = "";
    const char* off = "";
};

Colours colours(bool wanted) {
    if (!wanted) return {};
    return {"\033[1m", "\033[1;31m", "\033[1;35m", "\033[1;32m", "\033[36m", "\033[0m"};
}

bool begins_character(char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
}

std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

// Columns of a terminal that a character takes: none for what combines with the one before, two for East
// Asian wide ones and pictures.
std::size_t columns(char32_t c) {
    struct Range {
        char32_t from, to;
    };
    static constexpr Range kNone[] = {{0x300, 0x36f}, {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}};
    static constexpr Range kTwo[] = {
        {0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0xa4cf}, {0xac00, 0xd7a3},   {0xf900, 0xfaff},
        {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1faff}, {0x20000, 0x3fffd}};
    const auto within = [c](const Range& range) { return c >= range.from && c <= range.to; };
    if (std::any_of(std::begin(kNone), std::end(kNone), within)) return 0;
    return std::any_of(std::begin(kTwo), std::end(kTwo), within) ? 2 : 1;
}

// Of valid UTF-8.
std::size_t width(std::string_view text) {
    std::size_t sum = 0;
    for (std::size_t at = 0; at < text.size();) {
        const auto lead = static_cast<unsigned char>(text[at++]);
        char32_t c = lead < 0x80   ? lead
                     : lead < 0xe0 ? lead & 0x1fU
                     : lead < 0xf0 ? lead & 0x0fU
                                   : lead & 0x07U;
        for (; at < text.size() && !begins_character(text[at]); ++at)
            c = (c << 6) | (static_cast<unsigned char>(text[at]) & 0x3fU);
        sum += columns(c);
    }
    return sum;
}

std::optional<std::string_view> source_line(const Sources& sources, const Location& where) {
    const auto found = sources.find(where.file());
    if (found == sources.end() || where.line() == 0) return std::nullopt;
    std::string_view text = found->second;
    for (std::uint32_t line = 1; line < where.line(); ++line) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) return std::nullopt;
        text.remove_prefix(end + 1);
    }
    text = text.substr(0, text.find('\n'));
    if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
    return text;
}

// Control characters would move the cursor; a tab is one column wide here as in the location.
std::string harmless(std::string_view text) {
    std::string shown(text);
    for (char& c : shown)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    return shown;
}

void show_source(std::string& out, std::string_view line, const Location& where, const Colours& colour) {
    std::size_t column = std::min<std::size_t>(where.column() == 0 ? 0 : where.column() - 1, line.size());
    std::size_t length =
        std::min<std::size_t>(std::max<std::uint32_t>(where.length(), 1), line.size() - column);
    std::string cut;
    if (line.size() > kWidest) {
        std::size_t from = column > kWidest / 2 ? column - kWidest / 2 : 0;
        while (from > 0 && !begins_character(line[from])) --from;
        line = line.substr(from);
        column -= from;
        std::size_t end = std::min(kWidest, line.size());
        while (end < line.size() && !begins_character(line[end])) ++end;
        line = line.substr(0, end);
        length = std::min(length, line.size() - column);
        if (from > 0) cut = "…";
    }
    const std::string number = std::to_string(where.line());
    const std::string margin(std::max<std::size_t>(5, number.size()), ' ');
    out += margin.substr(number.size()) + number + " | " + cut + harmless(line) + "\n";
    out += margin + " | " + std::string(characters(cut) + width(line.substr(0, column)), ' ') + colour.caret +
           "^";
    const std::size_t wide = width(line.substr(column, length));
    if (wide > 1) out += std::string(wide - 1, '~');
    out += std::string(colour.off) + "\n";
}

std::string place(const Location& where, const std::optional<std::string_view>& line) {
    if (!line) return to_string(where);
    Location shown = where;
    shown.set_column(1 + static_cast<std::uint32_t>(
                             characters(line->substr(0, where.column() == 0 ? 0 : where.column() - 1))));
    return to_string(shown);
}

std::string plural(int count, const char* what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

}  // namespace

std::string report(const Diagnostics& diagnostics, const Sources& sources, const ReportOptions& options) {
    const Colours colour = colours(options.colour);
    std::string out;
    for (const auto& entry : diagnostics.diagnostics()) {
        const auto line = source_line(sources, entry.location());
        const std::string where = place(entry.location(), line);
        const bool warning = entry.severity() == Diagnostic::WARNING;
        if (!where.empty()) out += colour.bold + where + ":" + colour.off + " ";
        out += std::string(warning ? colour.warning : colour.error) + (warning ? "warning:" : "error:") +
               colour.off + " ";
        out += colour.bold + entry.message() + colour.off + "\n";
        if (line) show_source(out, *line, entry.location(), colour);
        if (!entry.hint().empty())
            out += "      " + std::string(colour.hint) + "hint:" + colour.off + " " + entry.hint() + "\n";
    }
    return out;
}

std::string summary(const Diagnostics& diagnostics) {
    int errors = 0, warnings = 0;
    for (const auto& entry : diagnostics.diagnostics())
        ++(entry.severity() == Diagnostic::WARNING ? warnings : errors);
    std::string text = errors == 0 ? "no errors" : plural(errors, "error");
    if (warnings > 0) text += ", " + plural(warnings, "warning");
    return text;
}

}  // namespace hawser::graph
