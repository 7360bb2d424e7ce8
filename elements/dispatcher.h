// Runs what must not run on the reactor's thread: bus messages, signals, upstream events. All of these may
// call into the application, which may block.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

namespace hawser::elements {

// One thread, tasks in the order of post(). start() and stop() by the element's state change; post() by any
// thread.
class Dispatcher {
  public:
    Dispatcher() = default;
    Dispatcher(const Dispatcher&) = delete;
    Dispatcher& operator=(const Dispatcher&) = delete;
    ~Dispatcher() { stop(); }

    void start();
    // Tasks keep alive what they use (an element reference), for one that is stuck in the application may end
    // after stop(). Dropped where the dispatcher is not running.
    void post(std::function<void()> task);
    // Runs what is queued, waits for that at most kPatience, then leaves the thread to end by itself: a task
    // may be waiting for the very thread that changes our state, or be the caller of this.
    void stop();

  private:
    struct Shared;
    std::shared_ptr<Shared> shared_;
    std::thread thread_;
};

}  // namespace hawser::elements
