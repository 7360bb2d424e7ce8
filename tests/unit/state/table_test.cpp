#include "runtime/state/table.h"

#include <gtest/gtest.h>

#include "tests/unit/state/door.h"

namespace hawser::state {
namespace {

using door::Act;
using door::Door;
using door::kDoor;

// A good table passes, but that turning the key of an open door has no rule.
static_assert(kDoor.deterministic());
static_assert(kDoor.reachable());
static_assert(kDoor.names_all());
static_assert(kDoor.leaves_all_but({Door::Gone}));
static_assert(!kDoor.total());

static_assert(kDoor.next(Door::Shut, Act::Pull) == Door::Open);
static_assert(!kDoor.next(Door::Open, Act::Turn));
static_assert(kDoor.ignores(Door::Shut, Act::Push));
static_assert(kDoor.ignores(Door::Gone, Act::Burn));
static_assert(!kDoor.ignores(Door::Open, Act::Turn));

// Each check fails for what it is there for.
static_assert(!make_table<Door, Act>(Door::Shut, {{Door::Shut, Act::Pull, Door::Open},
                                                  {Door::Shut, Act::Pull, Door::Gone}})
                   .deterministic());
static_assert(!make_table<Door, Act>(Door::Shut, {{Door::Shut, Act::Pull, Door::Open}},
                                     {{Act::Pull, Door::Shut}})
                   .deterministic());
static_assert(!make_table<Door, Act>(Door::Shut, {{Door::Shut, Act::Pull, Door::Open}},
                                     {{Act::Push, Door::Shut}, {Act::Push, Door::Shut}})
                   .deterministic());
static_assert(!make_table<Door, Act>(Door::Shut, {{Door::Shut, Act::Pull, Door::Open},
                                                  {Door::Locked, Act::Turn, Door::Shut}})
                   .reachable());
// A cycle apart from the initial state does not reach itself.
static_assert(!make_table<Door, Act>(Door::Shut, {{Door::Shut, Act::Pull, Door::Open},
                                                  {Door::Locked, Act::Turn, Door::Gone},
                                                  {Door::Gone, Act::Turn, Door::Locked}})
                   .reachable());
static_assert(!make_table<Door, Act>(Door::Shut, {{Door::Shut, Act::Pull, Door::Open}}).names_all());

constexpr auto kTrap = make_table<Door, Act>(
    Door::Shut, {{Door::Shut, Act::Pull, Door::Open}, {Door::Open, Act::Push, Door::Open}});
static_assert(!kTrap.leaves_all_but({}), "a loop is no way out");
static_assert(kTrap.leaves_all_but({Door::Open}));
static_assert(!kTrap.leaves_all_but({Door::Open, Door::Shut}), "Shut is not terminal");
static_assert(!kTrap.leaves_all_but({Door::Open, Door::Gone}), "Gone is unknown here");

constexpr auto kTotal = make_table<Door, Act>(
    Door::Shut, {{Door::Shut, Act::Pull, Door::Open}, {Door::Open, Act::Push, Door::Shut}},
    {{Act::Push, Door::Shut}, {Act::Pull, Door::Open}, {Act::Turn}, {Act::Burn}});
static_assert(kTotal.total() && kTotal.deterministic());

TEST(TransitionTableTest, WorksAtRunTimeToo) {
    Door state = kDoor.initial;
    for (const Act act : {Act::Pull, Act::Push, Act::Turn}) state = kDoor.next(state, act).value();
    EXPECT_EQ(state, Door::Locked);
}

}  // namespace
}  // namespace hawser::state
