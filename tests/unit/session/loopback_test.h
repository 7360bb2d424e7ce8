// What the tests of publisher and subscriber on the loopback engine share.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/session/pair.h"

namespace hawser::session {

struct LoopbackTest : testing::Test {
    io::LoopbackReactor net;

    std::vector<std::string> numbered(int from, int to) {
        std::vector<std::string> all;
        for (int i = from; i < to; ++i) all.push_back("object number " + std::to_string(i));
        return all;
    }
    void publish_numbered(TrackWriter& track, int from, int to, int group = 1) {
        for (int i = from; i < to; ++i)
            ASSERT_EQ(publish(track, "object number " + std::to_string(i), i % group == 0, 1000u * i),
                      PublishResult::Published);
    }
    void meet(Sender& sender, Receiver& receiver) {
        ASSERT_TRUE(sender.publisher.start().ok());
        ASSERT_TRUE(receiver.subscriber.start().ok());
        settle(receiver);
    }
    // A receiver's, of the same stream.
    static SubscriberConfig matching(const PublisherConfig& config) {
        SubscriberConfig same;
        same.link.stream = config.link.stream;
        return same;
    }
    void settle(Receiver& receiver) {
        for (int i = 0; i < 50; ++i) {
            net.run_until_idle();
            receiver.take();
            net.advance(20ms);
        }
    }
};

}  // namespace hawser::session
