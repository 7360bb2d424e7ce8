// The reactors which the elements of a process share.
#pragma once

#include <memory>

#include "runtime/base/result.h"
#include "runtime/io/epoll_reactor.h"
#include "runtime/io/reactor.h"

namespace hawser::io {

// One reactor a process, engine and index (shards of one publisher take 0, 1, …): started on first use,
// stopped and its thread joined when the last owner lets go of it. The last owner may do so on the reactor's
// own thread, even within a handler, or while it stands in for it: a helper thread then waits for it, not the
// caller. A later call starts a new one. Any thread. Fails where the system has no descriptors or threads
// left (NoResource), or forbids the engine asked for (Denied; never with Auto). Streams, listeners and
// connection attempts must be destroyed before their owner lets go of the reactor.
//
// Auto is the same as naming the engine which it comes to.
Result<std::shared_ptr<Reactor>> shared_reactor(Engine engine = Engine::Auto, unsigned index = 0);

// One of one's own, with a thread. Auto does not fail for want of an engine, and logs why it is not the
// better one.
Result<std::unique_ptr<EpollReactor>> make_reactor(Engine engine);

}  // namespace hawser::io
