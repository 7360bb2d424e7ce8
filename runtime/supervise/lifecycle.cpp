#include "runtime/supervise/lifecycle.h"

namespace hawser::supervise {

const char* to_string(State state) {
    switch (state) {
        case State::Stopped:
            return "STOPPED";
        case State::Waiting:
            return "WAITING";
        case State::Starting:
            return "STARTING";
        case State::Running:
            return "RUNNING";
        case State::Degraded:
            return "DEGRADED";
        case State::Stalled:
            return "STALLED";
        case State::Backoff:
            return "BACKOFF";
        case State::Quarantined:
            return "QUARANTINED";
        case State::Draining:
            return "DRAINING";
        case State::Completed:
            return "COMPLETED";
        case State::Count_:
            break;
    }
    return "?";
}

const char* to_string(Trigger trigger) {
    switch (trigger) {
        case Trigger::Enable:
            return "enable";
        case Trigger::Launch:
            return "launch";
        case Trigger::Flow:
            return "flow";
        case Trigger::Impair:
            return "impair";
        case Trigger::Heal:
            return "heal";
        case Trigger::Stall:
            return "stall";
        case Trigger::Failed:
            return "failed";
        case Trigger::GaveUp:
            return "gave-up";
        case Trigger::Retry:
            return "retry";
        case Trigger::Stop:
            return "stop";
        case Trigger::Ended:
            return "ended";
        case Trigger::Stopped:
            return "stopped";
        case Trigger::Count_:
            break;
    }
    return "?";
}

}  // namespace hawser::supervise
