#include "runtime/supervise/launch_plan.h"

#include <gtest/gtest.h>

namespace hawser::supervise {
namespace {

graph::Graph two(const std::string& address = {}, graph::Link::Mode mode = graph::Link::LOSSLESS) {
    graph::Graph graph;
    graph.add_pipelines()->set_name("camera");
    graph.add_pipelines()->set_name("recorder");
    auto* link = graph.add_links();
    link->set_from("camera");
    link->set_to("recorder");
    link->set_mode(mode);
    link->set_resume_ms(30'000);
    link->set_address(address);
    return graph;
}

TEST(LaunchPlan, AFreeLoopbackPortFirstTheSameOneLater) {
    const auto graph = two();
    auto setup = plan(graph, graph.pipelines(0), 0, 0, {});
    ASSERT_EQ(setup.ends_size(), 1);
    EXPECT_EQ(setup.ends(0).element(), "out");
    EXPECT_EQ(setup.ends(0).uri(), "hawser://127.0.0.1:0/camera?mode=listener");
    setup = plan(graph, graph.pipelines(0), 40123, 0, {});
    EXPECT_EQ(setup.ends(0).uri(), "hawser://127.0.0.1:40123/camera?mode=listener");
}

TEST(LaunchPlan, AReceiverIsToldItsSendersPort) {
    const auto graph = two();
    const auto setup = plan(graph, graph.pipelines(1), 0, 40123, {});
    ASSERT_EQ(setup.ends_size(), 1);
    EXPECT_EQ(setup.ends(0).element(), "in");
    EXPECT_EQ(setup.ends(0).uri(), "hawser://127.0.0.1:40123/camera?mode=caller");
}

TEST(LaunchPlan, AGivenAddressIsKeptAndReachedFromHere) {
    auto graph = two("0.0.0.0:7000");
    EXPECT_EQ(plan(graph, graph.pipelines(0), 7000, 0, {}).ends(0).uri(),
              "hawser://0.0.0.0:7000/camera?mode=listener");
    EXPECT_EQ(plan(graph, graph.pipelines(1), 0, 7000, {}).ends(0).uri(),
              "hawser://127.0.0.1:7000/camera?mode=caller");
    graph = two("[::1]:0");
    EXPECT_EQ(plan(graph, graph.pipelines(0), 0, 0, {}).ends(0).uri(),
              "hawser://[::1]:0/camera?mode=listener");
    EXPECT_EQ(plan(graph, graph.pipelines(1), 0, 41, {}).ends(0).uri(),
              "hawser://[::1]:41/camera?mode=caller");
}

TEST(LaunchPlan, TheModeBecomesProperties) {
    auto graph = two();
    const auto lossless = plan(graph, graph.pipelines(0), 0, 0, {}).ends(0).properties();
    EXPECT_EQ(lossless.at("slow-client-policy"), "block");
    EXPECT_EQ(lossless.at("wait-for-connection"), "true");
    EXPECT_EQ(lossless.at("max-size-time"), "30000000000");
    graph = two({}, graph::Link::LIVE);
    const auto live = plan(graph, graph.pipelines(0), 0, 0, {}).ends(0).properties();
    EXPECT_EQ(live.at("slow-client-policy"), "drop");
    EXPECT_EQ(live.at("wait-for-connection"), "false");
}

TEST(LaunchPlan, APipelineWithoutLinksHasNoEnds) {
    graph::Graph graph;
    graph.add_pipelines()->set_launch("fakesrc ! fakesink");
    const auto setup = plan(graph, graph.pipelines(0), 0, 0, {.log_level = "debug", .drain_ms = 7});
    EXPECT_EQ(setup.ends_size(), 0);
    EXPECT_EQ(setup.launch(), "fakesrc ! fakesink");
    EXPECT_EQ(setup.log_level(), "debug");
    EXPECT_EQ(setup.drain_ms(), 7u);
}

}  // namespace
}  // namespace hawser::supervise
