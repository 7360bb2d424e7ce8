// A state machine is one constexpr table: what leads where, and what may be ignored. Whatever a table must
// promise is checked when it is compiled:
//
//     inline constexpr auto kDoor = state::make_table<Door, Act>(
//         Door::Shut,
//         {{Door::Shut, Act::Pull, Door::Open}, {Door::Open, Act::Push, Door::Shut}, …},
//         {{Act::Push, Door::Shut}, {Act::Pull, Door::Open}, {Act::Burn}, …});
//     static_assert(kDoor.deterministic() && kDoor.reachable() && kDoor.total());
//     static_assert(kDoor.leaves_all_but({Door::Locked}));
//
// A role may use some of an enumeration's states only: a table's states are those that it names.
#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <type_traits>

namespace hawser::state {

// How many enumerators E has, if they count from 0 without holes: E::Count_ where there is one, else
// specialise this.
template <typename E>
inline constexpr std::size_t kEnumSize = static_cast<std::size_t>(E::Count_);

template <typename StateT, typename EventT>
struct Transition {
    StateT from;
    EventT event;
    StateT to;
};

// `event` means nothing in `state`; without one, in any state that has no transition for it.
template <typename StateT, typename EventT>
struct Ignored {
    EventT event;
    std::optional<StateT> state = std::nullopt;
};

// All members are constexpr and O(N); next() at run time walks the rows, of which a machine has a few dozen.
template <typename StateT, typename EventT, std::size_t N, std::size_t M = 0>
struct TransitionTable {
    using State = StateT;
    using Event = EventT;

    State initial;
    std::array<Transition<State, Event>, N> rows;
    std::array<Ignored<State, Event>, M> ignored;

    constexpr std::optional<State> next(State from, Event event) const {
        for (const auto& row : rows)
            if (row.from == from && row.event == event) return row.to;
        return std::nullopt;
    }
    // Whether an ignore rule covers the pair. A transition takes precedence.
    constexpr bool ignores(State in, Event event) const {
        for (const auto& rule : ignored)
            if (rule.event == event && (!rule.state || *rule.state == in)) return true;
        return false;
    }
    constexpr bool names(State state) const {
        for (const auto& row : rows)
            if (row.from == state || row.to == state) return true;
        return state == initial;
    }

    // No (state, event) pair stands twice, neither as transition nor as both transition and (exact) ignore
    // rule.
    constexpr bool deterministic() const {
        for (std::size_t i = 0; i < N; ++i)
            for (std::size_t j = i + 1; j < N; ++j)
                if (rows[i].from == rows[j].from && rows[i].event == rows[j].event) return false;
        for (std::size_t i = 0; i < M; ++i) {
            if (ignored[i].state && next(*ignored[i].state, ignored[i].event)) return false;
            for (std::size_t j = i + 1; j < M; ++j)
                if (ignored[i].event == ignored[j].event && ignored[i].state == ignored[j].state)
                    return false;
        }
        return true;
    }

    // Every state that the table names can be reached from the initial one.
    constexpr bool reachable() const {
        std::array<bool, N> fires{};  // rows whose `from` is reachable
        for (bool grew = true; grew;) {
            grew = false;
            for (std::size_t i = 0; i < N; ++i) {
                if (fires[i] || !(rows[i].from == initial || reaches(fires, rows[i].from))) continue;
                fires[i] = grew = true;
            }
        }
        for (const bool fired : fires)
            if (!fired) return false;
        return true;
    }

    // The table names every enumerator of State.
    constexpr bool names_all() const {
        for (std::size_t s = 0; s < kEnumSize<State>; ++s)
            if (!names(static_cast<State>(s))) return false;
        return true;
    }

    // Every state has a transition to another state, but for the given ones, which have none.
    constexpr bool leaves_all_but(std::initializer_list<State> terminal) const {
        for (const State state : terminal)
            if (!names(state) || has_way_out(state)) return false;
        for (const auto& row : rows)
            if (!has_way_out(row.to) && !contains(terminal, row.to)) return false;
        return has_way_out(initial) || contains(terminal, initial);
    }

    // Every pair of a state that the table names and an event is a transition or an ignore rule: nothing is
    // illegal.
    constexpr bool total() const {
        if (!total_in(initial)) return false;
        for (const auto& row : rows)
            if (!total_in(row.from) || !total_in(row.to)) return false;
        return true;
    }

    constexpr bool has_way_out(State state) const {
        for (const auto& row : rows)
            if (row.from == state && row.to != state) return true;
        return false;
    }

  private:
    static constexpr bool contains(std::initializer_list<State> states, State state) {
        for (const State each : states)
            if (each == state) return true;
        return false;
    }
    constexpr bool reaches(const std::array<bool, N>& fires, State state) const {
        for (std::size_t i = 0; i < N; ++i)
            if (fires[i] && rows[i].to == state) return true;
        return false;
    }
    constexpr bool total_in(State state) const {
        for (std::size_t e = 0; e < kEnumSize<Event>; ++e)
            if (!next(state, static_cast<Event>(e)) && !ignores(state, static_cast<Event>(e))) return false;
        return true;
    }
};

template <typename State, typename Event, std::size_t N, std::size_t M>
constexpr auto make_table(State initial, const Transition<State, Event> (&rows)[N],
                          const Ignored<State, Event> (&ignored)[M]) {
    return TransitionTable<State, Event, N, M>{initial, std::to_array(rows), std::to_array(ignored)};
}
template <typename State, typename Event, std::size_t N>
constexpr auto make_table(State initial, const Transition<State, Event> (&rows)[N]) {
    return TransitionTable<State, Event, N>{initial, std::to_array(rows), {}};
}

}  // namespace hawser::state
