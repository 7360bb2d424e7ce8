// Threads that hand numbers to each other through a queue, timed. A Channel has try_push(std::uint64_t) and
// try_pop(std::uint64_t&), both false where they cannot; whoever cannot go on spins, and yields where it
// spins long.
#pragma once

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "runtime/base/fence.h"
#include "tests/perf/process.h"

namespace hawser::perf {

// To one of the CPUs that this process may use, round robin.
inline void pin_thread(unsigned index) {
    static const std::vector<int> allowed = [] {
        std::vector<int> found;
        cpu_set_t set;
        CPU_ZERO(&set);
        sched_getaffinity(0, sizeof set, &set);
        for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
            if (CPU_ISSET(cpu, &set)) found.push_back(cpu);
        return found;
    }();
    if (allowed.empty()) return;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(allowed[index % allowed.size()]), &one);
    pthread_setaffinity_np(pthread_self(), sizeof one, &one);
}

class Spin {
  public:
    void again() {
        if (++times_ % 1024 == 0) std::this_thread::yield();
        cpu_relax();
    }

  private:
    unsigned times_ = 0;
};

// Nanoseconds for each number that `producers` threads push and `consumers` threads pop, for `seconds`; below
// 0 where what was popped is not what was pushed.
template <class Channel>
double streaming_ns(Channel& channel, double seconds, unsigned producers = 1, unsigned consumers = 1) {
    std::atomic<unsigned> ready{0};
    std::atomic<bool> stop{false};
    std::atomic<unsigned> producing{producers};
    std::atomic<std::uint64_t> pushed{0}, popped{0}, sum_in{0}, sum_out{0};
    const unsigned threads = producers + consumers;
    const auto start = [&](unsigned index) {
        pin_thread(index);
        ready.fetch_add(1);
        while (ready.load() < threads + 1) std::this_thread::yield();
    };
    std::vector<std::thread> running;
    for (unsigned p = 0; p < producers; ++p)
        running.emplace_back([&, p] {
            start(p);
            std::uint64_t count = 0, sum = 0;
            while (!stop.load(std::memory_order_relaxed)) {
                for (unsigned i = 0; i < 256; ++i) {
                    ++count;
                    sum += count;
                    Spin spin;
                    while (!channel.try_push(count)) spin.again();
                }
            }
            pushed += count;
            sum_in += sum;
            --producing;
        });
    for (unsigned c = 0; c < consumers; ++c)
        running.emplace_back([&, c] {
            start(producers + c);
            std::uint64_t count = 0, sum = 0, number = 0;
            Spin spin;
            for (;;) {
                if (channel.try_pop(number)) {
                    ++count;
                    sum += number;
                    continue;
                }
                if (producing.load() == 0) {
                    while (channel.try_pop(number)) {
                        ++count;
                        sum += number;
                    }
                    break;
                }
                spin.again();
            }
            popped += count;
            sum_out += sum;
        });
    while (ready.load() < threads) std::this_thread::yield();
    const std::int64_t begin = now_ns();
    ready.fetch_add(1);
    sleep_for(seconds);
    stop.store(true);
    for (auto& thread : running) thread.join();
    const auto elapsed = static_cast<double>(now_ns() - begin);
    if (pushed.load() != popped.load() || sum_in.load() != sum_out.load()) return -1;
    return elapsed / static_cast<double>(popped.load());
}

// Nanoseconds for a number that goes to another thread and comes back. pop(channel, number) waits until there
// is one, as the channel is meant to be waited for.
template <class Channel, class Pop>
double round_trip_ns(Channel& there, Channel& back, double seconds, const Pop& pop) {
    std::atomic<bool> ready{false};
    std::thread other([&] {
        pin_thread(1);
        ready.store(true);
        for (;;) {
            std::uint64_t number = 0;
            pop(there, number);
            while (!back.try_push(number)) std::this_thread::yield();
            if (number == 0) return;
        }
    });
    double result = 0;
    std::thread one([&] {
        pin_thread(0);
        while (!ready.load()) std::this_thread::yield();
        const auto trip = [&](std::uint64_t number) {
            while (!there.try_push(number)) std::this_thread::yield();
            pop(back, number);
        };
        for (unsigned i = 1; i <= 100; ++i) trip(i);
        const std::int64_t begin = now_ns();
        const std::int64_t end = begin + static_cast<std::int64_t>(seconds * 1e9);
        std::int64_t now = begin;
        std::uint64_t trips = 0;
        while (now < end) {
            for (unsigned i = 1; i <= 64; ++i) trip(i);
            trips += 64;
            now = now_ns();
        }
        result = static_cast<double>(now - begin) / static_cast<double>(trips);
        trip(0);
    });
    one.join();
    other.join();
    return result;
}

}  // namespace hawser::perf
