#include "runtime/io/busy_poll.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "runtime/io/loopback_reactor.h"

namespace hawser::io {
namespace {

using namespace std::chrono_literals;

TEST(BusyPollTest, LastsAsLongAsTheLongestWish) {
    const auto reactor = std::make_shared<LoopbackReactor>();
    const auto other = std::make_shared<LoopbackReactor>();
    std::optional<BusyPoll> shorter, longer, again;
    shorter.emplace(reactor, 10us);
    EXPECT_EQ(reactor->busy_poll(), 10us);
    longer.emplace(reactor, 50us);
    again.emplace(reactor, 10us);
    EXPECT_EQ(reactor->busy_poll(), 50us);
    EXPECT_EQ(other->busy_poll(), 0us);
    longer.reset();
    EXPECT_EQ(reactor->busy_poll(), 10us);
    shorter.reset();
    EXPECT_EQ(reactor->busy_poll(), 10us);
    again.reset();
    EXPECT_EQ(reactor->busy_poll(), 0us);
}

}  // namespace
}  // namespace hawser::io
