#include "elements/enums.h"

#include "runtime/io/reactor.h"
#include "runtime/session/config.h"
#include "runtime/session/publisher.h"

namespace io = hawser::io;
using hawser::session::Mode;
using hawser::session::SlowClientPolicy;
using hawser::session::State;

namespace {

template <typename Enum>
constexpr gint number(Enum value) {
    return static_cast<gint>(value);
}

}  // namespace

GType hawser_mode_get_type() {
    static const GEnumValue values[] = {
        {number(Mode::Listener), "Waits for the peer to connect", "listener"},
        {number(Mode::Caller), "Connects to the peer", "caller"},
        {0, nullptr, nullptr},
    };
    static const GType type = g_enum_register_static("HawserMode", values);
    return type;
}

GType hawser_state_get_type() {
    static const GEnumValue values[] = {
        {number(State::Idle), "Not started", "idle"},
        {number(State::Resolving), "Looking the peer's name up", "resolving"},
        {number(State::Connecting), "Connecting to the peer", "connecting"},
        {number(State::Listening), "Waiting for a peer", "listening"},
        {number(State::Handshake), "Agreeing with the peer on version, tracks and positions", "handshake"},
        {number(State::Streaming), "Media flows", "streaming"},
        {number(State::Backoff), "Waiting before the next attempt to connect", "backoff"},
        {number(State::Failed), "Failed for good", "failed"},
        {number(State::Ended), "The stream has ended and all of it has arrived", "ended"},
        {0, nullptr, nullptr},
    };
    static const GType type = g_enum_register_static("HawserState", values);
    return type;
}

GType hawser_slow_client_policy_get_type() {
    static const GEnumValue values[] = {
        {number(SlowClientPolicy::Auto),
         "Block while upstream is not live and there is exactly one receiver, else drop", "auto"},
        {number(SlowClientPolicy::Drop), "Skip to the newest group and tell the receiver what is lost",
         "drop"},
        {number(SlowClientPolicy::Block), "Let upstream wait, at most max-block, then drop", "block"},
        {number(SlowClientPolicy::Disconnect), "Close the receiver's connection", "disconnect"},
        {0, nullptr, nullptr},
    };
    static const GType type = g_enum_register_static("HawserSlowClientPolicy", values);
    return type;
}

GType hawser_io_engine_get_type() {
    static const GEnumValue values[] = {
        {number(io::Engine::Auto), "What is faster among those that this system allows", "auto"},
        {number(io::Engine::Epoll), "epoll", "epoll"},
        {number(io::Engine::IoUring), "io_uring: many receivers by one system call", "io-uring"},
        {0, nullptr, nullptr},
    };
    static const GType type = g_enum_register_static("HawserIoEngine", values);
    return type;
}

GType hawser_timestamp_mode_get_type() {
    static const GEnumValue values[] = {
        {HAWSER_TIMESTAMP_MODE_REBASE, "Running time goes on from the receiver's own", "rebase"},
        {HAWSER_TIMESTAMP_MODE_ORIGINAL, "Segments and timestamps as they were sent", "original"},
        {0, nullptr, nullptr},
    };
    static const GType type = g_enum_register_static("HawserTimestampMode", values);
    return type;
}

namespace hawser::elements {

const char* nick(GType type, int value) {
    auto* klass = static_cast<GEnumClass*>(g_type_class_ref(type));
    const GEnumValue* found = g_enum_get_value(klass, value);
    // Static types are never unloaded, so the nick outlives the reference.
    g_type_class_unref(klass);
    return found ? found->value_nick : "?";
}

}  // namespace hawser::elements
