// Every description in pipelines/ is sound; e2e tests run them.
#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "graph/build/launch_check.h"
#include "graph/model/read.h"
#include "graph/model/report.h"

namespace hawser::graph {
namespace {

TEST(Examples, AreSound) {
    gst_init(nullptr, nullptr);
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(HAWSER_PIPELINES)) {
        if (!entry.is_regular_file()) continue;
        ++count;
        SCOPED_TRACE(entry.path());
        const ReadResult result = read_graph(entry.path());
        EXPECT_TRUE(result.ok()) << report(result.diagnostics, result.sources);
        Diagnostics others;
        const Diagnostics all = check_launches(result.graph);
        for (const auto& found : all.diagnostics())
            // Hawser's own plugin need not be there in a unit test.
            if (found.message().find("no element \"hawsers") == std::string::npos)
                *others.add_diagnostics() = found;
        EXPECT_FALSE(has_errors(others)) << report(others, result.sources);
    }
    EXPECT_GE(count, 4);
}

TEST(Examples, FirstRunTakesAnyClip) {
    ReadOptions options;
    options.set["clip"] = "/a \"strange\" name.webm";
    const ReadResult result = read_graph(std::string(HAWSER_PIPELINES) + "/first-run.yaml", options);
    ASSERT_TRUE(result.ok()) << report(result.diagnostics, result.sources);
    EXPECT_THAT(result.graph.pipelines(0).launch(),
                ::testing::HasSubstr("location=\"/a \\\"strange\\\" name.webm\""));
    EXPECT_EQ(result.graph.drill_size(), 3);
    EXPECT_EQ(result.graph.pipelines(0).stop_ms(), 40000u);
    EXPECT_EQ(result.graph.vars().count("recording"), 1u);
}

}  // namespace
}  // namespace hawser::graph
