#include "runtime/io/background.h"

#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <map>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

namespace hawser::io {
namespace {

constexpr std::chrono::milliseconds kPatience{500};

// The threads of run_in_background(). Never destroyed, since a thread may outlive everything that is.
struct Helpers {
    std::mutex mutex;
    std::condition_variable ended;
    std::uint64_t next = 0;                        // mutex
    std::map<std::uint64_t, std::thread> running;  // mutex
    std::vector<std::thread> finished;  // mutex; done but for returning: joining them does not block
};

void join_finished(Helpers& helpers) {
    std::vector<std::thread> finished;
    {
        const std::lock_guard lock(helpers.mutex);
        finished.swap(helpers.finished);
    }
    for (std::thread& thread : finished) thread.join();
}

// Joins what ends in time when the process does, so that leak and race checkers see a clean end.
struct AtExit {
    Helpers& helpers;
    ~AtExit() {
        {
            std::unique_lock lock(helpers.mutex);
            helpers.ended.wait_for(lock, kPatience, [this] { return helpers.running.empty(); });
            for (auto& [id, thread] : helpers.running) thread.detach();
            helpers.running.clear();
        }
        join_finished(helpers);
    }
};

Helpers& helpers() {
    static Helpers* const instance = new Helpers;
    static const AtExit at_exit{*instance};
    return *instance;
}

}  // namespace

std::thread start_thread(const char* name, std::function<void()> body) {
    sigset_t blocked;
    sigset_t before;
    sigfillset(&blocked);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF})
        sigdelset(&blocked, fault);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    std::thread thread;
    try {
        thread = std::thread(std::move(body));
        pthread_setname_np(thread.native_handle(), name);
    } catch (const std::system_error&) {
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return thread;
}

bool run_in_background(const char* name, std::function<void()> task) {
    Helpers& all = helpers();
    join_finished(all);
    const std::lock_guard lock(all.mutex);
    const std::uint64_t id = all.next++;
    std::thread thread = start_thread(name, [&all, id, task = std::move(task)]() mutable {
        task();
        task = nullptr;
        const std::lock_guard done(all.mutex);
        if (auto self = all.running.extract(id)) all.finished.push_back(std::move(self.mapped()));
        all.ended.notify_all();
    });
    if (!thread.joinable()) return false;
    all.running.emplace(id, std::move(thread));
    return true;
}

}  // namespace hawser::io
