#include "runtime/memory/slab_pool.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "runtime/ring/spsc.h"

namespace hawser::memory {
namespace {

struct alignas(32) Thing {
    explicit Thing(int* count) : alive(count) { ++*alive; }
    ~Thing() { --*alive; }
    int* alive;
    std::string text = "a string that is too long to be stored inside of itself";
};

class SlabPoolTest : public testing::TestWithParam<PoolChecks> {
  protected:
    SlabPoolConfig config() const {
        SlabPoolConfig config;
        config.name = "things";
        config.checks = GetParam();
        config.quarantine = 4;
        return config;
    }
    bool checks() const { return GetParam() == PoolChecks::On; }
};
INSTANTIATE_TEST_SUITE_P(Checks, SlabPoolTest, testing::Values(PoolChecks::Off, PoolChecks::On),
                         [](const auto& test) { return test.param == PoolChecks::On ? "On" : "Off"; });

TEST_P(SlabPoolTest, CreatesAlignedAndDestroys) {
    int alive = 0;
    SlabPool<Thing> pool(config());
    std::vector<Thing*> things;
    for (int i = 0; i < 300; ++i) {
        things.push_back(pool.create(&alive));
        ASSERT_TRUE(things.back());
        ASSERT_EQ(reinterpret_cast<std::uintptr_t>(things.back()) % alignof(Thing), 0u);
    }
    EXPECT_EQ(std::set<Thing*>(things.begin(), things.end()).size(), things.size());
    EXPECT_EQ(alive, 300);
    EXPECT_EQ(pool.stats().live, 300u);
    for (Thing* thing : things) pool.destroy(thing);
    pool.destroy(nullptr);
    EXPECT_EQ(alive, 0);
    EXPECT_EQ(pool.stats().live, 0u);
}

TEST_P(SlabPoolTest, ReusesTheWarmOneOrTheOldestInQuarantine) {
    SlabPool<int> pool(config());
    std::vector<int*> first;
    for (int i = 0; i < 5; ++i) first.push_back(pool.create(i));
    for (int* one : first) pool.destroy(one);
    int* again = pool.create(7);
    EXPECT_EQ(again, checks() ? first.front() : first.back());
    pool.destroy(again);
}

TEST_P(SlabPoolTest, KeepsTheBound) {
    int alive = 0;
    SlabPoolConfig bounded = config();
    bounded.max_objects = 2;
    SlabPool<Thing> pool(bounded);
    for (int round = 0; round < 10; ++round) {
        Thing* first = pool.create(&alive);
        auto second = pool.make(&alive);
        ASSERT_TRUE(first && second);
        EXPECT_EQ(pool.create(&alive), nullptr);
        EXPECT_FALSE(pool.make(&alive));
        second.reset();
        EXPECT_TRUE(pool.make(&alive));
        pool.destroy(first);
        EXPECT_EQ(alive, 0);
    }
}

TEST_P(SlabPoolTest, IdleMemoryIsBounded) {
    int alive = 0;
    SlabPoolConfig small = config();
    small.max_idle_bytes = 16 * 1024;
    SlabPool<Thing> pool(small);
    std::vector<Thing*> things(20'000);
    for (Thing*& thing : things) thing = pool.create(&alive);
    EXPECT_GT(pool.stats().slabs, 100u);
    for (Thing* thing : things) pool.destroy(thing);
    const auto stats = pool.stats();
    // The depot's, two magazines of this thread, and the slabs that they are strewn over.
    EXPECT_LE(stats.depot * sizeof(Thing), 16u * 1024);
    EXPECT_LE(stats.cached, 64u);
    EXPECT_LE(stats.slabs, 12u);
    pool.destroy(pool.create(&alive));
}

TEST_P(SlabPoolTest, AnObjectMayDieOnAnotherThread) {
    int alive = 0;
    SlabPool<Thing> pool(config());
    std::vector<Thing*> things;
    for (int i = 0; i < 1000; ++i) things.push_back(pool.create(&alive));
    const auto mine = pool.stats().cached;
    std::thread([&] {
        for (Thing* thing : things) pool.destroy(thing);
    }).join();
    EXPECT_EQ(alive, 0);
    EXPECT_EQ(pool.stats().live, 0u);
    EXPECT_EQ(pool.stats().cached, mine) << "the thread gave its cache back";
}

TEST_P(SlabPoolTest, ThreadsMayOutliveThePool) {
    std::atomic<int> step{0};
    auto pool = std::make_unique<SlabPool<int>>(config());
    std::thread user([&] {
        pool->destroy(pool->create(1));
        step = 1;
        step.notify_all();
        step.wait(1);
    });
    step.wait(0);
    pool.reset();
    SlabPool<int> next(config());  // has the same place in the thread's table
    next.destroy(next.create(2));
    step = 2;
    step.notify_all();
    user.join();
}

TEST_P(SlabPoolTest, WorksWhileAThreadEnds) {
    static SlabPool<int>* pool;
    SlabPool<int> mine(config());
    pool = &mine;
    std::thread([] {
        struct Late {
            ~Late() {
                pool->destroy(last);
                pool->destroy(pool->create(3));
            }
            int* last = nullptr;
        };
        // Made before the thread's cache, so it dies after it.
        thread_local Late late;
        late.last = nullptr;
        late.last = pool->create(1);
    }).join();
    EXPECT_EQ(mine.stats().live, 0u);
}

TEST_P(SlabPoolTest, ManyPoolsOfManySizes) {
    int alive = 0;
    std::vector<std::unique_ptr<SlabPool<Thing>>> pools;
    std::vector<Thing*> things;
    SlabPoolConfig odd = config();
    for (std::size_t i = 0; i < 40; ++i) {
        odd.slab_objects = i;
        odd.magazine = i;
        pools.push_back(std::make_unique<SlabPool<Thing>>(odd));
        for (int n = 0; n < 50; ++n) things.push_back(pools.back()->create(&alive));
    }
    for (std::size_t i = 0; i < things.size(); ++i) pools[i / 50]->destroy(things[i]);
    EXPECT_EQ(alive, 0);
    SlabPool<std::array<char, 200'000>> large(config());
    auto one = large.make();
    (*one)[199'999] = 'x';
}

// Without checks: after the first magazines, a thread goes to the depot for none of its objects.
TEST(SlabPoolCache, TheCommonPathStaysAwayFromTheDepot) {
    SlabPool<int> pool({.checks = PoolChecks::Off});
    std::vector<int*> held;
    for (int i = 0; i < 16; ++i) held.push_back(pool.create(i));
    const auto before = pool.stats().depot_trips;
    for (int i = 0; i < 10'000; ++i) {
        pool.destroy(held[i % 16]);
        held[i % 16] = pool.create(i);
    }
    EXPECT_EQ(pool.stats().depot_trips, before);
    for (int* one : held) pool.destroy(one);
}

TEST(SlabPoolCache, CrossingThreadsCostsATripAMagazine) {
    SlabPool<int> pool({.magazine = 32, .checks = PoolChecks::Off});
    ring::SpscRing<int*> ring(256);
    std::thread freeing([&] {
        for (int i = 0; i < 32'000;) {
            int* one = nullptr;
            if (!ring.try_pop(one)) {
                std::this_thread::yield();
                continue;
            }
            pool.destroy(one);
            ++i;
        }
    });
    for (int i = 0; i < 32'000; ++i) {
        int* one = pool.create(i);
        while (!ring.try_push(one)) std::this_thread::yield();
    }
    freeing.join();
    EXPECT_LE(pool.stats().depot_trips, 2u * 32'000 / 32 + 8);
    EXPECT_LE(pool.stats().slabs, 24u) << "what was freed there was reused here";
}

struct Counted {
    explicit Counted(std::uint64_t stamp) : first(stamp), last(~stamp) {}
    std::uint64_t first;
    std::array<std::uint64_t, 5> between{};
    std::uint64_t last;
};

// Each thread makes objects and hands them to the next one, which looks at them and destroys them.
TEST_P(SlabPoolTest, StressRoundTheThreads) {
    constexpr std::size_t kThreads = 3;
    constexpr std::uint64_t kObjects = 20'000;
    SlabPoolConfig tight = config();
    tight.magazine = 8;
    tight.max_idle_bytes = 2048;
    SlabPool<Counted> pool(tight);
    std::array<std::unique_ptr<ring::SpscRing<Counted*>>, kThreads> rings;
    for (auto& ring : rings) ring = std::make_unique<ring::SpscRing<Counted*>>(64);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kThreads; ++i)
        threads.emplace_back([&, i] {
            auto& out = *rings[i];
            auto& in = *rings[(i + 1) % kThreads];
            std::uint64_t made = 0, seen = 0;
            Counted* waiting = nullptr;
            while (made < kObjects || seen < kObjects) {
                if (!waiting && made < kObjects) waiting = pool.create(made);
                bool moved = false;
                if (waiting && out.try_push(waiting)) {
                    waiting = nullptr;
                    ++made;
                    moved = true;
                }
                Counted* one = nullptr;
                if (in.try_pop(one)) {
                    wrong += one->first != seen || one->last != ~seen;
                    ++seen;
                    pool.destroy(one);
                    moved = true;
                }
                if (!moved) std::this_thread::yield();
            }
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(pool.stats().live, 0u);
}

// --- What the checks find

SlabPoolConfig watched() {
    SlabPoolConfig config;
    config.name = "numbers";
    config.quarantine = 1;
    config.checks = PoolChecks::On;
    return config;
}

TEST(SlabPoolDeathTest, FreeingTwiceAborts) {
    SlabPool<std::uint64_t> pool(watched());
    std::uint64_t* number = pool.create(1u);
    pool.destroy(number);
    EXPECT_DEATH(pool.destroy(number),
                 "pool of numbers \\(8 bytes each\\).*freed twice \\(freed by thread [0-9]+\\)");
}

TEST(SlabPoolDeathTest, FreeingIntoAnotherPoolAborts) {
    SlabPool<std::uint64_t> pool(watched()), other(watched());
    std::uint64_t* number = pool.create(1u);
    EXPECT_DEATH(other.destroy(number), "not of this pool");
    pool.destroy(number);
}

TEST(SlabPoolDeathTest, WritingBehindAnObjectAborts) {
    EXPECT_DEATH(
        {
            SlabPool<std::uint64_t> pool(watched());
            std::uint64_t* number = pool.create(1u);
            number[1] = 0;
            pool.destroy(number);
        },
        "written behind its end|AddressSanitizer");
}

TEST(SlabPoolDeathTest, FreedObjectsArePoisonedAndWritesToThemFound) {
#if defined(__SANITIZE_ADDRESS__)
    const char* found = "use-after-poison";
#else
    const char* found = "written to after it was freed \\(freed by thread";
#endif
    EXPECT_DEATH(
        {
            SlabPool<std::uint64_t> pool(watched());
            std::uint64_t* number = pool.create(7u);
            pool.destroy(number);
            *const_cast<volatile std::uint64_t*>(number) = 8;
            pool.destroy(pool.create(9u));
            pool.destroy(pool.create(9u));
        },
        found);
    // Also where nothing is made any more.
    EXPECT_DEATH(
        {
            SlabPool<std::uint64_t> pool(watched());
            std::uint64_t* number = pool.create(7u);
            pool.destroy(number);
            *const_cast<volatile std::uint64_t*>(number) = 8;
        },
        found);
#if !defined(__SANITIZE_ADDRESS__)
    SlabPool<std::uint64_t> pool(watched());
    std::uint64_t* number = pool.create(7u);
    pool.destroy(number);
    EXPECT_EQ(*const_cast<volatile std::uint64_t*>(number), 0xDDDDDDDDDDDDDDDDu);
#endif
}

TEST(SlabPoolDeathTest, LeavingObjectsBehindAborts) {
    for (const PoolChecks checks : {PoolChecks::Off, PoolChecks::On})
        EXPECT_DEATH(
            {
                SlabPoolConfig config = watched();
                config.checks = checks;
                SlabPool<std::uint64_t> pool(config);
                pool.create(1u);
            },
            "destroyed before its objects \\(1 live\\)");
}

TEST(SlabPoolDeathTest, TheEnvironmentTurnsChecksOn) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");  // a new process: the environment is read once
    setenv("HAWSER_POOL_CHECKS", "1", 1);
    EXPECT_DEATH(
        {
            SlabPool<std::uint64_t> pool;
            std::uint64_t* number = pool.create(1u);
            pool.destroy(number);
            pool.destroy(number);
        },
        "freed twice");
    unsetenv("HAWSER_POOL_CHECKS");
}

}  // namespace
}  // namespace hawser::memory
