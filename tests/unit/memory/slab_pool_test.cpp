#include "runtime/memory/slab_pool.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace hawser::memory {
namespace {

struct alignas(32) Thing {
    explicit Thing(int* count) : alive(count) { ++*alive; }
    ~Thing() { --*alive; }
    int* alive;
    std::string text = "a string that is too long to be stored inside of itself";
};

template <typename Pool>
class SlabPoolTest : public testing::Test {};
using Pools = testing::Types<SlabPool<Thing, true>, SlabPool<Thing, false>>;
TYPED_TEST_SUITE(SlabPoolTest, Pools);

TYPED_TEST(SlabPoolTest, CreatesDestroysAndReuses) {
    int alive = 0;
    TypeParam pool(SIZE_MAX, 4);
    Thing* first = pool.create(&alive);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first) % alignof(Thing), 0u);
    EXPECT_EQ(alive, 1);
    pool.destroy(first);
    pool.destroy(nullptr);
    EXPECT_EQ(alive, 0);
    Thing* second = pool.create(&alive);
    EXPECT_EQ(first, second) << "the slot freed last is warm";
    pool.destroy(second);
}

TYPED_TEST(SlabPoolTest, KeepsTheBound) {
    int alive = 0;
    TypeParam pool(2, 4);
    Thing* first = pool.create(&alive);
    auto second = pool.make(&alive);
    EXPECT_EQ(pool.create(&alive), nullptr);
    EXPECT_FALSE(pool.make(&alive));
    second.reset();
    EXPECT_TRUE(pool.make(&alive));
    pool.destroy(first);
    EXPECT_EQ(alive, 0);
}

TYPED_TEST(SlabPoolTest, EmptySlabsAreGivenBackButForOne) {
    int alive = 0;
    TypeParam pool(SIZE_MAX, 4);
    std::vector<Thing*> things(40);
    for (Thing*& thing : things) thing = pool.create(&alive);
    EXPECT_EQ(pool.slabs(), 10u);
    // One of each slab stays: none may go.
    for (std::size_t i = 0; i < things.size(); ++i)
        if (i % 4 != 1) pool.destroy(things[i]);
    EXPECT_EQ(pool.slabs(), 10u);
    EXPECT_EQ(pool.live(), 10u);
    for (std::size_t i = 1; i < things.size(); i += 4) pool.destroy(things[i]);
    EXPECT_EQ(pool.slabs(), 1u);
    EXPECT_EQ(alive, 0);
    pool.destroy(pool.create(&alive));
    EXPECT_EQ(pool.slabs(), 1u);
}

using Checked = SlabPool<Thing, true>;

TEST(SlabPoolDeathTest, FreeingTwiceAborts) {
    int alive = 0;
    Checked pool;
    Thing* thing = pool.create(&alive);
    pool.destroy(thing);
    EXPECT_DEATH(pool.destroy(thing), "freed twice");
}

TEST(SlabPoolDeathTest, FreeingIntoAnotherPoolAborts) {
    int alive = 0;
    Checked pool, other;
    Thing* thing = pool.create(&alive);
    EXPECT_DEATH(other.destroy(thing), "not of this pool");
    pool.destroy(thing);
}

TEST(SlabPoolDeathTest, FreedObjectsArePoisonedAndWritesToThemFound) {
    SlabPool<std::uint64_t, true> pool;
    std::uint64_t* number = pool.create(7u);
    pool.destroy(number);
    EXPECT_EQ(*number, 0xDDDDDDDDDDDDDDDDu);
    *number = 8;
    EXPECT_DEATH(pool.create(9u), "was written to");
}

TEST(SlabPoolDeathTest, LeavingObjectsBehindAborts) {
    int alive = 0;
    EXPECT_DEATH(
        {
            Checked pool;
            pool.create(&alive);
        },
        "destroyed before its objects");
}

}  // namespace
}  // namespace hawser::memory
