#include "runtime/session/client_states.h"

namespace hawser::session {

const char* to_string(ClientState state) {
    switch (state) {
        case ClientState::Live:
            return "live";
        case ClientState::Lagging:
            return "lagging";
        case ClientState::Skipping:
            return "skipping";
        case ClientState::Parked:
            return "parked";
        case ClientState::Evicted:
            return "evicted";
        case ClientState::Count_:
            break;
    }
    return "?";
}

const char* to_string(ClientEvent event) {
    switch (event) {
        case ClientEvent::Behind:
            return "behind";
        case ClientEvent::CaughtUp:
            return "caught-up";
        case ClientEvent::Overtaken:
            return "overtaken";
        case ClientEvent::Resumed:
            return "resumed";
        case ClientEvent::Stuck:
            return "stuck";
        case ClientEvent::Moved:
            return "moved";
        case ClientEvent::Evict:
            return "evict";
        case ClientEvent::Count_:
            break;
    }
    return "?";
}

}  // namespace hawser::session
