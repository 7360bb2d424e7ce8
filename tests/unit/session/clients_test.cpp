#include "runtime/session/clients.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/session/pair.h"

namespace hawser::session {
namespace {

// Real clients of a real publisher, more than the table begins with: found, replaced and gone by session.
TEST(Clients, AHundredComeAndGo) {
    io::LoopbackReactor net;
    Sender sender(net, no_waiting());
    TrackWriter& video = sender.track("video");
    ASSERT_TRUE(sender.publisher.start().ok());
    std::vector<std::unique_ptr<Receiver>> receivers;
    for (unsigned i = 0; i < 100; ++i) {
        receivers.push_back(std::make_unique<Receiver>(net, SubscriberConfig{}, 1000 + i));
        ASSERT_TRUE(receivers.back()->subscriber.start().ok());
    }
    net.run_until_idle();
    EXPECT_EQ(sender.publisher.num_clients(), 100u);
    std::set<std::uint64_t> ids;
    for (const ClientStats& client : sender.publisher.stats().clients) ids.insert(client.id);
    EXPECT_EQ(ids.size(), 100u);
    // Every session comes back on a new connection, which takes the place of the old one.
    net.cut_all();
    for (int i = 0; i < 50; ++i) net.advance(100ms);
    EXPECT_EQ(sender.publisher.num_clients(), 100u);
    EXPECT_EQ(sender.removed.size(), 100u);
    for (unsigned i = 0; i < 100; i += 2) receivers[i].reset();
    net.run_until_idle();
    EXPECT_EQ(sender.publisher.num_clients(), 50u);
    publish(video, "for those who are left");
    net.run_until_idle();
    for (unsigned i = 1; i < 100; i += 2) {
        receivers[i]->take();
        EXPECT_EQ(receivers[i]->tracks["video"].objects.size(), 1u) << i;
    }
}

}  // namespace
}  // namespace hawser::session
