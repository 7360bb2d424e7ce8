// The roles of a benchmark (sender, receiver) as forked processes, and what they cost.
//
// The benchmark's own process must stay without threads and without GStreamer, so that forking is safe; roles
// tell what they found through shared memory.
#pragma once

#include <sys/mman.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <new>
#include <optional>
#include <string>

namespace hawser::perf {

std::int64_t now_ns();  // CLOCK_MONOTONIC, the same in all processes
void sleep_until(std::int64_t ns);
void sleep_for(double seconds);
// Looks at `done` every so many seconds; false where it did not come true in time. Whoever waits while
// something is measured looks seldom: a thousand looks a second are 2 to 5 % of a core.
constexpr double kSoon = 0.001, kSeldom = 0.02;
bool wait_until(double seconds, const std::function<bool()>& done, double every = kSoon);
// CPU time of this process so far, all threads, in seconds.
double own_cpu_seconds();

// A T (atomics and plain data only) that this process and those it forks later all see. Zeroed at first.
template <class T>
class Shared {
  public:
    Shared() {
        void* memory = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw std::bad_alloc();
        value_ = new (memory) T();
    }
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;
    ~Shared() { munmap(value_, sizeof(T)); }
    T& operator*() const { return *value_; }
    T* operator->() const { return value_; }

  private:
    T* value_;
};

// A child process that runs `work` and exits with what it returns. Killed where it is still there at the end;
// the kernel kills it should this process die.
class Role {
  public:
    explicit Role(const std::function<int()>& work);
    Role(const Role&) = delete;
    Role& operator=(const Role&) = delete;
    ~Role();

    pid_t pid() const { return pid_; }
    bool running();
    // Exit code, minus the signal that ended it; nullopt while it still runs after that long.
    std::optional<int> wait(double seconds);
    void signal(int number) const;

    // Of all its threads so far, in seconds; also after it has ended.
    double cpu_seconds() const;
    std::size_t rss() const;            // bytes resident; 0 when it has ended
    std::size_t private_bytes() const;  // bytes resident that it shares with nobody

  private:
    bool reap(bool block);

    pid_t pid_ = -1;
    bool ended_ = false;
    int status_ = 0;
    double final_cpu_ = 0;
};

}  // namespace hawser::perf
