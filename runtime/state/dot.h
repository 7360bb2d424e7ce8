// Draws transition tables for Graphviz; docs/state/*.dot come from here.
#pragma once

#include <string>
#include <string_view>

#include "runtime/state/table.h"

namespace hawser::state {

// Collects states and arrows; the text does not depend on anything but the calls.
class DotWriter {
  public:
    DotWriter(std::string_view name, std::string_view initial);
    void state(std::string_view name, bool terminal);
    void arrow(std::string_view from, std::string_view to, std::string_view label);
    std::string finish() &&;

  private:
    std::string text_;
};

// The table as a digraph: states in the order in which the table names them first, one arrow for each pair of
// states with its events as label, terminal states with a double border. Enums need to_string() found by ADL.
template <typename State, typename Event, std::size_t N, std::size_t M>
std::string to_dot(const TransitionTable<State, Event, N, M>& table, std::string_view name) {
    DotWriter writer(name, to_string(table.initial));
    std::array<State, 2 * N + 1> seen{};
    std::size_t count = 0;
    const auto draw = [&](State state) {
        for (std::size_t i = 0; i < count; ++i)
            if (seen[i] == state) return;
        seen[count++] = state;
        writer.state(to_string(state), !table.has_way_out(state));
    };
    draw(table.initial);
    for (const auto& row : table.rows) {
        draw(row.from);
        draw(row.to);
    }
    for (std::size_t i = 0; i < N; ++i) {
        const auto parallel = [&](std::size_t j) {
            return table.rows[i].from == table.rows[j].from && table.rows[i].to == table.rows[j].to;
        };
        std::string label;
        for (std::size_t j = 0; j < N; ++j) {
            if (!parallel(j)) continue;
            if (j < i) break;  // drawn with the first of them
            if (!label.empty()) label += "\\n";
            label += to_string(table.rows[j].event);
        }
        if (!label.empty()) writer.arrow(to_string(table.rows[i].from), to_string(table.rows[i].to), label);
    }
    return std::move(writer).finish();
}

}  // namespace hawser::state
