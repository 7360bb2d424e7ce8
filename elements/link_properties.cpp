#include "elements/link_properties.h"

#include "elements/enums.h"

#ifndef HAWSER_VERSION
#define HAWSER_VERSION "0"
#endif

namespace hawser::elements {
namespace {

std::string text_of(const GValue* value) {
    const char* text = g_value_get_string(value);
    return text ? text : "";
}

}  // namespace

Duration to_duration(guint64 nanoseconds) {
    constexpr auto most = static_cast<guint64>(Duration::max().count());
    return nanoseconds > most ? Duration::max() : Duration(static_cast<Duration::rep>(nanoseconds));
}

bool LinkSettings::set(guint id, const GValue* value) {
    switch (id) {
        case kPropMode:
            config.mode = static_cast<session::Mode>(g_value_get_enum(value));
            return true;
        case kPropAddress:
            config.address.host = text_of(value);
            uri_error.clear();
            return true;
        case kPropPort:
            config.address.port = static_cast<std::uint16_t>(g_value_get_uint(value));
            uri_error.clear();
            return true;
        case kPropStream:
            config.stream = text_of(value);
            if (config.stream.empty() || config.stream.front() != '/') config.stream.insert(0, "/");
            return true;
        case kPropMaxObjectSize:
            config.max_object_size = g_value_get_uint64(value);
            return true;
        case kPropHandshakeTimeout:
            config.liveness.handshake_timeout = to_duration(g_value_get_uint64(value));
            return true;
        case kPropPeerTimeout:
            config.liveness.peer_timeout = to_duration(g_value_get_uint64(value));
            return true;
        case kPropReconnectMinDelay:
            config.reconnect.min_delay = to_duration(g_value_get_uint64(value));
            return true;
        case kPropReconnectMaxDelay:
            config.reconnect.max_delay = to_duration(g_value_get_uint64(value));
            return true;
        case kPropReconnectAttempts:
            config.reconnect.attempts = g_value_get_int(value);
            return true;
        case kPropIoEngine:
            io_engine = static_cast<io::Engine>(g_value_get_enum(value));
            return true;
        case kPropBusyPoll:
            busy_poll = g_value_get_uint(value);
            return true;
        default:
            return false;
    }
}

bool LinkSettings::get(guint id, GValue* value) const {
    const auto nanoseconds = [](Duration duration) { return static_cast<guint64>(duration.count()); };
    switch (id) {
        case kPropMode:
            g_value_set_enum(value, static_cast<gint>(config.mode));
            return true;
        case kPropAddress:
            g_value_set_string(value, config.address.host.c_str());
            return true;
        case kPropPort:
            g_value_set_uint(value, config.address.port);
            return true;
        case kPropStream:
            g_value_set_string(value, config.stream.c_str());
            return true;
        case kPropMaxObjectSize:
            g_value_set_uint64(value, config.max_object_size);
            return true;
        case kPropHandshakeTimeout:
            g_value_set_uint64(value, nanoseconds(config.liveness.handshake_timeout));
            return true;
        case kPropPeerTimeout:
            g_value_set_uint64(value, nanoseconds(config.liveness.peer_timeout));
            return true;
        case kPropReconnectMinDelay:
            g_value_set_uint64(value, nanoseconds(config.reconnect.min_delay));
            return true;
        case kPropReconnectMaxDelay:
            g_value_set_uint64(value, nanoseconds(config.reconnect.max_delay));
            return true;
        case kPropReconnectAttempts:
            g_value_set_int(value, static_cast<gint>(config.reconnect.attempts));
            return true;
        case kPropIoEngine:
            g_value_set_enum(value, static_cast<gint>(io_engine));
            return true;
        case kPropBusyPoll:
            g_value_set_uint(value, busy_poll);
            return true;
        default:
            return false;
    }
}

Result<session::LinkConfig> LinkSettings::checked() const {
    if (!uri_error.empty()) return Error{Errc::Invalid, uri_error};
    if (config.address.host.empty())
        return Error{
            Errc::Invalid,
            "No address to work with: set the property `address` or `uri` (hawser://HOST:PORT/STREAM)"};
    if (config.mode == session::Mode::Caller && config.address.port == 0)
        return Error{Errc::Invalid,
                     "Port 0 cannot be connected to: set the port of the peer (port 0 means "
                     "\"any free port\" and is for mode=listener)"};
    if (config.reconnect.min_delay > config.reconnect.max_delay)
        return Error{Errc::Invalid, "reconnect-min-delay is longer than reconnect-max-delay"};
    session::LinkConfig made = config;
    made.agent = "hawser/" HAWSER_VERSION;
    return made;
}

void install_link_properties(GObjectClass* klass, session::Mode default_mode, const char* stats_blurb) {
    const LinkSettings defaults(default_mode);
    const session::LinkConfig& config = defaults.config;
    const auto install = [klass](guint id, GParamSpec* spec) {
        g_object_class_install_property(klass, id, spec);
    };
    const auto duration = [&](guint id, const char* name, const char* title, const char* blurb,
                              Duration value) {
        install(id, g_param_spec_uint64(name, title, blurb, 1, G_MAXINT64,
                                        static_cast<guint64>(value.count()), kUntilReady));
    };
    install(kPropUri, g_param_spec_string("uri", "URI",
                                          "hawser://HOST:PORT/STREAM?key=value, each key a property of this "
                                          "element; sets these and tells them",
                                          "hawser://127.0.0.1:7000/", kUntilReady));
    install(kPropMode,
            g_param_spec_enum("mode", "Mode", "Whether to wait for the peer or to connect to it",
                              hawser_mode_get_type(), static_cast<gint>(default_mode), kUntilReady));
    install(kPropAddress, g_param_spec_string("address", "Address",
                                              "Host name or IP address: of the peer (caller) or to listen on "
                                              "(listener; 0.0.0.0 and :: are all interfaces)",
                                              config.address.host.c_str(), kUntilReady));
    install(kPropPort,
            g_param_spec_uint("port", "Port",
                              "TCP port of the peer (caller) or to listen on (listener; 0: any free "
                              "one, see current-port)",
                              0, 65535, LinkSettings::kDefaultPort, kUntilReady));
    install(kPropCurrentPort,
            g_param_spec_uint("current-port", "Current port",
                              "TCP port that is listened on (0: not listening)", 0, 65535, 0, kReadOnly));
    install(kPropStream, g_param_spec_string("stream", "Stream", "Name of the stream at the peer: a path",
                                             config.stream.c_str(), kUntilReady));
    install(kPropMaxObjectSize, g_param_spec_uint64("max-object-size", "Max. object size",
                                                    "Largest buffer that is sent or accepted, in bytes", 1,
                                                    G_MAXUINT32, config.max_object_size, kUntilReady));
    duration(kPropHandshakeTimeout, "handshake-timeout", "Handshake timeout",
             "Time for the peer to introduce itself on a new connection, and to subscribe, in nanoseconds",
             config.liveness.handshake_timeout);
    duration(kPropPeerTimeout, "peer-timeout", "Peer timeout",
             "Silence after which the peer counts as gone, in nanoseconds (it is asked for a sign of life "
             "every third of it)",
             config.liveness.peer_timeout);
    duration(kPropReconnectMinDelay, "reconnect-min-delay", "Min. reconnect delay",
             "Upper bound of the random delay before the second attempt to connect, in nanoseconds; doubled "
             "with each failure",
             config.reconnect.min_delay);
    duration(kPropReconnectMaxDelay, "reconnect-max-delay", "Max. reconnect delay",
             "Longest delay between two attempts to connect, in nanoseconds", config.reconnect.max_delay);
    install(kPropReconnectAttempts,
            g_param_spec_int("reconnect-attempts", "Reconnect attempts",
                             "How often in a row to try again to connect before giving up with an error "
                             "(-1: never)",
                             -1, G_MAXINT, -1, kUntilReady));
    install(kPropIoEngine,
            g_param_spec_enum("io-engine", "I/O engine", "How sockets are served",
                              hawser_io_engine_get_type(), static_cast<gint>(io::Engine::Auto), kUntilReady));
    install(kPropBusyPoll,
            g_param_spec_uint("busy-poll", "Busy poll",
                              "How long to look for work again and again before sleeping, in microseconds: "
                              "lower latency for more CPU (0: not at all)",
                              0, 1'000'000, 0, kUntilReady));
    install(kPropState, g_param_spec_enum("state", "State", "State of the link", hawser_state_get_type(),
                                          static_cast<gint>(session::State::Idle), kReadOnly));
    install(kPropStats,
            g_param_spec_boxed("stats", "Statistics", stats_blurb, GST_TYPE_STRUCTURE, kReadOnly));
}

}  // namespace hawser::elements
