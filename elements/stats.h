// The `stats` structures. Units as in docs/elements: bytes, objects, nanoseconds.
#pragma once

#include <gst/gst.h>

#include "elements/gst_ptr.h"
#include "runtime/session/publisher.h"
#include "runtime/session/subscriber.h"

namespace hawser::elements {

// "overrun", "slow-client", "deadline", …
const char* nick(wire::GapReason reason);

// What the element counts beside its session.
struct CodecStats {
    std::uint64_t unknown_metas = 0;   // metas of known buffers that could not travel
    std::uint64_t skipped_events = 0;  // events that could not travel
};

StructurePtr to_structure(const session::PublisherStats& stats, const CodecStats& codec);
StructurePtr to_structure(const session::SubscriberStats& stats);

}  // namespace hawser::elements
