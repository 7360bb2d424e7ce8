#include "tests/perf/process.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace hawser::perf {
namespace {

double seconds_of(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double seconds_of(const timespec& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// The sum of the fields of /proc/PID/smaps_rollup whose names begin with `name`, in bytes.
std::size_t smaps_sum(pid_t pid, const std::string& name) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    std::size_t sum = 0;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(name)) sum += std::stoul(line.substr(line.find(':') + 1)) * 1024;
    }
    return sum;
}

}  // namespace

std::int64_t now_ns() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

void sleep_until(std::int64_t ns) {
    const timespec time{ns / 1'000'000'000, ns % 1'000'000'000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr) == EINTR) {
    }
}

void sleep_for(double seconds) {
    sleep_until(now_ns() + static_cast<std::int64_t>(seconds * 1e9));
}

bool wait_until(double seconds, const std::function<bool()>& done, double every) {
    const std::int64_t end = now_ns() + static_cast<std::int64_t>(seconds * 1e9);
    while (!done()) {
        if (now_ns() > end) return false;
        sleep_for(every);
    }
    return true;
}

double own_cpu_seconds() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return seconds_of(time);
}

Role::Role(const std::function<int()>& work) {
    std::fflush(nullptr);
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ < 0) throw std::runtime_error("cannot fork");
    if (pid_ > 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    ::signal(SIGPIPE, SIG_IGN);
    const int code = work();
    std::fflush(nullptr);
    _exit(code);
}

Role::~Role() {
    if (ended_) return;
    kill(pid_, SIGKILL);
    reap(true);
}

bool Role::reap(bool block) {
    if (ended_) return true;
    rusage usage{};
    int status = 0;
    pid_t got;
    do {
        got = wait4(pid_, &status, block ? 0 : WNOHANG, &usage);
    } while (got < 0 && errno == EINTR);
    if (got != pid_) return false;
    ended_ = true;
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    final_cpu_ = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
    return true;
}

bool Role::running() {
    return !reap(false);
}

std::optional<int> Role::wait(double seconds) {
    if (!wait_until(seconds, [this] { return reap(false); })) return std::nullopt;
    return status_;
}

void Role::signal(int number) const {
    if (!ended_) kill(pid_, number);
}

double Role::cpu_seconds() const {
    if (ended_) return final_cpu_;
    clockid_t clock;
    timespec time{};
    if (clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
    return seconds_of(time);
}

std::size_t Role::rss() const {
    return ended_ ? 0 : smaps_sum(pid_, "Rss:");
}

std::size_t Role::private_bytes() const {
    return ended_ ? 0 : smaps_sum(pid_, "Private_");
}

}  // namespace hawser::perf
