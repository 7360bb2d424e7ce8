// Name resolution off the reactor's thread: getaddrinfo() may take as long as the name servers like, and
// cannot be stopped.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/base/result.h"
#include "runtime/io/tcp.h"

namespace hawser::io {

// One name being resolved, shared by who asked and the helper thread.
class Resolution {
  public:
    using Done = std::function<void(Result<std::vector<SocketAddress>>)>;

    explicit Resolution(Done done) : done_(std::move(done)) {}

    // After this returns, `done` will not be called and what it holds is gone. Waits for no resolving, but
    // for a call of `done` under way. Any thread, but not from within `done`.
    void cancel();
    bool cancelled();
    void finish(Result<std::vector<SocketAddress>> result);

  private:
    std::mutex mutex_;
    Done done_;  // mutex_
};

// Resolves on one of a few helper threads, which exist while there is something to resolve. `done` is called
// on such a thread, once at most: it must be short and must not throw. Fails (NoResource, through `done`)
// where no thread can be had.
std::shared_ptr<Resolution> resolve_in_background(const Address& address, Resolution::Done done);

}  // namespace hawser::io
