// GStreamer's ends of a link: the same source and the same sink for every pair of elements that is compared.
//
// The source is a bare src pad (no element) that a thread pushes through. Small objects are allocated one by
// one, as payloaders, parsers and encoders do; those of 16 kB and more come from an unbounded GstBufferPool,
// as a decoder's frames do, each written once when it is allocated. Of each object only the first 16 bytes
// are written, a Stamp. The sink is a bare sink pad, which looks at the stamp and lets go. So what is
// measured is the transport, and GStreamer's own cost of a buffer.
#pragma once

#include <string>

#include "tests/perf/flow.h"

namespace hawser::perf {

// `description`: as in gst-launch; the element whose sink pad (or request pad) is fed is named "in", the last
// one "sink"; where there is but one, it is "sink". The sender waits for a receiver if "sink" can tell
// (num-clients, num-handles).
int gst_send(const std::string& description, const Load& load, Flow& flow);

// The last element, named "out", has a src pad, or gets one. `objects` false: what arrives is cut anyhow, and
// only bytes are counted.
int gst_receive(const std::string& description, const Load& load, bool objects, Flow& flow);

// Source and sink without anything between them: what GStreamer itself costs.
int gst_nothing_between(const Load& load, Flow& flow);

// Asked in a child process, so that this one stays without GStreamer.
bool have_element(const std::string& name);
bool have_property(const std::string& element, const std::string& property);

}  // namespace hawser::perf
