// Plain sockets as ends of a link: what the kernel alone costs.
#pragma once

#include "tests/perf/flow.h"

namespace hawser::perf {

struct RawOptions {
    std::size_t batch = 1;  // objects a system call: 1 is send(), more is writev()
    bool no_delay = false;  // TCP_NODELAY
};

// The congestion control that Hawser takes within a machine, for a listener and its connections: with a
// pacing one, which may be the system's, these rows would be slower than the kernel has to be.
void do_not_pace(int listener);
// Listens on `port`, and sends to the first that calls.
int raw_send(int port, const Load& load, const RawOptions& options, Flow& flow);
// `objects`: cuts the stream into objects and looks at each one's stamp; else it counts bytes.
int raw_receive(int port, const Load& load, bool objects, Flow& flow);

}  // namespace hawser::perf
