// The states of a supervised pipeline, as one table (docs/state/pipeline.dot is drawn from it).
#pragma once

#include <cstdint>
#include <optional>

#include "runtime/state/table.h"

namespace hawser::supervise {

enum class State : std::uint8_t {
    Stopped,      // not started yet, or stopped before its end
    Waiting,      // to be started as soon as its sender has told its port
    Starting,     // its process runs, no buffer has reached its ports yet
    Running,      // buffers reach its ports
    Degraded,     // runs, but one of its links has lost its other end
    Stalled,      // nothing moves and it is to blame: its process is being ended
    Backoff,      // its process has died; it will be started again
    Quarantined,  // given up: it may not be started again, or has failed too often
    Draining,     // was asked to end; EOS is on its way through it
    Completed,    // has come to its end in order
    Count_,
};

enum class Trigger : std::uint8_t {
    Enable,   // the run begins
    Launch,   // its process was started
    Flow,     // the first buffers reach its ports
    Impair,   // a link end is not streaming any more
    Heal,     // all link ends stream again
    Stall,    // the health watch blames it
    Failed,   // its process is gone and may be started again
    GaveUp,   // … and may not
    Retry,    // the back-off is over
    Stop,     // it is to end
    Ended,    // its process has ended in order, after EOS
    Stopped,  // its process has ended in order, without EOS, because it was asked to
    Count_,
};

const char* to_string(State state);  // "RUNNING"
const char* to_string(Trigger trigger);

inline constexpr auto kLifecycle =
    state::make_table<State, Trigger>(State::Stopped,
                                      {
                                          {State::Stopped, Trigger::Enable, State::Waiting},

                                          {State::Waiting, Trigger::Launch, State::Starting},
                                          {State::Waiting, Trigger::Stop, State::Stopped},

                                          {State::Starting, Trigger::Flow, State::Running},
                                          {State::Starting, Trigger::Stall, State::Stalled},
                                          {State::Starting, Trigger::Failed, State::Backoff},
                                          {State::Starting, Trigger::GaveUp, State::Quarantined},
                                          {State::Starting, Trigger::Ended, State::Completed},
                                          {State::Starting, Trigger::Stop, State::Draining},

                                          {State::Running, Trigger::Impair, State::Degraded},
                                          {State::Running, Trigger::Stall, State::Stalled},
                                          {State::Running, Trigger::Failed, State::Backoff},
                                          {State::Running, Trigger::GaveUp, State::Quarantined},
                                          {State::Running, Trigger::Ended, State::Completed},
                                          {State::Running, Trigger::Stop, State::Draining},

                                          {State::Degraded, Trigger::Heal, State::Running},
                                          {State::Degraded, Trigger::Stall, State::Stalled},
                                          {State::Degraded, Trigger::Failed, State::Backoff},
                                          {State::Degraded, Trigger::GaveUp, State::Quarantined},
                                          {State::Degraded, Trigger::Ended, State::Completed},
                                          {State::Degraded, Trigger::Stop, State::Draining},

                                          {State::Stalled, Trigger::Failed, State::Backoff},
                                          {State::Stalled, Trigger::GaveUp, State::Quarantined},
                                          {State::Stalled, Trigger::Stop, State::Draining},

                                          {State::Backoff, Trigger::Retry, State::Waiting},
                                          {State::Backoff, Trigger::Stop, State::Stopped},

                                          {State::Draining, Trigger::Ended, State::Completed},
                                          {State::Draining, Trigger::Stopped, State::Stopped},
                                          {State::Draining, Trigger::Failed, State::Stopped},
                                      },
                                      {
                                          {Trigger::Enable},
                                          {Trigger::Launch},
                                          {Trigger::Flow},
                                          {Trigger::Impair},
                                          {Trigger::Heal},
                                          {Trigger::Stall},
                                          {Trigger::Failed},
                                          {Trigger::GaveUp},
                                          {Trigger::Retry},
                                          {Trigger::Stop},
                                          {Trigger::Ended},
                                          {Trigger::Stopped},
                                      });
static_assert(kLifecycle.deterministic() && kLifecycle.reachable() && kLifecycle.total() &&
              kLifecycle.names_all());
static_assert(kLifecycle.leaves_all_but({State::Quarantined, State::Completed}));

// Where `trigger` leads; nothing where it means nothing in that state.
constexpr std::optional<State> after(State from, Trigger trigger) {
    return kLifecycle.next(from, trigger);
}

}  // namespace hawser::supervise
