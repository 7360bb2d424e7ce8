#include "runtime/io/reactor.h"

#include <condition_variable>
#include <mutex>

namespace hawser::io {

std::string Address::text() const {
    const bool bracketed = host.find(':') != std::string::npos;
    return (bracketed ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

void Reactor::run(const std::function<void()>& task) {
    if (in_reactor_thread()) {
        task();
        return;
    }
    std::mutex mutex;
    std::condition_variable cond;
    bool done = false;
    post([&] {
        task();
        // Notified under the lock: the waiter's stack frame, and `cond` with it, goes as soon as it sees
        // `done`.
        const std::lock_guard lock(mutex);
        done = true;
        cond.notify_one();
    });
    std::unique_lock lock(mutex);
    cond.wait(lock, [&] { return done; });
}

}  // namespace hawser::io
