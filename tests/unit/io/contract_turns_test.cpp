// The contract of timers, and of what crosses threads.
#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "tests/unit/io/contract.h"

namespace hawser::io::test {
namespace {

using testing::ElementsAre;

// --- Timers ---

TEST_P(Contract, TimersRunInOrderAndNeverEarly) {
    std::vector<int> ran;
    bool early = false;
    run([&] {
        const TimePoint start = reactor().clock().now();
        for (const int ms : {30, 10, 0, 20, 10}) {
            reactor().after(std::chrono::milliseconds(ms), [&, ms, start] {
                ran.push_back(ms);
                early = early || reactor().clock().now() < start + std::chrono::milliseconds(ms);
                engine_->changed();
            });
        }
        EXPECT_TRUE(ran.empty()) << "a timer ran from within after()";
    });
    ASSERT_TRUE(wait([&] { return ran.size() == 5; }));
    EXPECT_THAT(ran, ElementsAre(0, 10, 10, 20, 30));
    EXPECT_FALSE(early);
}

TEST_P(Contract, ATimerForEverDoesNotRunAtOnce) {
    bool ran = false, waited = false;
    TimerId never = 0;
    run([&] {
        never = reactor().after(Duration::max(), [&] { ran = true; });
        reactor().after(5ms, [&] {
            waited = true;
            engine_->changed();
        });
    });
    ASSERT_TRUE(wait([&] { return waited; }));
    EXPECT_FALSE(ran);
    run([&] { reactor().cancel(never); });
}

TEST_P(Contract, CancelledTimersDoNotRun) {
    std::vector<int> ran;
    TimerId second = 0;
    run([&] {
        const TimerId never = reactor().after(1ms, [&] { ran.push_back(0); });
        EXPECT_NE(never, 0U);
        reactor().cancel(never);
        reactor().cancel(never);
        reactor().cancel(0);
        reactor().after(2ms, [&] {
            ran.push_back(1);
            reactor().cancel(second);
        });
        second = reactor().after(2ms, [&] { ran.push_back(2); });
        reactor().after(10ms, [&] {
            ran.push_back(3);
            engine_->changed();
        });
    });
    ASSERT_TRUE(wait([&] { return !ran.empty() && ran.back() == 3; }));
    EXPECT_THAT(ran, ElementsAre(1, 3));
}

TEST_P(Contract, ATimerMayCancelItselfAndStartTheNext) {
    int ran = 0;
    TimerId timer = 0;
    std::function<void()> tick = [&] {
        reactor().cancel(timer);
        if (++ran < 5) timer = reactor().after(1ms, tick);
        engine_->changed();
    };
    run([&] { timer = reactor().after(1ms, tick); });
    ASSERT_TRUE(wait([&] { return ran == 5; }));
}

// --- Crossing threads ---

TEST_P(Contract, PostedTasksKeepTheirOrder) {
    std::vector<int> ran;
    for (int i = 0; i < 1000; ++i) {
        reactor().post([&, i] {
            EXPECT_TRUE(reactor().in_reactor_thread());
            ran.push_back(i);
            if (i == 999) reactor().post([&] { ran.push_back(1000), engine_->changed(); });
        });
    }
    ASSERT_TRUE(wait([&] { return ran.size() == 1001; }));
    EXPECT_TRUE(std::is_sorted(ran.begin(), ran.end()));
}

struct Bell final : Notifiable {
    explicit Bell(Engine& e) : engine(e) {}
    void on_notified() override {
        ++rung;
        const std::uint64_t now = work.load();
        EXPECT_GE(now, seen);
        seen = now;
        if (and_then) and_then();
        engine.changed();
    }
    Engine& engine;
    std::atomic<std::uint64_t> work{0};
    std::uint64_t seen = 0;
    int rung = 0;
    std::function<void()> and_then;
};

TEST_P(Contract, ManyNotificationsAreOneCall) {
    Bell bell(*engine_);
    Bell other(*engine_);
    run([&] {
        for (int i = 0; i < 10; ++i) reactor().notify(bell);
        reactor().notify(other);
        EXPECT_EQ(bell.rung, 0) << "called from within notify()";
    });
    ASSERT_TRUE(wait([&] { return other.rung > 0; }));
    EXPECT_EQ(bell.rung, 1);
}

TEST_P(Contract, WhatIsNotifiedDuringItsCallIsCalledAgain) {
    Bell bell(*engine_);
    bell.and_then = [&] {
        if (bell.rung < 3) reactor().notify(bell);
    };
    reactor().notify(bell);
    ASSERT_TRUE(wait([&] { return bell.rung == 3; }));
}

TEST_P(Contract, TheForgottenAreNotCalled) {
    std::array<std::unique_ptr<Bell>, 5> bells;
    for (auto& bell : bells) bell = std::make_unique<Bell>(*engine_);
    run([&] {
        // The first one called destroys all others: those behind it in the queue, and one announced again.
        for (auto& bell : bells) {
            bell->and_then = [&bells, this, self = bell.get()] {
                for (auto& one : bells) {
                    if (one == nullptr || one.get() == self) continue;
                    reactor().notify(*one);
                    reactor().forget(*one);
                    one.reset();
                }
            };
            reactor().notify(*bell);
        }
    });
    Bell last(*engine_);
    reactor().notify(last);
    ASSERT_TRUE(wait([&] { return last.rung == 1; }));
    EXPECT_NE(bells[0], nullptr);
    EXPECT_EQ(bells[0]->rung, 1);
    EXPECT_EQ(bells[1], nullptr);
    // One that waits for nothing can be forgotten, and comes back when it is notified again.
    run([&] {
        reactor().forget(*bells[0]);
        reactor().notify(*bells[0]);
    });
    ASSERT_TRUE(wait([&] { return bells[0]->rung == 2; }));
}

TEST_P(Contract, FourThreadsPostAndNotify) {
    constexpr int kThreads = 4;
    constexpr std::uint64_t kEach = 5000;
    Bell bell(*engine_);
    std::uint64_t posted = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&] {
            for (std::uint64_t n = 0; n < kEach; ++n) {
                bell.work.fetch_add(1);
                reactor().notify(bell);
                if (n % 10 == 0) reactor().post([&] { ++posted, engine_->changed(); });
            }
        });
    }
    // Loopback has no thread of its own; its time does not pass while the others work.
    if (auto* loopback = dynamic_cast<LoopbackReactor*>(&reactor())) {
        while (bell.seen < kThreads * kEach) loopback->run_until_idle();
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(wait([&] { return bell.seen == kThreads * kEach && posted == kThreads * kEach / 10; }));
    run([&] { reactor().forget(bell); });
}

}  // namespace
}  // namespace hawser::io::test
