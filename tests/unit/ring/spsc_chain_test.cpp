#include "runtime/ring/spsc_chain.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

namespace hawser::ring {
namespace {

TEST(SpscChainTest, FirstInFirstOutAcrossBlocks) {
    SpscChain<int, 4> chain;
    int into = -1;
    EXPECT_FALSE(chain.try_pop(into));
    EXPECT_TRUE(chain.empty_approx());
    // Every depth around a block's size, each at every offset.
    int pushed = 0;
    int popped = 0;
    for (int depth = 1; depth <= 13; ++depth) {
        for (int round = 0; round < 9; ++round) {
            for (int i = 0; i < depth; ++i) chain.push(pushed++);
            EXPECT_EQ(chain.size_approx(), static_cast<std::size_t>(depth));
            for (int i = 0; i < depth; ++i) {
                ASSERT_TRUE(chain.try_pop(into));
                EXPECT_EQ(into, popped++);
            }
            ASSERT_FALSE(chain.try_pop(into));
        }
    }
}

TEST(SpscChainTest, FrontStaysUntilPop) {
    SpscChain<std::unique_ptr<int>, 2> chain;
    for (int i = 0; i < 5; ++i) chain.push(std::make_unique<int>(i));
    EXPECT_EQ(**chain.front(), 0);
    EXPECT_EQ(**chain.front(), 0);
    chain.pop();
    EXPECT_EQ(**chain.front(), 1);
    EXPECT_EQ(chain.size_approx(), 4u);
}

TEST(SpscChainTest, DestroysWhatIsLeft) {
    const auto witness = std::make_shared<int>(1);
    {
        SpscChain<std::shared_ptr<int>, 4> chain;
        for (int i = 0; i < 11; ++i) chain.push(std::shared_ptr<int>(witness));
        ASSERT_TRUE(chain.front());
        chain.pop();
        std::shared_ptr<int> into;
        EXPECT_TRUE(chain.try_pop(into));
        EXPECT_EQ(witness.use_count(), 11);  // 9 in the chain, `into`, our own
    }
    EXPECT_EQ(witness.use_count(), 1);
}

TEST(SpscChainTest, CarriesEverythingBetweenThreads) {
    constexpr std::uint64_t kItems = 200'000;
    SpscChain<std::uint64_t, 16> chain;
    std::thread producer([&] {
        for (std::uint64_t i = 0; i < kItems; ++i) {
            chain.push(std::uint64_t{i});
            if (i % 64 == 0) std::this_thread::yield();
        }
    });
    for (std::uint64_t expected = 0; expected < kItems;) {
        std::uint64_t item = 0;
        if (!chain.try_pop(item)) {
            std::this_thread::yield();
            continue;
        }
        ASSERT_EQ(item, expected++);
    }
    producer.join();
    EXPECT_TRUE(chain.empty_approx());
}

}  // namespace
}  // namespace hawser::ring
