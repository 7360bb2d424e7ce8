// A small epoll loop for the supervisor: descriptors with callbacks, nothing else. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "runtime/base/clock.h"
#include "runtime/base/fd.h"

namespace hawser::control {

class EventLoop {
  public:
    // `events` are epoll's (EPOLLIN …).
    using Callback = std::function<void(std::uint32_t events)>;

    EventLoop();

    // The descriptor stays the caller's, who removes it before closing it. Level-triggered.
    void add(int fd, std::uint32_t events, Callback callback);
    void change(int fd, std::uint32_t events);
    // Its callback runs no more, not even for an event that was fetched already. Allowed within any callback.
    void remove(int fd);

    // Waits for events, at most `timeout` (negative: 0), and runs their callbacks.
    void run_once(Duration timeout);

  private:
    Fd epoll_;
    std::map<int, std::shared_ptr<Callback>> callbacks_;  // shared: a callback may remove itself
};

}  // namespace hawser::control
