#include "runtime/ring/history.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace hawser::ring {
namespace {

using namespace std::chrono_literals;

TimePoint at(Duration since_start) {
    return TimePoint(1000s) + since_start;
}

struct HistoryTest : testing::Test {
    memory::SegmentPool pool;
    memory::SegmentWriter writer{pool};

    HistoryEntry entry(const std::string& text, bool object = true, bool group = false) {
        HistoryEntry made;
        auto space = writer.allocate(std::max<std::size_t>(text.size(), 1));
        std::memcpy(space.bytes.data(), text.data(), text.size());
        made.head = space.bytes.first(text.size());
        made.segment = std::move(space.segment);
        made.object = object;
        made.group_start = group;
        made.running_time = HistoryRing::kNone;
        made.published = at(0s);
        return made;
    }
    static std::string text(const HistoryEntry& entry) {
        return {reinterpret_cast<const char*>(entry.head.data()), entry.head.size()};
    }
};

TEST_F(HistoryTest, CountsBytesFromAPosition) {
    HistoryRing ring({1000, 30s, 8});
    EXPECT_EQ(ring.bytes_from(0), 0u);
    for (int i = 0; i < 6; ++i) ring.append(entry("four"));
    EXPECT_EQ(ring.bytes_from(0), 24u);
    EXPECT_EQ(ring.bytes_from(2), 16u);
    ring.append(entry("more"));
    EXPECT_EQ(ring.bytes_from(2), 20u);
    ring.advance_tail(4);  // over the position
    EXPECT_EQ(ring.bytes_from(3), 12u);
    for (int i = 0; i < 20; ++i) ring.append(entry("four"));
    EXPECT_EQ(ring.bytes_from(5), 32u);  // what the ring holds
    EXPECT_EQ(ring.bytes_from(ring.head()), 0u);
}

TEST_F(HistoryTest, HoldsWhatWasAppended) {
    HistoryRing ring({1000, 30s, 8});
    EXPECT_EQ(ring.head(), 0u);
    ring.append(entry("one"));
    ring.append(entry("caps", false));
    ring.append(entry("two"));
    const HistoryRing::ReadScope scope(ring);
    EXPECT_EQ(scope.tail(), 0u);
    EXPECT_EQ(scope.head(), 3u);
    EXPECT_EQ(text(scope[0]), "one");
    EXPECT_EQ(text(scope[1]), "caps");
    EXPECT_EQ(scope[2].sequence, 2u);
    EXPECT_EQ(scope[2].objects_before, 1u);
    EXPECT_EQ(ring.bytes(), 10u);
    EXPECT_EQ(ring.objects(), 2u);
}

TEST_F(HistoryTest, IsBoundedByBytes) {
    HistoryRing ring({100, 30s, 1000});
    for (int i = 0; i < 50; ++i) {
        ring.append(entry(std::string(30, 'x')));
        EXPECT_LE(ring.bytes(), 100u);
    }
    EXPECT_EQ(ring.head() - ring.tail(), 3u);
    EXPECT_EQ(ring.tail_for(10), ring.tail());
    EXPECT_EQ(ring.tail_for(11), ring.tail() + 1);
    // One that is larger than the bound stands alone.
    ring.append(entry(std::string(500, 'x')));
    EXPECT_EQ(ring.head() - ring.tail(), 1u);
    EXPECT_EQ(ring.bytes(), 500u);
    ring.append(entry("small"));
    EXPECT_EQ(ring.head() - ring.tail(), 1u);
    EXPECT_EQ(ring.bytes(), 5u);
}

TEST_F(HistoryTest, IsBoundedByEntriesAlsoEmptyOnes) {
    HistoryRing ring({1000, 30s, 5});
    for (int i = 0; i < 100; ++i) {
        ring.append(entry(""));
        EXPECT_LE(ring.head() - ring.tail(), 5u);
    }
    EXPECT_EQ(ring.head() - ring.tail(), 5u);
}

TEST_F(HistoryTest, KnowsWhatIsTooOld) {
    HistoryRing ring({1000, 10s, 100});
    for (int i = 0; i < 10; ++i) {
        HistoryEntry one = entry("x");
        one.published = at(std::chrono::seconds(i));
        ring.append(std::move(one));
    }
    EXPECT_EQ(ring.tail_by_time(at(10s)), 0u);  // exactly as old as allowed
    EXPECT_EQ(ring.tail_by_time(at(12s)), 2u);
    EXPECT_EQ(ring.tail_by_time(at(100s)), 10u);
    ring.advance_tail(ring.tail_by_time(at(15s)));
    EXPECT_EQ(ring.tail(), 5u);
    EXPECT_EQ(ring.bytes(), 5u);
    ring.advance_tail(2);  // never backwards
    EXPECT_EQ(ring.tail(), 5u);
    ring.advance_tail(1000);  // nor beyond the head
    EXPECT_EQ(ring.tail(), 10u);
    EXPECT_EQ(ring.bytes(), 0u);
}

TEST_F(HistoryTest, FindsGroups) {
    HistoryRing ring({1000, 30s, 100});
    for (unsigned i = 0; i < 20; ++i) {
        HistoryEntry one = entry("x", true, i % 5 == 2);
        one.running_time = 100 * i;
        ring.append(std::move(one));
    }
    {
        const HistoryRing::ReadScope scope(ring);
        EXPECT_EQ(scope.newest_group(scope.head()), 17u);
        EXPECT_EQ(scope.newest_group(17), 12u);  // below, not at
        EXPECT_EQ(scope.newest_group(HistoryRing::kNone), 17u);
        EXPECT_EQ(scope.newest_group(scope.head(), 1699), 12u);
        EXPECT_EQ(scope.newest_group(scope.head(), 1700), 17u);
        EXPECT_EQ(scope.newest_group(scope.head(), 100), HistoryRing::kNone);
        EXPECT_EQ(scope.next_group(0), 2u);
        EXPECT_EQ(scope.next_group(2), 2u);
        EXPECT_EQ(scope.next_group(3), 7u);
        EXPECT_EQ(scope.next_group(18), HistoryRing::kNone);
    }
    ring.advance_tail(13);
    const HistoryRing::ReadScope scope(ring);
    EXPECT_EQ(scope.next_group(0), 17u);  // what is gone is not found
    EXPECT_EQ(scope.newest_group(17), HistoryRing::kNone);
}

TEST_F(HistoryTest, CountsObjectsExactlyAfterReclaim) {
    for (const std::uint32_t bound : {2u, 3u, 4u, 7u, 8u}) {
        HistoryRing ring({1000, 30s, bound});
        std::vector<std::uint64_t> below{0};  // objects below each position
        for (unsigned i = 0; i < 100; ++i) {
            const bool object = i % 3 != 1;
            ring.append(entry("x", object));
            below.push_back(below.back() + object);
            if (i % 7 == 0) ring.advance_tail(ring.tail() + 1);
            const HistoryRing::ReadScope scope(ring);
            for (std::uint64_t at = scope.tail(); at <= scope.head(); ++at)
                ASSERT_EQ(scope.objects_before(at), below[at]) << "bound " << bound << ", position " << at;
        }
        // Empty again, it still knows what went before.
        ring.advance_tail(ring.head());
        const HistoryRing::ReadScope scope(ring);
        EXPECT_EQ(scope.objects_before(scope.head()), below.back());
    }
}

TEST_F(HistoryTest, WrapsItsSlotsAround) {
    HistoryRing ring({1 << 20, 30s, 4});
    for (unsigned i = 0; i < 1000; ++i) {
        ring.append(entry(std::to_string(i)));
        const HistoryRing::ReadScope scope(ring);
        EXPECT_EQ(scope.head() - scope.tail(), std::min(i + 1, 4u));
        for (std::uint64_t at = scope.tail(); at < scope.head(); ++at) {
            ASSERT_EQ(text(scope[at]), std::to_string(at));
            ASSERT_EQ(scope[at].sequence, at);
        }
    }
}

// Against the plain walk, for tracks of every kind: keyframes only, none, rare ones, events between.
TEST_F(HistoryTest, FindsGroupsAsAWalkWould) {
    for (const unsigned distance : {1u, 2u, 7u, 60u, 1000u}) {
        HistoryRing ring({1 << 20, 30s, 100});
        for (unsigned i = 0; i < 400; ++i) {
            HistoryEntry one = entry("x", i % 5 != 4, i % distance == distance / 2 && i % 5 != 4);
            one.running_time = i % 11 == 0 ? HistoryRing::kNone : 100 * i;
            ring.append(std::move(one));
            if (i % 37 == 0) ring.advance_tail(ring.tail() + 20);
            if (i % 13 != 0) continue;
            const HistoryRing::ReadScope scope(ring);
            for (std::uint64_t from = scope.tail(); from <= scope.head(); ++from) {
                std::uint64_t next = from;
                while (next < scope.head() && !scope[next].group_start) ++next;
                if (next == scope.head()) next = HistoryRing::kNone;
                ASSERT_EQ(scope.next_group(from), next) << "every " << distance << ", from " << from;
                for (const std::uint64_t time : {HistoryRing::kNone, std::uint64_t{100 * i - 500}}) {
                    std::uint64_t newest = HistoryRing::kNone;
                    for (std::uint64_t at = from; at-- > scope.tail() && newest == HistoryRing::kNone;)
                        if (scope[at].group_start &&
                            (time == HistoryRing::kNone || scope[at].running_time == HistoryRing::kNone ||
                             scope[at].running_time <= time))
                            newest = at;
                    ASSERT_EQ(scope.newest_group(from, time), newest)
                        << "every " << distance << ", before " << from << ", time " << time;
                }
            }
        }
    }
}

TEST_F(HistoryTest, IsEmptiedAndFilledAgainAtAnyPosition) {
    HistoryRing ring({1 << 20, 30s, 300});
    std::uint64_t next = 0;
    for (unsigned round = 1; round < 300; ++round) {
        for (unsigned i = 0; i < round; ++i) ring.append(entry(std::to_string(next++)));
        {
            const HistoryRing::ReadScope scope(ring);
            ASSERT_EQ(scope.head(), next);
            ASSERT_EQ(scope.objects_before(scope.tail()), scope.tail());
            for (std::uint64_t at = scope.tail(); at < next; ++at)
                ASSERT_EQ(text(scope[at]), std::to_string(at));
        }
        ring.advance_tail(next);
        ASSERT_EQ(ring.reclaimed(), next);
        ASSERT_EQ(ring.bytes(), 0u);
    }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
std::size_t resident_bytes() {
    std::size_t total = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> total >> resident;
    return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

TEST_F(HistoryTest, CostsWhatItHolds) {
    constexpr std::size_t kRings = 64;
    std::vector<std::unique_ptr<HistoryRing>> rings;
    rings.reserve(kRings);
    const std::size_t before = resident_bytes();
    for (std::size_t i = 0; i < kRings; ++i) {
        rings.push_back(std::make_unique<HistoryRing>(HistoryBounds{}));
        rings.back()->append(entry("x"));
    }
    EXPECT_LT((resident_bytes() - before) / kRings, 64u * 1024) << "an idle track's ring";
    // However long it has run: 50 entries, never more.
    for (auto& ring : rings)
        for (unsigned i = 0; i < 20'000; ++i) {
            ring->append(entry("x"));
            if (i >= 50) ring->advance_tail(ring->tail() + 1);
        }
    EXPECT_LT((resident_bytes() - before) / kRings, 128u * 1024) << "a slow track's ring";
}
#endif

struct Held {
    int released = 0;
    std::byte bytes[4] = {};
    memory::HeldBytes hold() {
        return {bytes, this, [](void* owner) { ++static_cast<Held*>(owner)->released; }};
    }
};

TEST_F(HistoryTest, ReleasesHeldBytesExactlyOnce) {
    Held held[10];
    {
        HistoryRing ring({1000, 30s, 4});
        for (int i = 0; i < 10; ++i) {
            HistoryEntry one = entry("head");
            one.held = held[i].hold();
            one.tail = one.held.bytes();
            ring.append(std::move(one));
        }
        for (int i = 0; i < 10; ++i) EXPECT_EQ(held[i].released, i < 6 ? 1 : 0) << i;
        EXPECT_EQ(ring.bytes(), 4u * 8);
        ring.advance_tail(8);
        for (int i = 0; i < 10; ++i) EXPECT_EQ(held[i].released, i < 8 ? 1 : 0) << i;
    }
    for (const Held& one : held) EXPECT_EQ(one.released, 1);
}

TEST_F(HistoryTest, AnOpenScopeKeepsWhatItSees) {
    HistoryRing ring({1000, 30s, 4});
    Held held[8];
    const auto append = [&](int i) {
        HistoryEntry one = entry(std::to_string(i));
        one.held = held[i].hold();
        ring.append(std::move(one));
    };
    for (int i = 0; i < 4; ++i) append(i);
    std::optional<HistoryRing::ReadScope> scope(std::in_place, ring);
    std::optional<HistoryRing::ReadScope> other(std::in_place, ring, HistoryRing::kGates - 1);
    for (int i = 4; i < 7; ++i) append(i);
    EXPECT_EQ(ring.tail(), 3u);  // let go of at once …
    EXPECT_EQ(scope->tail(), 0u);
    EXPECT_EQ(scope->head(), 4u);
    for (unsigned i = 0; i < 4; ++i) {
        EXPECT_EQ(held[i].released, 0);  // … but not destroyed
        EXPECT_EQ(text((*scope)[i]), std::to_string(i));
    }
    scope.reset();
    ring.advance_tail(ring.tail());
    EXPECT_EQ(held[0].released, 0);  // the other one still sees it
    other.reset();
    EXPECT_EQ(held[0].released, 0);  // the writer's thread destroys, in its own time
    ring.advance_tail(ring.tail());
    for (int i = 0; i < 8; ++i) EXPECT_EQ(held[i].released, i < 3 ? 1 : 0) << i;
}

TEST_F(HistoryTest, AScopeThatBeganLaterKeepsOnlyWhatWasThere) {
    HistoryRing ring({1000, 30s, 8});
    Held held[6];
    for (int i = 0; i < 6; ++i) {
        HistoryEntry one = entry("x");
        one.held = held[i].hold();
        ring.append(std::move(one));
    }
    ring.advance_tail(2);
    const HistoryRing::ReadScope scope(ring);
    EXPECT_EQ(scope.tail(), 2u);
    ring.advance_tail(5);
    for (int i = 0; i < 6; ++i) EXPECT_EQ(held[i].released, i < 2 ? 1 : 0) << i;
}

TEST_F(HistoryTest, WhatNobodyWaitsForIsReclaimedSoon) {
    HistoryRing ring({1 << 20, 30s, 4});
    for (unsigned i = 0; i < 100; ++i) {
        ring.append(entry("x"));
        EXPECT_LE(ring.tail() - ring.reclaimed(), 16u);
    }
    ring.append(entry(std::string(200'000, 'x')));
    for (unsigned i = 0; i < 4; ++i) ring.append(entry("x"));
    EXPECT_EQ(ring.reclaimed(), ring.tail()) << "much memory does not wait";
    ring.append(entry("x"));
    ring.advance_tail(ring.tail());
    EXPECT_EQ(ring.reclaimed(), ring.tail()) << "nor does what is asked for";
}

// What is filled in place finds nothing of whoever was in its place before.
TEST_F(HistoryTest, TheNextEntryIsAsNew) {
    HistoryRing ring({1 << 20, 30s, 4});
    std::uint64_t byte = 0;
    for (unsigned i = 0; i < 1000; ++i) {
        HistoryEntry full = entry("full", true, true);
        full.tail = std::as_bytes(std::span(&byte, 1));
        full.head_size = 3;
        full.droppable = true;
        full.deadline = at(1s);
        full.running_time = 5;
        ring.append(std::move(full));
    }
    for (unsigned i = 0; i < 1000; ++i) {
        const HistoryEntry& next = ring.next();
        EXPECT_TRUE(next.head.empty() && next.tail.empty());
        EXPECT_EQ(next.head_size, 0u);
        EXPECT_FALSE(next.object || next.group_start || next.droppable);
        EXPECT_EQ(next.deadline, TimePoint::max());
        EXPECT_EQ(next.published, TimePoint{});
        EXPECT_EQ(next.running_time, 0u);
        EXPECT_FALSE(next.segment || next.held);
        ring.append();
    }
    EXPECT_EQ(ring.objects(), 1000u);
    EXPECT_EQ(ring.bytes(), 0u);
}

TEST_F(HistoryTest, EveryGateKeepsWhatItSees) {
    HistoryRing ring({1000, 30s, 4});
    for (std::size_t gate = HistoryRing::kGates; gate-- > 0;) {
        ring.append(entry(std::to_string(gate)));
        std::optional<HistoryRing::ReadScope> scope(std::in_place, ring, gate);
        const std::uint64_t mine = ring.head() - 1;
        ring.advance_tail(ring.head());
        EXPECT_EQ(ring.reclaimed(), scope->tail());
        EXPECT_EQ(text((*scope)[mine]), std::to_string(gate));
        scope.reset();
        ring.advance_tail(ring.head());
        EXPECT_EQ(ring.reclaimed(), ring.head());
    }
}

// One writer, two readers, a ring that is always full: what a reader sees is what was written.
TEST(HistoryStress, ReadersSeeWholeEntries) {
    constexpr std::uint64_t kEntries = 6000;
    memory::SegmentPool pool;
    std::atomic<bool> done{false};
    std::atomic<int> ready{0};
    std::atomic<std::uint64_t> looked{0};
    std::atomic<std::uint64_t> released{0};
    {
        memory::SegmentWriter writer(pool);
        HistoryRing ring({4096, 30s, 32});
        const auto read = [&](std::size_t gate) {
            ready.fetch_add(1);
            std::uint64_t last_head = 0;
            std::uint64_t count = 0;
            for (bool last = false; !last;) {
                last = done.load(std::memory_order_acquire);
                const HistoryRing::ReadScope scope(ring, gate);
                ASSERT_LE(scope.tail(), scope.head());
                ASSERT_GE(scope.head(), last_head);
                last_head = scope.head();
                for (std::uint64_t at = scope.tail(); at < scope.head(); ++at, ++count) {
                    const HistoryEntry& entry = scope[at];
                    ASSERT_EQ(entry.sequence, at);
                    ASSERT_EQ(scope.objects_before(at), at - at / 4);  // each fourth is an event
                    std::uint64_t value;
                    ASSERT_EQ(entry.head.size(), sizeof value);
                    std::memcpy(&value, entry.head.data(), sizeof value);
                    ASSERT_EQ(value, at * 7);
                    if (!entry.tail.empty()) {
                        std::memcpy(&value, entry.tail.data(), sizeof value);
                        ASSERT_EQ(value, at);
                    }
                }
            }
            looked += count;
        };
        std::thread one(read, 0);
        std::thread two(read, HistoryRing::kGates - 1);
        while (ready.load() < 2) std::this_thread::yield();
        struct Block {
            std::uint64_t value;
            std::atomic<std::uint64_t>* released;
        };
        for (std::uint64_t i = 0; i < kEntries; ++i) {
            auto space = writer.allocate(sizeof(std::uint64_t));
            ASSERT_TRUE(space);
            const std::uint64_t value = i * 7;
            std::memcpy(space.bytes.data(), &value, sizeof value);
            HistoryEntry entry;
            entry.head = space.bytes;
            entry.segment = std::move(space.segment);
            entry.object = i % 4 != 3;
            if (i % 5 == 0) {
                auto* block = new Block{i, &released};
                entry.held = memory::HeldBytes(std::as_writable_bytes(std::span(&block->value, 1)), block,
                                               [](void* owner) {
                                                   auto* held = static_cast<Block*>(owner);
                                                   held->value = ~std::uint64_t{0};
                                                   held->released->fetch_add(1);
                                                   delete held;
                                               });
                entry.tail = entry.held.bytes();
            }
            ring.append(std::move(entry));
        }
        done.store(true, std::memory_order_release);
        one.join();
        two.join();
        EXPECT_EQ(ring.head(), kEntries);
        EXPECT_GT(looked.load(), 0u);
    }
    EXPECT_EQ(released.load(), kEntries / 5);
}

}  // namespace
}  // namespace hawser::ring
