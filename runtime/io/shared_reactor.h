// The reactor which every element of a process shares.
#pragma once

#include <memory>

#include "runtime/base/result.h"
#include "runtime/io/reactor.h"

namespace hawser::io {

// The process's reactor: started on first use, stopped and its thread joined when the last owner lets go of
// it. The last owner may do so on the reactor's own thread, even within a handler: a helper thread then waits
// for it, not the caller. A later call starts a new one. Any thread. Fails where the system has no
// descriptors or threads left (NoResource). Streams, listeners and connection attempts must be destroyed
// before their owner lets go of the reactor.
Result<std::shared_ptr<Reactor>> shared_reactor();

}  // namespace hawser::io
