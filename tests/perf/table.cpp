#include "tests/perf/table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace hawser::perf {

std::optional<Summary> summarize(std::vector<double> samples) {
    if (samples.empty()) return std::nullopt;
    Summary summary;
    summary.samples = samples;
    std::sort(samples.begin(), samples.end());
    const auto middle = samples.size() / 2;
    summary.median = samples.size() % 2 == 1 ? samples[middle] : (samples[middle - 1] + samples[middle]) / 2;
    summary.low = samples.front();
    summary.high = samples.back();
    return summary;
}

std::string number(double value) {
    if (!std::isfinite(value)) return "–";
    const double size = std::fabs(value);
    const bool whole = size >= 1.5 && size < 1e15 && value == std::floor(value);
    const int digits = size >= 99.95 || size == 0 || whole ? 0 : size >= 9.995 ? 1 : size >= 0.9995 ? 2 : 3;
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    std::string grouped = text;
    if (digits == 0) {
        for (std::size_t at = grouped.size(); at > 3 + (value < 0 ? 1U : 0U); at -= 3)
            grouped.insert(at - 3, " ");
    }
    return grouped;
}

std::string json_text(const std::string& text) {
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') quoted += '\\';
        if (c == '\n') {
            quoted += "\\n";
        } else if (static_cast<unsigned char>(c) >= 0x20) {
            quoted += c;
        }
    }
    return quoted + "\"";
}

std::string json_number(double value) {
    if (!std::isfinite(value)) return "null";
    char text[64];
    std::snprintf(text, sizeof text, "%.9g", value);
    return text;
}

namespace {

// Characters, not bytes.
std::size_t width(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string padded(const std::string& text, std::size_t to, bool right) {
    const std::string fill(to > width(text) ? to - width(text) : 0, ' ');
    return right ? fill + text : text + fill;
}

}  // namespace

Table::Table(std::string title, std::vector<Column> columns, std::string notes)
    : title_(std::move(title)), columns_(std::move(columns)), notes_(std::move(notes)) {}

void Table::ratio(const std::string& key, const std::string& heading, const std::string& of,
                  const std::string& base) {
    columns_.push_back({key, heading});
    ratios_.push_back({key, of, base});
}

void Table::at_least(const std::string& row, const std::string& column, double value) {
    goals_.push_back({row, column, true, value});
}

void Table::at_most(const std::string& row, const std::string& column, double value) {
    goals_.push_back({row, column, false, value});
}

void Table::add(const std::string& row, const Sample& sample) {
    if (!sample.failure.empty()) failures_.push_back(row + ": " + sample.failure);
    for (auto& [name, samples] : rows_) {
        if (name == row) {
            samples.push_back(sample);
            return;
        }
    }
    rows_.emplace_back(row, std::vector<Sample>{sample});
}

const std::vector<Sample>* Table::samples_of(const std::string& row) const {
    for (const auto& [name, samples] : rows_) {
        if (name == row) return &samples;
    }
    return nullptr;
}

std::optional<Summary> Table::summary(const std::string& row, const std::string& column) const {
    const auto* samples = samples_of(row);
    if (samples == nullptr) return std::nullopt;
    std::string key = column;
    const std::vector<Sample>* base = nullptr;
    for (const auto& ratio : ratios_) {
        if (ratio.key != column) continue;
        key = ratio.of;
        base = samples_of(ratio.base);
        if (base == nullptr) return std::nullopt;
    }
    std::vector<double> values;
    for (std::size_t i = 0; i < samples->size(); ++i) {
        const auto found = (*samples)[i].values.find(key);
        if (!(*samples)[i].failure.empty() || found == (*samples)[i].values.end()) continue;
        if (base == nullptr) {
            values.push_back(found->second);
        } else if (i < base->size() && (*base)[i].failure.empty()) {
            const auto under = (*base)[i].values.find(key);
            if (under != (*base)[i].values.end() && under->second != 0)
                values.push_back(found->second / under->second);
        }
    }
    return summarize(std::move(values));
}

std::string Table::heading_of(const std::string& key) const {
    for (const auto& column : columns_) {
        if (column.key == key) return column.heading;
    }
    return key;
}

std::optional<bool> Table::met(const Goal& goal) const {
    const auto result = summary(goal.row, goal.column);
    if (!result) return std::nullopt;
    return goal.at_least ? result->median >= goal.value : result->median <= goal.value;
}

bool Table::goals_met() const {
    return std::all_of(goals_.begin(), goals_.end(), [&](const Goal& goal) {
        return samples_of(goal.row) == nullptr || met(goal).value_or(false);
    });
}

std::string Table::goal_text(const Goal& goal) const {
    const auto result = met(goal);
    return heading_of(goal.column) + (goal.at_least ? " ≥ " : " ≤ ") + number(goal.value) + ": " +
           (!result   ? "not measured"
            : *result ? "met"
                      : "**missed**");
}

std::string Table::markdown() const {
    std::vector<std::vector<std::string>> cells;
    std::vector<std::string> head = {""};
    for (const auto& column : columns_) head.push_back(column.heading);
    if (!goals_.empty()) head.emplace_back("goal");
    cells.push_back(head);
    for (const auto& [name, samples] : rows_) {
        std::vector<std::string> line = {name};
        for (const auto& column : columns_) {
            const auto result = summary(name, column.key);
            std::string text = result ? number(result->median) : "–";
            if (result && result->samples.size() > 1)
                text += " (" + number(result->low) + "…" + number(result->high) + ")";
            line.push_back(text);
        }
        if (!goals_.empty()) {
            std::string text;
            for (const auto& goal : goals_) {
                if (goal.row == name) text += (text.empty() ? "" : "; ") + goal_text(goal);
            }
            line.push_back(text);
        }
        cells.push_back(line);
    }
    std::vector<std::size_t> widths(head.size(), 3);
    for (const auto& line : cells) {
        for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width(line[i]));
    }
    const auto right = [&](std::size_t column) { return column > 0 && column <= columns_.size(); };
    std::string text = "### " + title_ + "\n\n";
    for (std::size_t i = 0; i < cells.size(); ++i) {
        for (std::size_t c = 0; c < cells[i].size(); ++c)
            text += "| " + padded(cells[i][c], widths[c], right(c)) + " ";
        text += "|\n";
        if (i > 0) continue;
        for (std::size_t c = 0; c < widths.size(); ++c)
            text += "|" + std::string(widths[c] + 1, '-') + (right(c) ? ":" : "-");
        text += "|\n";
    }
    if (!notes_.empty()) text += "\n" + notes_ + "\n";
    for (const auto& failure : failures_) text += "\nFailed: " + failure + "\n";
    return text;
}

std::string Table::json() const {
    std::string text =
        "{\"title\": " + json_text(title_) + ", \"notes\": " + json_text(notes_) + ",\n   \"rows\": [";
    bool first = true;
    for (const auto& [name, samples] : rows_) {
        text += std::string(first ? "" : ",") + "\n    {\"name\": " + json_text(name) + ", \"values\": {";
        first = false;
        bool first_value = true;
        for (const auto& column : columns_) {
            const auto result = summary(name, column.key);
            if (!result) continue;
            text += std::string(first_value ? "" : ", ") + json_text(column.key) +
                    ": {\"heading\": " + json_text(column.heading) +
                    ", \"median\": " + json_number(result->median) +
                    ", \"low\": " + json_number(result->low) + ", \"high\": " + json_number(result->high) +
                    ", \"samples\": [";
            first_value = false;
            for (std::size_t i = 0; i < result->samples.size(); ++i)
                text += (i > 0 ? ", " : "") + json_number(result->samples[i]);
            text += "]}";
        }
        text += "}}";
    }
    text += "],\n   \"goals\": [";
    for (std::size_t i = 0; i < goals_.size(); ++i) {
        const auto result = met(goals_[i]);
        text += std::string(i > 0 ? "," : "") + "\n    {\"row\": " + json_text(goals_[i].row) +
                ", \"column\": " + json_text(goals_[i].column) + ", \"relation\": \"" +
                (goals_[i].at_least ? ">=" : "<=") + "\", \"value\": " + json_number(goals_[i].value) +
                ", \"met\": " +
                (!result   ? "null"
                 : *result ? "true"
                           : "false") +
                "}";
    }
    text += "],\n   \"failures\": [";
    for (std::size_t i = 0; i < failures_.size(); ++i) text += (i > 0 ? ", " : "") + json_text(failures_[i]);
    return text + "]}";
}

}  // namespace hawser::perf
