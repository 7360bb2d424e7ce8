// By which clock an object's arrival is noted: the system's tick, where nothing asks for more.
#include <gtest/gtest.h>

#include "runtime/session/publisher_track.h"

namespace hawser::session {
namespace {

using namespace std::chrono_literals;

class Ticking final : public Clock {
  public:
    TimePoint now() const override { return TimePoint(5s); }
    TimePoint coarse_now() const override { return now() - 4ms; }
};

struct Nobody final : PublisherTrack::Owner {
    void published(std::uint64_t) override {}
    void acknowledgements_wanted() override {}
    void fail(const Error& error) override { ADD_FAILURE() << error.message; }
    void warn(const Error& error) override { ADD_FAILURE() << error.message; }
};

class ArrivalTime : public testing::Test {
  protected:
    ArrivalTime() {
        config.wait_for_connection = false;
        config.max_time = 30s;
        shared.stopped = false;
        shared.tracks = 1;
    }
    Duration noted_before_now(Duration max_latency = Duration::max()) {
        PublisherTrack track(owner, config, clock, shared, 1, "t", 4, max_latency);
        EXPECT_EQ(track.publish({}), PublishResult::Published);
        const ring::HistoryRing::ReadScope scope(track.ring());
        EXPECT_EQ(scope.head(), 1U);
        return clock.now() - scope[0].published;
    }

    Nobody owner;
    Ticking clock;
    PublisherConfig config;
    PublisherShared shared;
};

TEST_F(ArrivalTime, IsTheTicksForALoneTrack) {
    EXPECT_EQ(noted_before_now(), 4ms);
}

TEST_F(ArrivalTime, IsExactBesideOtherTracks) {
    shared.tracks = 2;
    EXPECT_EQ(noted_before_now(), 0ms);
}

TEST_F(ArrivalTime, IsExactWithADeadline) {
    EXPECT_EQ(noted_before_now(100ms), 0ms);
}

// A receiver that has all would else be taken for one that lags, by the age of what it gets.
TEST_F(ArrivalTime, IsExactWhereATickIsALongTime) {
    config.max_time = 10ms;
    EXPECT_EQ(noted_before_now(), 0ms);
}

}  // namespace
}  // namespace hawser::session
