#include "runtime/state/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>

#include "runtime/base/log.h"
#include "tests/unit/state/door.h"

namespace hawser::state {
namespace {

using door::Act;
using door::Door;
using testing::HasSubstr;

class MachineTest : public testing::Test {
  protected:
    MachineTest() { sinks().add_sink(sink); }
    ~MachineTest() override { sinks().remove_sink(sink); }
    static spdlog::sinks::dist_sink_mt& sinks() {
        return dynamic_cast<spdlog::sinks::dist_sink_mt&>(*log().sinks().front());
    }

    std::ostringstream lines;
    std::shared_ptr<spdlog::sinks::ostream_sink_mt> sink =
        std::make_shared<spdlog::sinks::ostream_sink_mt>(lines);
    Machine<door::kDoor> machine{"front door"};
};

TEST_F(MachineTest, FollowsTheTable) {
    EXPECT_EQ(machine.state(), Door::Shut);
    EXPECT_EQ(machine.peek(Act::Turn), Door::Locked);
    EXPECT_TRUE(machine.fire(Act::Turn));
    EXPECT_EQ(machine.state(), Door::Locked);
    EXPECT_TRUE(machine.fire(Act::Pull)) << "a transition to itself is one";
    EXPECT_EQ(lines.str(), "");
}

TEST_F(MachineTest, IgnoredEventsAreSilent) {
    EXPECT_FALSE(machine.fire(Act::Push));
    EXPECT_EQ(machine.state(), Door::Shut);
    EXPECT_EQ(lines.str(), "");
}

TEST_F(MachineTest, IllegalEventsAreLoggedByName) {
    EXPECT_TRUE(machine.fire(Act::Pull));
    EXPECT_FALSE(machine.fire(Act::Turn));
    EXPECT_EQ(machine.state(), Door::Open);
    EXPECT_THAT(lines.str(), HasSubstr("front door: event turn is illegal in state open"));
}

}  // namespace
}  // namespace hawser::state
