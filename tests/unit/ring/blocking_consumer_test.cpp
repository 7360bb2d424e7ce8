#include "runtime/ring/blocking_consumer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>

#include "runtime/ring/spsc_queue.h"

namespace hawser::ring {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(BlockingConsumerTest, ReadyAtOnce) {
    BlockingConsumer consumer;
    EXPECT_EQ(consumer.wait([] { return true; }), WaitResult::Ready);
}

TEST(BlockingConsumerTest, UnlockedBeatsReadyUntilUnlockStop) {
    BlockingConsumer consumer;
    consumer.unlock();
    EXPECT_TRUE(consumer.unlocked());
    EXPECT_EQ(consumer.wait([] { return true; }), WaitResult::Unlocked);
    EXPECT_EQ(consumer.wait([] { return true; }), WaitResult::Unlocked);
    consumer.unlock_stop();
    EXPECT_EQ(consumer.wait([] { return true; }), WaitResult::Ready);
}

TEST(BlockingConsumerTest, TimesOutAndStillWorksAfterwards) {
    BlockingConsumer consumer;
    EXPECT_EQ(consumer.wait([] { return false; }, milliseconds(0)), WaitResult::TimedOut);
    EXPECT_EQ(consumer.wait([] { return false; }, milliseconds(-5)), WaitResult::TimedOut);
    const TimePoint start = SteadyClock::instance().now();
    EXPECT_EQ(consumer.wait([] { return false; }, milliseconds(5)), WaitResult::TimedOut);
    EXPECT_GE(SteadyClock::instance().now() - start, milliseconds(5));
    EXPECT_EQ(consumer.wait([] { return true; }, Duration::max()), WaitResult::Ready);
}

TEST(BlockingConsumerTest, NotifyIfWakesOnlyWhereItIsWorthIt) {
    BlockingConsumer consumer;
    std::atomic<int> level{8};
    auto result = std::async(std::launch::async, [&] { return consumer.wait([&] { return level <= 4; }); });
    // Until it sleeps: only then it is asked for.
    const TimePoint end = SteadyClock::instance().now() + seconds(10);
    for (bool asked = false; !asked && SteadyClock::instance().now() < end;) {
        consumer.notify_if([&] {
            asked = true;
            return level <= 4;
        });
        std::this_thread::yield();
    }
    while (level > 4) {
        --level;
        consumer.notify_if([&] { return level <= 4; });
    }
    ASSERT_EQ(result.wait_for(seconds(10)), std::future_status::ready);
    EXPECT_EQ(result.get(), WaitResult::Ready);
}

// Whatever the moment at which unlock() and unlock_stop() come, a wait that began before them returns.
TEST(BlockingConsumerTest, AnUnlockIsNotMissedEvenIfItIsShort) {
    for (int round = 0; round < 200; ++round) {
        BlockingConsumer consumer;
        std::promise<void> waiting;
        bool told = false;
        auto result = std::async(std::launch::async, [&] {
            return consumer.wait([&] {
                if (!std::exchange(told, true)) waiting.set_value();
                return false;
            });
        });
        waiting.get_future().wait();
        consumer.unlock();
        consumer.unlock_stop();
        ASSERT_EQ(result.wait_for(seconds(10)), std::future_status::ready);
        ASSERT_EQ(result.get(), WaitResult::Unlocked);
    }
}

// Ping-pong, at once (so that the waiting side spins) and after some work (so that it sleeps and is woken),
// thousands of times: a lost wake-up would hang (the test's time limit).
TEST(BlockingConsumerTest, NoWakeUpIsLost) {
    constexpr int kRounds = 10'000;
    SpscQueue<int> there(2), back(2);
    std::thread echo([&] {
        int item = 0;
        while (there.pop(item)) {
            for (int work = item % 100 < 30 ? 200 : 0; work > 0; --work) cpu_relax();
            back.try_push(int{item});
        }
    });
    int wrong = 0;
    for (int i = 0; i < kRounds; ++i) {
        there.try_push(int{i});
        int got = -1;
        ASSERT_EQ(back.wait(seconds(10)), WaitResult::Ready) << "round " << i;
        ASSERT_TRUE(back.try_pop(got));
        wrong += got != i;
    }
    there.unlock();
    echo.join();
    EXPECT_EQ(wrong, 0);
}

TEST(SpscQueueTest, PopsInOrderWaitingWhereItMust) {
    constexpr int kItems = 100'000;
    SpscQueue<std::unique_ptr<int>> queue(16);
    std::thread producer([&] {
        for (int i = 0; i < kItems; ++i) {
            auto item = std::make_unique<int>(i);
            while (!queue.try_push(std::move(item))) std::this_thread::yield();
        }
    });
    int wrong = 0;
    for (int i = 0; i < kItems; ++i) {
        std::unique_ptr<int> item;
        ASSERT_TRUE(queue.pop(item));
        wrong += *item != i;
    }
    producer.join();
    EXPECT_EQ(wrong, 0);
}

TEST(SpscQueueTest, ItemsSurviveAnUnlockAndClearDropsThem) {
    SpscQueue<int> queue(4);
    queue.try_push(1);
    queue.try_push(2);
    int item = 0;
    queue.unlock();
    EXPECT_FALSE(queue.pop(item));
    queue.unlock_stop();
    ASSERT_TRUE(queue.pop(item));
    EXPECT_EQ(item, 1);
    EXPECT_EQ(*queue.front(), 2);
    queue.clear();
    EXPECT_EQ(queue.front(), nullptr);
    EXPECT_EQ(queue.size_approx(), 0u);
}

// A pipe to be waited for besides.
struct Pipe {
    Pipe() { EXPECT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0); }
    ~Pipe() {
        ::close(ends[0]);
        ::close(ends[1]);
    }
    void write() const { EXPECT_EQ(::write(ends[1], "x", 1), 1); }
    int ends[2];
};

TEST(BlockingConsumerTest, ADescriptorEndsTheWaitToo) {
    BlockingConsumer consumer;
    Pipe pipe;
    EXPECT_EQ(consumer.wait_readable(pipe.ends[0], [] { return true; }), WaitResult::Ready);
    pipe.write();
    EXPECT_EQ(consumer.wait_readable(pipe.ends[0], [] { return false; }), WaitResult::Readable);
    consumer.unlock();
    EXPECT_EQ(consumer.wait_readable(pipe.ends[0], [] { return true; }), WaitResult::Unlocked);
}

// Whatever the moment: one of the three always ends it, and none is taken for another.
TEST(BlockingConsumerTest, AWaitInPollIsWokenByAllThree) {
    BlockingConsumer consumer;
    for (int round = 0; round < 300; ++round) {
        Pipe pipe;
        std::atomic<bool> ready{false};
        std::promise<void> waiting;
        bool told = false;
        auto result = std::async(std::launch::async, [&] {
            return consumer.wait_readable(pipe.ends[0], [&] {
                if (!std::exchange(told, true)) waiting.set_value();
                return ready.load();
            });
        });
        waiting.get_future().wait();
        const int kind = round % 3;
        if (kind == 0) {
            pipe.write();
        } else if (kind == 1) {
            ready = true;
            consumer.notify();
        } else {
            consumer.unlock();
        }
        ASSERT_EQ(result.wait_for(seconds(10)), std::future_status::ready) << round;
        ASSERT_EQ(result.get(), kind == 0   ? WaitResult::Readable
                                : kind == 1 ? WaitResult::Ready
                                            : WaitResult::Unlocked);
        if (kind == 2) consumer.unlock_stop();
    }
}

}  // namespace
}  // namespace hawser::ring
