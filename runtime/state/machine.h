// The state of one thing that follows a table.
#pragma once

#include <atomic>
#include <optional>

#include "runtime/state/table.h"

namespace hawser::state {

// Logs "NAME: event EVENT is illegal in state STATE".
void report_illegal(const char* name, const char* state, const char* event);

// `kTable` is a constexpr TransitionTable at namespace scope; its enums need to_string() found by ADL.
// Threads: one owner fires; state() may be read by any.
template <const auto& kTable>
class Machine {
  public:
    using Table = std::remove_cvref_t<decltype(kTable)>;
    using State = typename Table::State;
    using Event = typename Table::Event;

    // `name` says in the log whose machine it is; it must live as long.
    explicit Machine(const char* name) : name_(name) {}
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    // True where the table has a transition for it, which has then been made. False where the event is
    // ignored here, or illegal, which is logged: the state stays.
    bool fire(Event event) {
        const State from = state_.load(std::memory_order_relaxed);
        if (const std::optional<State> to = kTable.next(from, event)) {
            state_.store(*to, std::memory_order_release);
            return true;
        }
        if (!kTable.ignores(from, event)) report_illegal(name_, to_string(from), to_string(event));
        return false;
    }

    // What fire() would do; nothing is logged.
    std::optional<State> peek(Event event) const { return kTable.next(state(), event); }

    State state() const { return state_.load(std::memory_order_acquire); }

  private:
    const char* const name_;
    std::atomic<State> state_{kTable.initial};
};

}  // namespace hawser::state
