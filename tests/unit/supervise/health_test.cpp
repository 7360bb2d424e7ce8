#include "runtime/supervise/health.h"

#include <gtest/gtest.h>

namespace hawser::supervise {
namespace {

using namespace std::chrono_literals;
using Kind = Verdict::Kind;

Vitals healthy() {
    Vitals v;
    v.alive = v.flowing = true;
    v.silent = 100ms;
    v.still = 100ms;
    v.start_limit = 10s;
    v.stall_limit = 2s;
    return v;
}

Vitals standing() {
    Vitals v = healthy();
    v.still = 3s;
    return v;
}

// 0 sends to 1.
std::vector<Vitals> linked(Vitals sender, Vitals receiver) {
    sender.has_out = true;
    sender.clients = 1;
    sender.downstream = {1};
    receiver.upstream = {0};
    return {sender, receiver};
}

TEST(Health, WhoMovesIsFine) {
    for (const auto& verdict : judge(linked(healthy(), healthy()))) EXPECT_EQ(verdict.kind, Kind::Fine);
}

TEST(Health, APipelineOfItsOwnThatStandsStillIsToBlame) {
    const auto verdicts = judge({standing()});
    EXPECT_EQ(verdicts[0].kind, Kind::Culprit);
    EXPECT_EQ(verdicts[0].reason, "no buffer has reached its ports for 3.00 s");
}

TEST(Health, TheMostUpstreamIsToBlame) {
    const auto verdicts = judge(linked(standing(), standing()));
    EXPECT_EQ(verdicts[0].kind, Kind::Culprit);
    EXPECT_EQ(verdicts[1].kind, Kind::Excused);
}

TEST(Health, AProcessThatDoesNotReportIsToBlameWhereverItStands) {
    Vitals stopped = standing();
    stopped.silent = 3s;
    const auto verdicts = judge(linked(standing(), stopped));
    EXPECT_EQ(verdicts[0].kind, Kind::Excused) << "its receiver holds it back";
    EXPECT_EQ(verdicts[1].kind, Kind::Culprit);
}

TEST(Health, AReceiverThatDoesNotTakeWhatHasArrivedIsToBlame) {
    Vitals stuck = standing();
    stuck.queued_bytes = 1'000'000;
    const auto verdicts = judge(linked(standing(), stuck));
    EXPECT_EQ(verdicts[0].kind, Kind::Excused);
    EXPECT_EQ(verdicts[1].kind, Kind::Culprit);
}

TEST(Health, AReceiverIsNotToBlameForADeadSenderOrALostLink) {
    Vitals dead;
    EXPECT_EQ(judge(linked(dead, standing()))[1].kind, Kind::Excused);
    Vitals cut = standing();
    cut.link_up = false;
    EXPECT_EQ(judge(linked(healthy(), cut))[1].kind, Kind::Excused);
}

TEST(Health, AReceiverThatGetsNothingFromASenderThatMovesIsToBlame) {
    EXPECT_EQ(judge(linked(healthy(), standing()))[1].kind, Kind::Culprit);
}

TEST(Health, ASenderWithoutReceiverWaits) {
    auto pipelines = linked(standing(), healthy());
    pipelines[0].clients = 0;
    EXPECT_EQ(judge(pipelines)[0].kind, Kind::Excused);
}

TEST(Health, ASenderThatNeverSentHasItsStartTime) {
    Vitals starting = healthy();
    starting.flowing = false;
    starting.still = starting.silent = 3s;
    EXPECT_EQ(judge({starting})[0].kind, Kind::Fine) << "loading plugins may take a while";
    starting.still = 11s;
    starting.silent = 100ms;
    EXPECT_EQ(judge({starting})[0].kind, Kind::Culprit);
    EXPECT_EQ(judge(linked(starting, standing()))[1].kind, Kind::Excused);
}

TEST(Health, InAChainOnlyTheFirstThatHangsIsToBlame) {
    Vitals relay = standing();
    relay.has_out = true;
    relay.clients = 1;
    auto chain = linked(healthy(), relay);
    chain[1].downstream = {2};
    chain.push_back(standing());
    chain[2].upstream = {1};
    const auto verdicts = judge(chain);
    EXPECT_EQ(verdicts[0].kind, Kind::Fine);
    EXPECT_EQ(verdicts[1].kind, Kind::Culprit);
    EXPECT_EQ(verdicts[2].kind, Kind::Excused);
}

}  // namespace
}  // namespace hawser::supervise
