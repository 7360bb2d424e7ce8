// The queues of runtime/ring against Boost.Lockfree's and a mutex.
#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>

#include <time.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <deque>
#include <mutex>

#include "runtime/memory/segment_pool.h"
#include "runtime/ring/history.h"
#include "runtime/ring/mpmc.h"
#include "runtime/ring/mpsc.h"
#include "runtime/ring/spsc.h"
#include "runtime/ring/spsc_queue.h"
#include "tests/perf/bench.h"
#include "tests/perf/handoff.h"

namespace hawser::perf {
namespace {

constexpr std::size_t kCapacity = 1024;

struct Spsc : ring::SpscRing<std::uint64_t> {
    Spsc() : SpscRing(kCapacity) {}
};
struct Mpmc : ring::MpmcRing<std::uint64_t> {
    Mpmc() : MpmcRing(kCapacity) {}
};
struct SleepingSpsc : ring::SpscQueue<std::uint64_t> {
    SleepingSpsc() : SpscQueue(kCapacity) {}
    bool try_push(std::uint64_t number) { return SpscQueue::try_push(std::move(number)); }
};
// The unbounded ones count what is in them only roughly, so that they do not fill the machine.
struct Mpsc {
    ring::MpscQueue<std::uint64_t> queue;
    bool try_push(std::uint64_t number) {
        queue.push(number);
        return true;
    }
    bool try_pop(std::uint64_t& number) {
        const auto item = queue.try_pop();
        if (item) number = *item;
        return item.has_value();
    }
};
struct BoostSpsc : boost::lockfree::spsc_queue<std::uint64_t> {
    BoostSpsc() : spsc_queue(kCapacity) {}
    bool try_push(std::uint64_t number) { return push(number); }
    bool try_pop(std::uint64_t& number) { return pop(number); }
};
struct BoostQueue : boost::lockfree::queue<std::uint64_t, boost::lockfree::capacity<kCapacity>> {
    bool try_push(std::uint64_t number) { return bounded_push(number); }
    bool try_pop(std::uint64_t& number) { return pop(number); }
};
struct BoostUnbounded : boost::lockfree::queue<std::uint64_t> {
    BoostUnbounded() : queue(kCapacity) {}
    bool try_push(std::uint64_t number) { return push(number); }
    bool try_pop(std::uint64_t& number) { return pop(number); }
};
struct MutexQueue {
    std::mutex mutex;
    std::condition_variable filled;
    std::deque<std::uint64_t> items;
    std::size_t bound = kCapacity;

    bool try_push(std::uint64_t number) {
        {
            const std::lock_guard lock(mutex);
            if (items.size() >= bound) return false;
            items.push_back(number);
        }
        filled.notify_one();
        return true;
    }
    bool try_pop(std::uint64_t& number) {
        const std::lock_guard lock(mutex);
        if (items.empty()) return false;
        number = items.front();
        items.pop_front();
        return true;
    }
    void pop(std::uint64_t& number) {
        std::unique_lock lock(mutex);
        filled.wait(lock, [this] { return !items.empty(); });
        number = items.front();
        items.pop_front();
    }
};

Sample timed(double ns) {
    return ns < 0 ? Sample::failed("what came out is not what went in") : Sample{{"ns", ns}};
}

template <class Channel>
Row streaming(const Bench& bench, const std::string& name, unsigned producers = 1, unsigned consumers = 1) {
    return {name, [&bench, producers, consumers] {
                auto channel = std::make_unique<Channel>();
                return timed(streaming_ns(*channel, bench.seconds(0.5), producers, consumers));
            }};
}

template <class Channel, class Pop>
Row ping_pong(const Bench& bench, const std::string& name, const Pop& pop) {
    return {name, [&bench, pop] {
                auto there = std::make_unique<Channel>(), back = std::make_unique<Channel>();
                return timed(round_trip_ns(*there, *back, bench.seconds(0.5), pop));
            }};
}

constexpr auto kSpinning = [](auto& channel, std::uint64_t& number) {
    Spin spin;
    while (!channel.try_pop(number)) spin.again();
};

// A producer that has a number ready every `interval` seconds and a consumer that sleeps meanwhile, if it
// likes.
template <class Queue>
Sample paced(double seconds, double interval) {
    Queue queue;
    std::vector<double> late;
    double consumer_cpu = 0;
    std::thread consumer([&] {
        pin_thread(1);
        for (;;) {
            std::uint64_t sent = 0;
            queue.pop(sent);
            if (sent == 0) break;
            late.push_back(static_cast<double>(now_ns()) - static_cast<double>(sent));
        }
        timespec time{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        consumer_cpu = static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
    });
    double pushing = 0;
    std::uint64_t pushed = 0;
    std::thread producer([&] {
        pin_thread(0);
        const std::int64_t begin = now_ns();
        const std::int64_t end = begin + static_cast<std::int64_t>(seconds * 1e9);
        for (std::int64_t now = begin; now < end;) {
            const std::int64_t due =
                begin + static_cast<std::int64_t>(static_cast<double>(pushed + 1) * interval * 1e9);
            while ((now = now_ns()) < due) cpu_relax();
            const std::int64_t before = now;
            while (!queue.try_push(static_cast<std::uint64_t>(before))) std::this_thread::yield();
            pushing += static_cast<double>(now_ns() - before);
            ++pushed;
        }
        while (!queue.try_push(0)) std::this_thread::yield();
    });
    producer.join();
    consumer.join();
    if (late.size() != pushed || pushed == 0) return Sample::failed("what came out is not what went in");
    const auto middle = late.begin() + static_cast<std::ptrdiff_t>(late.size() / 2);
    std::nth_element(late.begin(), middle, late.end());
    const auto count = static_cast<double>(pushed);
    return {{"late", *middle / 1e3}, {"push", pushing / count / 1e3}, {"cpu", consumer_cpu / count / 1e3}};
}

// One thread appends entries of 64 bytes to a full ring; another, if any, takes turns that look at the
// newest.
Sample history(double seconds, unsigned readers, double turn) {
    memory::SegmentPool pool;
    memory::SegmentWriter writer(pool);
    ring::HistoryRing ring({1 << 20, std::chrono::seconds(30), 16384});
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> turns{0};
    std::vector<std::thread> reading;
    for (unsigned i = 0; i < readers; ++i)
        reading.emplace_back([&, i] {
            pin_thread(i + 1);
            std::uint64_t at = 0, bytes = 0, done = 0;
            while (!stop.load(std::memory_order_relaxed)) {
                const ring::HistoryRing::ReadScope scope(ring, i);
                for (at = std::max(at, scope.tail()); at < scope.head(); ++at) bytes += scope[at].bytes();
                ++done;
                const std::int64_t next = now_ns() + static_cast<std::int64_t>(turn * 1e9);
                while (now_ns() < next) cpu_relax();
            }
            turns += done + (bytes == 1);
        });
    double ns = -1;
    std::thread([&] {
        pin_thread(0);
        std::uint64_t appended = 0;
        const std::int64_t begin = now_ns();
        const std::int64_t end = begin + static_cast<std::int64_t>(seconds * 1e9);
        std::int64_t now = begin;
        while (now < end) {
            for (unsigned i = 0; i < 256; ++i) {
                auto space = writer.allocate(64);
                if (!space) return;
                std::memset(space.bytes.data(), 0, 64);
                ring::HistoryEntry entry;
                entry.head = space.bytes;
                entry.segment = std::move(space.segment);
                entry.object = entry.group_start = true;
                ring.append(std::move(entry));
            }
            appended += 256;
            now = now_ns();
        }
        ns = static_cast<double>(now - begin) / static_cast<double>(appended);
    }).join();
    stop = true;
    for (auto& thread : reading) thread.join();
    return ns < 0 ? Sample::failed("the pool is exhausted") : Sample{{"ns", ns}};
}

}  // namespace
}  // namespace hawser::perf

int main(int argc, char** argv) {
    using namespace hawser::perf;
    Bench bench("rings", "Rings: numbers handed from thread to thread", argc, argv);

    Table& stream = bench.table(
        "One producer, one consumer, as fast as they can", {{"ns", "ns/op"}},
        "Each thread on a CPU of its own, 1024 places; whoever finds the queue full or empty spins.");
    stream.ratio("times", "× mutex queue", "ns", "mutex queue");
    stream.at_most("SpscRing", "ns", 10);
    bench.run(stream,
              {streaming<Spsc>(bench, "SpscRing"), streaming<BoostSpsc>(bench, "boost spsc_queue"),
               streaming<SleepingSpsc>(bench, "SpscQueue (can sleep)"), streaming<Mpmc>(bench, "MpmcRing"),
               streaming<BoostQueue>(bench, "boost queue, bounded"),
               streaming<Mpsc>(bench, "MpscQueue (unbounded)"),
               streaming<BoostUnbounded>(bench, "boost queue, unbounded"),
               streaming<MutexQueue>(bench, "mutex queue")});

    Table& trip =
        bench.table("There and back, one number under way", {{"ns", "ns/round trip"}},
                    "Spinning: neither thread ever sleeps. Sleeping: each waits as the queue is meant to be "
                    "waited for, and has to be woken.");
    trip.ratio("times", "× mutex queue", "ns", "mutex queue, sleeping");
    trip.at_most("SpscRing, spinning", "ns", 560);
    bench.run(trip, {ping_pong<Spsc>(bench, "SpscRing, spinning", kSpinning),
                     ping_pong<BoostSpsc>(bench, "boost spsc_queue, spinning", kSpinning),
                     ping_pong<Mpmc>(bench, "MpmcRing, spinning", kSpinning),
                     ping_pong<Mpsc>(bench, "MpscQueue, spinning", kSpinning),
                     ping_pong<BoostQueue>(bench, "boost queue, spinning", kSpinning),
                     ping_pong<MutexQueue>(bench, "mutex queue, spinning", kSpinning),
                     ping_pong<SleepingSpsc>(bench, "SpscQueue, sleeping",
                                             [](auto& queue, std::uint64_t& number) { queue.pop(number); }),
                     ping_pong<MutexQueue>(bench, "mutex queue, sleeping",
                                           [](auto& queue, std::uint64_t& number) { queue.pop(number); })});

    Table& sleepy = bench.table(
        "A number every so often, to a consumer that may sleep",
        {{"late", "arrives after µs (p50)"}, {"push", "µs/push"}, {"cpu", "consumer's CPU, µs/number"}},
        "The push is what a streaming thread pays, the wake-up included.");
    std::vector<Row> every;
    for (const double us : {0.5, 2.0, 10.0, 50.0, 1000.0}) {
        char text[64];
        std::snprintf(text, sizeof text, "%g µs, ", us);
        every.push_back({text + std::string("SpscQueue"),
                         [&bench, us] { return paced<SleepingSpsc>(bench.seconds(0.3), us / 1e6); }});
        every.push_back({text + std::string("mutex queue"),
                         [&bench, us] { return paced<MutexQueue>(bench.seconds(0.3), us / 1e6); }});
    }
    bench.run(sleepy, every);

    Table& many = bench.table("Two producers, one consumer", {{"ns", "ns/op"}},
                              "Three threads, so on two CPUs a producer shares one with the consumer.");
    many.ratio("times", "× mutex queue", "ns", "mutex queue");
    bench.run(many,
              {streaming<Mpsc>(bench, "MpscQueue (unbounded)", 2),
               streaming<BoostUnbounded>(bench, "boost queue, unbounded", 2),
               streaming<Mpmc>(bench, "MpmcRing", 2), streaming<BoostQueue>(bench, "boost queue, bounded", 2),
               streaming<MutexQueue>(bench, "mutex queue", 2)});

    Table& both = bench.table("Two producers, two consumers", {{"ns", "ns/op"}});
    both.ratio("times", "× mutex queue", "ns", "mutex queue");
    bench.run(both, {streaming<Mpmc>(bench, "MpmcRing", 2, 2),
                     streaming<BoostQueue>(bench, "boost queue, bounded", 2, 2),
                     streaming<MutexQueue>(bench, "mutex queue", 2, 2)});

    Table& past = bench.table("History of a track: appending 64 bytes to a full ring", {{"ns", "ns/append"}},
                              "With the copy into a segment.");
    bench.run(past,
              {{"nobody reads", [&] { return history(bench.seconds(0.5), 0, 0); }},
               {"a reader that looks all the time", [&] { return history(bench.seconds(0.5), 1, 0); }},
               {"a reader that looks each 20 µs", [&] { return history(bench.seconds(0.5), 1, 20e-6); }}});
    return bench.finish();
}
