// The pools of runtime/memory against malloc and what the standard library has.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory_resource>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/memory/slab_pool.h"
#include "runtime/ring/spsc.h"
#include "tests/perf/bench.h"
#include "tests/perf/handoff.h"

namespace hawser::perf {
namespace {

struct Object {
    explicit Object(std::uint64_t number) : first(number), last(number) {}
    std::uint64_t first;
    std::uint64_t between[6];
    std::uint64_t last;
};
static_assert(sizeof(Object) == 64);

template <memory::PoolChecks kChecks>
struct Slabs {
    memory::SlabPool<Object> pool{{.checks = kChecks}};
    Object* create(std::uint64_t number) { return pool.create(number); }
    void destroy(Object* object) { pool.destroy(object); }
};
struct Malloc {
    Object* create(std::uint64_t number) { return ::new (std::malloc(sizeof(Object))) Object(number); }
    void destroy(Object* object) { std::free(object); }
};
struct Pmr {
    std::pmr::synchronized_pool_resource resource;
    Object* create(std::uint64_t number) {
        return ::new (resource.allocate(sizeof(Object), alignof(Object))) Object(number);
    }
    void destroy(Object* object) { resource.deallocate(object, sizeof(Object), alignof(Object)); }
};
struct MutexList {
    std::mutex mutex;
    std::vector<void*> free;
    ~MutexList() {
        for (void* memory : free) std::free(memory);
    }
    Object* create(std::uint64_t number) {
        void* memory = nullptr;
        {
            const std::lock_guard lock(mutex);
            if (!free.empty()) {
                memory = free.back();
                free.pop_back();
            }
        }
        return ::new (memory ? memory : std::malloc(sizeof(Object))) Object(number);
    }
    void destroy(Object* object) {
        const std::lock_guard lock(mutex);
        free.push_back(object);
    }
};

// Each of `threads` makes `batch` objects and destroys them, again and again. Nanoseconds for one of these
// pairs.
template <class Pool>
double pairs_ns(double seconds, unsigned threads, unsigned batch) {
    Pool pool;
    std::atomic<unsigned> ready{0};
    std::atomic<std::uint64_t> total_pairs{0}, total_ns{0}, wrong{0};
    std::vector<std::thread> running;
    for (unsigned t = 0; t < threads; ++t)
        running.emplace_back([&, t] {
            pin_thread(t);
            std::vector<Object*> held(batch);
            const auto round = [&] {
                for (unsigned i = 0; i < batch; ++i) held[i] = pool.create(i);
                for (unsigned i = 0; i < batch; ++i) {
                    wrong.store(wrong.load(std::memory_order_relaxed) + (held[i]->last != i),
                                std::memory_order_relaxed);
                    pool.destroy(held[i]);
                }
            };
            round();
            ready.fetch_add(1);
            while (ready.load() < threads) cpu_relax();
            const std::int64_t begin = now_ns();
            const std::int64_t end = begin + static_cast<std::int64_t>(seconds * 1e9);
            std::int64_t now = begin;
            std::uint64_t pairs = 0;
            while (now < end) {
                for (unsigned i = 0; i < 4096; i += batch) {
                    round();
                    pairs += batch;
                }
                now = now_ns();
            }
            total_pairs += pairs;
            total_ns += static_cast<std::uint64_t>(now - begin);
        });
    for (auto& thread : running) thread.join();
    if (wrong.load() != 0) return -1;
    return static_cast<double>(total_ns.load()) / static_cast<double>(total_pairs.load());
}

// One thread makes them, another destroys them.
template <class Pool>
struct Crossing {
    Pool pool;
    ring::SpscRing<Object*> ring{1024};
    Object* waiting = nullptr;
    ~Crossing() {
        if (waiting) pool.destroy(waiting);
    }
    bool try_push(std::uint64_t number) {
        if (!waiting) waiting = pool.create(number);
        if (!ring.try_push(waiting)) return false;
        waiting = nullptr;
        return true;
    }
    bool try_pop(std::uint64_t& number) {
        Object* object = nullptr;
        if (!ring.try_pop(object)) return false;
        number = object->last;
        pool.destroy(object);
        return true;
    }
};

Sample timed(double ns) {
    return ns < 0 ? Sample::failed("an object was not what was made") : Sample{{"ns", ns}};
}

template <template <class> class Test>
std::vector<Row> rows(const Bench& bench, unsigned threads = 1, unsigned batch = 1) {
    using memory::PoolChecks;
    return {
        {"SlabPool", [=, &bench] { return Test<Slabs<PoolChecks::Off>>::run(bench, threads, batch); }},
        {"SlabPool, with checks",
         [=, &bench] { return Test<Slabs<PoolChecks::On>>::run(bench, threads, batch); }},
        {"malloc", [=, &bench] { return Test<Malloc>::run(bench, threads, batch); }},
        {"pmr::synchronized_pool_resource", [=, &bench] { return Test<Pmr>::run(bench, threads, batch); }},
        {"free list under a mutex", [=, &bench] { return Test<MutexList>::run(bench, threads, batch); }}};
}

template <class Pool>
struct Pairs {
    static Sample run(const Bench& bench, unsigned threads, unsigned batch) {
        return timed(pairs_ns<Pool>(bench.seconds(0.5), threads, batch));
    }
};
template <class Pool>
struct Cross {
    static Sample run(const Bench& bench, unsigned, unsigned) {
        auto crossing = std::make_unique<Crossing<Pool>>();
        return timed(streaming_ns(*crossing, bench.seconds(0.5)));
    }
};

}  // namespace
}  // namespace hawser::perf

int main(int argc, char** argv) {
    using namespace hawser::perf;
    Bench bench("pools", "Pools: making and destroying objects of 64 bytes", argc, argv);
    const auto table = [&](const std::string& title, const std::string& notes = "") -> Table& {
        Table& made = bench.table(title, {{"ns", "ns/object"}}, notes);
        made.ratio("times", "× malloc", "ns", "malloc");
        return made;
    };
    Table& one = table("One thread, one object at a time");
    bench.run(one, rows<Pairs>(bench));
    Table& batch = table("One thread, 200 objects, then all of them destroyed",
                         "More than a magazine: SlabPool goes to its depot.");
    bench.run(batch, rows<Pairs>(bench, 1, 200));
    Table& two = table("Two threads, each 20 objects of its own", "Time of each thread.");
    bench.run(two, rows<Pairs>(bench, 2, 20));
    Table& cross = table("Made by one thread, destroyed by another",
                         "Through an SpscRing of 1024 places, on two CPUs; its time is included.");
    bench.run(cross, rows<Cross>(bench));
    return bench.finish();
}
