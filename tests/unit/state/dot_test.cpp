#include "runtime/state/dot.h"

#include <gtest/gtest.h>

#include "tests/unit/state/door.h"

namespace hawser::state {
namespace {

using door::Act;
using door::Door;

TEST(DotTest, DrawsStatesAndJoinsParallelArrows) {
    constexpr auto kTable = make_table<Door, Act>(Door::Shut, {{Door::Shut, Act::Pull, Door::Open},
                                                               {Door::Open, Act::Push, Door::Shut},
                                                               {Door::Shut, Act::Burn, Door::Gone},
                                                               {Door::Shut, Act::Turn, Door::Open}});
    EXPECT_EQ(to_dot(kTable, "door"), R"(digraph "door" {
    rankdir=LR;
    node [shape=box, style=rounded, fontname="sans-serif"];
    edge [fontname="sans-serif", fontsize=10];
    start [shape=point, label=""];
    start -> "shut";
    "shut";
    "open";
    "gone" [peripheries=2];
    "shut" -> "open" [label="pull\nturn"];
    "open" -> "shut" [label="push"];
    "shut" -> "gone" [label="burn"];
}
)");
}

}  // namespace
}  // namespace hawser::state
