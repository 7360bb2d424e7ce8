// A wish that a reactor spin before it sleeps. Many share a reactor: it spins as long as the longest of those
// wishes says that there are, and not at all once they are gone.
#pragma once

#include <memory>

#include "runtime/io/reactor.h"

namespace hawser::io {

// Any thread.
class BusyPoll {
  public:
    BusyPoll(std::shared_ptr<Reactor> reactor, Duration spin);
    ~BusyPoll();
    BusyPoll(const BusyPoll&) = delete;
    BusyPoll& operator=(const BusyPoll&) = delete;

  private:
    const std::shared_ptr<Reactor> reactor_;
    const Duration spin_;
};

}  // namespace hawser::io
