// The properties which hawsersink and hawsersrc have in common: where the peer is and how the link behaves.
#pragma once

#include <gst/gst.h>

#include <set>
#include <string>

#include "runtime/base/result.h"
#include "runtime/session/config.h"

namespace hawser::elements {

// GObject property ids; an element's own begin at kLinkPropertyEnd.
enum LinkProperty : guint {
    kPropUri = 1,
    kPropMode,
    kPropAddress,
    kPropPort,
    kPropCurrentPort,
    kPropStream,
    kPropMaxObjectSize,
    kPropHandshakeTimeout,
    kPropPeerTimeout,
    kPropReconnectMinDelay,
    kPropReconnectMaxDelay,
    kPropReconnectAttempts,
    kPropIoEngine,
    kPropBusyPoll,
    kPropState,
    kPropStats,
    kLinkPropertyEnd,
};

// Their values; the element's object lock protects them.
struct LinkSettings {
    explicit LinkSettings(session::Mode default_mode) {
        config.mode = default_mode;
        config.address = {"127.0.0.1", kDefaultPort};
    }

    session::LinkConfig config;
    io::Engine io_engine = io::Engine::Auto;
    guint busy_poll = 0;             // µs
    std::string uri_error;           // why the last `uri` was refused; start() fails with it
    std::set<std::string> uri_keys;  // properties which the last URI's query set

    static constexpr std::uint16_t kDefaultPort = 7000;

    // False where `id` is none of these. Writing `uri` is the element's business.
    bool set(guint id, const GValue* value);
    bool get(guint id, GValue* value) const;
    // What the session needs, or what is wrong with it.
    Result<session::LinkConfig> checked() const;
};

// `stats_blurb` describes the element's own statistics structure.
void install_link_properties(GObjectClass* klass, session::Mode default_mode, const char* stats_blurb);

inline constexpr auto kReadWrite = static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
inline constexpr auto kReadOnly = static_cast<GParamFlags>(G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
// Read when the element starts, so settable up to READY.
inline constexpr auto kUntilReady =
    static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY);
inline constexpr auto kWhilePlaying =
    static_cast<GParamFlags>(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING);

// Nanoseconds of a property, of which all bits set (GST_CLOCK_TIME_NONE) and what does not fit mean "for
// ever".
Duration to_duration(guint64 nanoseconds);

}  // namespace hawser::elements
