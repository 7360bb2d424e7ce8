#include "runtime/base/counters.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <thread>
#include <vector>

namespace hawser {
namespace {

class CountersFileTest : public testing::Test {
  protected:
    CountersFileTest() {
        std::string name = testing::TempDir() + "hawser-counters-XXXXXX";
        close(mkstemp(name.data()));
        file = name;
    }
    ~CountersFileTest() override { unlink(file.c_str()); }
    std::string file;
};

TEST(CounterBlockTest, ASlotIsFreshNamedAndCounts) {
    CounterBlock block;
    EXPECT_FALSE(CounterBlock::valid(block.slot(0)));
    CounterSlot& slot = block.claim(CounterRole::Publisher, "/cam", "video", 77);
    EXPECT_EQ(&slot, &block.slot(0));
    EXPECT_TRUE(CounterBlock::valid(slot));
    EXPECT_STREQ(slot.stream, "/cam");
    EXPECT_STREQ(slot.track, "video");
    EXPECT_EQ(slot.epoch, 77u);
    slot.add(Counter::Objects);
    slot.add(Counter::Objects, 2);
    slot.set(Counter::LastSequence, 9);
    EXPECT_EQ(slot.get(Counter::Objects), 3u);
    EXPECT_EQ(slot.get(Counter::LastSequence), 9u);
    EXPECT_EQ(slot.get(Counter::Lost), 0u);
    EXPECT_NE(&block.claim(CounterRole::Publisher, "/cam", "audio", 77), &slot);
}

TEST(CounterBlockTest, LongNamesAreCut) {
    CounterBlock block;
    const CounterSlot& slot =
        block.claim(CounterRole::Subscriber, std::string(200, 's'), std::string(200, 't'), 1);
    EXPECT_EQ(std::string(slot.stream), std::string(63, 's'));
    EXPECT_EQ(std::string(slot.track), std::string(31, 't'));
}

TEST(CounterBlockTest, WhenAllAreTakenTheLastIsShared) {
    CounterBlock block;
    for (std::size_t i = 0; i < CounterBlock::kSlots; ++i) block.claim(CounterRole::Publisher, "/s", "t", i);
    EXPECT_EQ(&block.claim(CounterRole::Publisher, "/s", "t", 0), &block.slot(CounterBlock::kSlots - 1));
}

TEST(CounterBlockTest, ClaimsOfSeveralThreadsNeverCollide) {
    CounterBlock block;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 100; ++i)
                block.claim(CounterRole::Publisher, "/s", "t", 1).add(Counter::Objects);
        });
    for (auto& thread : threads) thread.join();
    for (std::size_t i = 0; i < 400; ++i) EXPECT_EQ(block.slot(i).get(Counter::Objects), 1u);
    EXPECT_FALSE(CounterBlock::valid(block.slot(400)));
}

TEST_F(CountersFileTest, SurvivesAKilledWriter) {
    const pid_t child = fork();
    ASSERT_NE(child, -1);
    if (child == 0) {
        auto block = CounterBlock::map(file);
        if (!block) _exit(1);
        CounterSlot& slot = block->claim(CounterRole::Publisher, "/cam", "video", 5);
        for (int i = 0; i < 1000; ++i) slot.add(Counter::Objects);
        raise(SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));

    auto block = CounterBlock::map(file);
    ASSERT_TRUE(block.ok());
    EXPECT_TRUE(CounterBlock::valid(block->slot(0)));
    EXPECT_EQ(block->slot(0).get(Counter::Objects), 1000u);
    // The next life goes on behind it.
    EXPECT_EQ(&block->claim(CounterRole::Publisher, "/cam", "video", 6), &block->slot(1));
}

TEST_F(CountersFileTest, AFileThatCannotBeUsedIsAnError) {
    const auto block = CounterBlock::map(file + "/not-a-folder");
    ASSERT_FALSE(block.ok());
    EXPECT_NE(block.error().message.find(file), std::string::npos);
}

}  // namespace
}  // namespace hawser
