// The contract of naps, of standing in for the reactor, and of streams that change hands.
#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "tests/unit/io/contract.h"

namespace hawser::io::test {
namespace {

struct Bell final : Notifiable {
    explicit Bell(Engine& e) : engine(e) {}
    void on_notified() override {
        at = engine.reactor().clock().now();
        if (and_then) and_then();
        ++rung;
        engine.changed();
    }
    Engine& engine;
    TimePoint at;
    std::atomic<int> rung{0};
    std::function<void()> and_then;
};

// --- Naps ---

TEST_P(Contract, LazyNotificationsAreCalledLikeOthersWithoutANap) {
    Bell bell(*engine_);
    reactor().notify_lazily(bell);
    ASSERT_TRUE(wait([&] { return bell.rung == 1; }));
    run([&] { reactor().notify_lazily(bell), reactor().notify_lazily(bell), reactor().notify(bell); });
    ASSERT_TRUE(wait([&] { return bell.rung == 2; }));
}

// From within a call, so that nothing of the test's own makes the nap end.
TEST_P(Contract, LazyNotificationsWaitForTheNapsEnd) {
    Bell lazy(*engine_);
    Bell sleepy(*engine_);
    TimePoint start;
    sleepy.and_then = [&] {
        start = reactor().clock().now();
        reactor().notify_lazily(lazy);
        reactor().nap(20ms);
        reactor().nap(1h);  // the shorter one counts
    };
    reactor().notify(sleepy);
    // Asking would end the nap too.
    if (auto* loopback = dynamic_cast<LoopbackReactor*>(&reactor())) {
        loopback->advance(19ms);
        EXPECT_EQ(lazy.rung, 0);
        loopback->advance(1ms);
        EXPECT_EQ(lazy.rung, 1);
    } else {
        ASSERT_TRUE(engine_->wait_asleep([&] { return lazy.rung == 1; }));
    }
    EXPECT_GE(lazy.at - start, 20ms);
}

TEST_P(Contract, UrgentWorkEndsANap) {
    for (const bool posted : {false, true}) {
        Bell lazy(*engine_);
        Bell sleepy(*engine_);
        sleepy.and_then = [&] {
            reactor().notify_lazily(lazy);
            reactor().nap(1h);
        };
        reactor().notify(sleepy);
        ASSERT_TRUE(engine_->wait_asleep([&] { return sleepy.rung == 1; }));
        EXPECT_EQ(lazy.rung, 0);
        const TimePoint start = reactor().clock().now();
        if (posted) {
            reactor().post([] {});
        } else {
            reactor().notify(lazy);  // made urgent while it waits
        }
        ASSERT_TRUE(engine_->wait_asleep([&] { return lazy.rung == 1; }));
        EXPECT_LT(reactor().clock().now() - start, 30min);
    }
}

TEST_P(Contract, AnEventEndsANap) {
    const auto [caller, accepted] = scene_->pair();
    Bell lazy(*engine_);
    Bell sleepy(*engine_);
    sleepy.and_then = [&, to = caller] {
        to->send("x");
        reactor().notify_lazily(lazy);
        reactor().nap(1h);
    };
    reactor().notify(sleepy);
    const TimePoint start = reactor().clock().now();
    ASSERT_TRUE(engine_->wait_asleep([&] { return lazy.rung == 1; }));
    EXPECT_LT(reactor().clock().now() - start, 30min);
}

// --- Reading in the reactor's place ---

TEST_P(Contract, NothingIsReadableWhileNobodyWatches) {
    const auto [caller, accepted] = scene_->pair();
    run([to = caller, from = accepted] {
        from->stream()->watch_readable(false);
        to->send("x");
    });
    let_pass(20ms);
    EXPECT_EQ(accepted->readable, 0);
    run([from = accepted] { from->stream()->watch_readable(true); });
    ASSERT_TRUE(wait([from = accepted] { return from->received == "x"; }));
    // Writing goes on meanwhile, and the end is heard of afterwards.
    run([to = caller, from = accepted] {
        from->stream()->watch_readable(false);
        from->send("still here");
        to->drop();
    });
    let_pass(20ms);
    EXPECT_FALSE(accepted->over());
    run([from = accepted] { from->stream()->watch_readable(true); });
    ASSERT_TRUE(wait([from = accepted] { return from->over(); }));
}

// --- Many writes ---

TEST_P(Contract, ManyWritesAreTriedOnceEach) {
    const Address at = scene_->listen();
    std::vector<End*> callers;
    for (int i = 0; i < 5; ++i) callers.push_back(scene_->call(at));
    ASSERT_TRUE(wait([&] { return scene_->accepted.size() == 5; }));
    run([&] {
        // The last of them cannot take any more.
        scene_->accepted[4]->reading = false;
        callers[4]->send(pattern(32 << 20));
        ASSERT_GT(callers[4]->blocked, 0);
        std::array<std::string, 5> bytes;
        std::array<std::array<iovec, 2>, 5> parts;
        std::vector<Write> writes;
        for (std::size_t i = 0; i < 5; ++i) {
            bytes[i] = pattern(1000, static_cast<std::uint32_t>(i));
            parts[i] = {{{bytes[i].data(), 10}, {bytes[i].data() + 10, bytes[i].size() - 10}}};
            writes.push_back({callers[i]->stream(), parts[i], {IoResult::Status::Failed, 7, 7}});
        }
        writes[3].parts = {};
        reactor().write_all(writes);
        for (std::size_t i = 0; i < 3; ++i) {
            EXPECT_EQ(writes[i].result.status, IoResult::Status::Done);
            EXPECT_EQ(writes[i].result.bytes, 1000U);
        }
        EXPECT_EQ(writes[3].result.status, IoResult::Status::Done);
        EXPECT_EQ(writes[3].result.bytes, 0U);
        EXPECT_EQ(writes[4].result.status, IoResult::Status::WouldBlock);
        reactor().write_all({});
    });
    ASSERT_TRUE(wait([&] {
        for (std::uint32_t i = 0; i < 3; ++i) {
            // Connections are accepted in any order.
            const auto found = std::find_if(scene_->accepted.begin(), scene_->accepted.end(),
                                            [&](End* end) { return end->received == pattern(1000, i); });
            if (found == scene_->accepted.end()) return false;
        }
        return true;
    }));
    // Who would have blocked hears when it may go on.
    const int before = callers[4]->writable;
    run([&] {
        for (End* end : scene_->accepted) end->reading = true, end->read_all();
    });
    ASSERT_TRUE(wait([&] { return callers[4]->writable > before; }));
}

// Enough of them for one system call; of one part and of several.
TEST_P(Contract, ManyWritesFailOneByOne) {
    const Address at = scene_->listen();
    std::vector<End*> callers;
    for (int i = 0; i < 5; ++i) callers.push_back(scene_->call(at));
    ASSERT_TRUE(wait([&] { return scene_->accepted.size() == callers.size(); }));
    run([&] {
        for (const std::size_t leaver : {0u, 3u}) {
            scene_->accepted[leaver]->stream()->abort_on_close();
            scene_->accepted[leaver]->drop();
        }
    });
    ASSERT_TRUE(
        wait([&] { return std::count_if(callers.begin(), callers.end(), std::mem_fn(&End::over)) == 2; }));
    for (const std::size_t parts_each : {1u, 3u}) {
        run([&] {
            char byte = 'x';
            const std::array<iovec, 3> parts{{{&byte, 1}, {&byte, 1}, {&byte, 1}}};
            std::vector<Write> writes;
            for (End* caller : callers)
                writes.push_back({caller->stream(), std::span(parts).first(parts_each), {}});
            reactor().write_all(writes);
            for (std::size_t i = 0; i < callers.size(); ++i) {
                const IoResult& result = writes[i].result;
                if (callers[i]->over()) {
                    EXPECT_EQ(result.status, IoResult::Status::Failed);
                    EXPECT_TRUE(result.error == EPIPE || result.error == ECONNRESET) << result.error;
                } else {
                    EXPECT_EQ(result.status, IoResult::Status::Done);
                    EXPECT_EQ(result.bytes, parts_each);
                }
            }
        });
    }
    run([&] { EXPECT_EQ(std::count_if(callers.begin(), callers.end(), std::mem_fn(&End::over)), 2); });
    ASSERT_TRUE(wait([&] {
        return std::count_if(scene_->accepted.begin(), scene_->accepted.end(),
                             [](End* end) { return end->received == "xxxx"; }) == 3;
    }));
}

// --- Standing in ---

TEST_P(Contract, NobodyStandsInForItself) {
    run([&] { EXPECT_FALSE(reactor().try_enter()); });
}

// Everything here is unsynchronised but for the turn: a race checker watches.
TEST_P(Contract, ManyThreadsStandIn) {
    if (GetParam() == std::string("Loopback")) GTEST_SKIP() << "it never sleeps";
    constexpr int kThreads = 4;
    constexpr int kEach = 3000;
    const auto [caller, accepted] = scene_->pair();
    accepted->echo = true;
    std::uint64_t state = 0;    // the reactor's
    std::uint64_t entered = 0;  // the same
    std::uint64_t ticks = 0;
    std::uint64_t posts = 0;
    Bell bell(*engine_);
    bell.and_then = [&] { ++state; };
    std::function<void()> tick = [&] {
        ++state, ++ticks;
        reactor().after(1ms, tick);
    };
    run([&] { tick(); });
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&, i, to = caller] {
            for (int n = 0; n < kEach; ++n) {
                if (!reactor().try_enter()) {
                    if (n % 16 == 0) reactor().post([&] { ++state, ++posts; });
                    if (n % 7 == 0) reactor().notify(bell);
                    if (n % 5 == 0) reactor().notify_lazily(bell);
                    std::this_thread::yield();
                    continue;
                }
                EXPECT_TRUE(reactor().in_reactor_thread());
                EXPECT_FALSE(reactor().try_enter());
                ++state, ++entered;
                if (n % 3 == 0) to->send(std::string(1, static_cast<char>('a' + i)));
                if (n % 16 == 0) reactor().post([&] { ++state, ++posts; });
                if (n % 64 == 0) reactor().cancel(reactor().after(1h, [] {}));
                if (n % 32 == 0) reactor().nap(100us);
                reactor().notify(bell);
                reactor().leave();
                EXPECT_FALSE(reactor().in_reactor_thread());
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(wait([&, to = caller] { return to->received.size() == to->outgoing.size(); }));
    run([&] {
        EXPECT_EQ(state, entered + ticks + posts + static_cast<std::uint64_t>(bell.rung));
        EXPECT_GT(entered, 0U);
        tick = [] {};
        reactor().forget(bell);
    });
    let_pass(2ms);
}

}  // namespace
}  // namespace hawser::io::test
