#include "elements/dispatcher.h"

#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>

namespace hawser::elements {
namespace {

constexpr auto kPatience = std::chrono::milliseconds(200);

}  // namespace

// Outlives the dispatcher where its thread does.
struct Dispatcher::Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> tasks;  // mutex
    bool stopping = false;                    // mutex
    bool done = false;                        // mutex

    void run() {
        pthread_setname_np(pthread_self(), "hawser-dispatch");
        std::unique_lock lock(mutex);
        for (;;) {
            changed.wait(lock, [this] { return stopping || !tasks.empty(); });
            if (tasks.empty()) break;
            std::function<void()> task = std::move(tasks.front());
            tasks.pop_front();
            lock.unlock();
            task();
            task = nullptr;  // may drop an element's last reference: not under the lock
            lock.lock();
        }
        done = true;
        changed.notify_all();
    }
};

void Dispatcher::start() {
    stop();
    auto shared = std::make_shared<Shared>();
    thread_ = std::thread([shared] { shared->run(); });
    std::atomic_store(&shared_, std::move(shared));
}

void Dispatcher::post(std::function<void()> task) {
    const std::shared_ptr<Shared> shared = std::atomic_load(&shared_);
    if (!shared) return;
    const std::lock_guard lock(shared->mutex);
    if (shared->stopping) return;
    shared->tasks.push_back(std::move(task));
    shared->changed.notify_all();
}

void Dispatcher::stop() {
    const std::shared_ptr<Shared> shared = std::atomic_exchange(&shared_, std::shared_ptr<Shared>());
    if (!shared) return;
    bool done = false;
    {
        std::unique_lock lock(shared->mutex);
        shared->stopping = true;
        shared->changed.notify_all();
        if (thread_.get_id() != std::this_thread::get_id())
            done = shared->changed.wait_for(lock, kPatience, [&] { return shared->done; });
    }
    if (done)
        thread_.join();
    else
        thread_.detach();
}

}  // namespace hawser::elements
