#include "graph/model/read.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "graph/model/dump.h"
#include "graph/model/launch_text.h"
#include "tests/unit/graph/text.h"

namespace hawser::graph {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// The design's own example.
constexpr const char* kStudio = R"(hawser: 1
vars: { clip: "${CLIP:-/a/b.webm}" }
pipelines:
  camera:
    launch: |
      uridecodebin uri=${clip} ! videoconvert ! x264enc tune=zerolatency ! out.video   # out = the link's end
    restart: { policy: always, backoff: 250ms..30s, intensity: 5/60s }
    health: { start: 10s, stall: 2s }
  recorder:
    launch: in.video ! h264parse ! matroskamux ! filesink location=out.mkv
links:
  - { from: camera, to: recorder, mode: live, resume: 1.5m, address: "[::1]:7000" }
drill:
  - { at: 20s, kill: camera }
  - { at: 5s, cut: recorder }
)";

TEST(Read, TakesEverythingTheDesignShows) {
    const ReadResult result = read_yaml_text(kStudio);
    ASSERT_TRUE(result.ok()) << reported(result);
    const Graph& graph = result.graph;
    ASSERT_EQ(graph.pipelines_size(), 2);
    const Pipeline& camera = graph.pipelines(0);
    EXPECT_EQ(camera.name(), "camera");
    EXPECT_THAT(camera.launch(), HasSubstr("uridecodebin uri=/a/b.webm ! videoconvert"));
    EXPECT_THAT(camera.launch(), Not(HasSubstr("link's")));
    EXPECT_EQ(camera.restart().policy(), RestartPolicy::ALWAYS);
    EXPECT_EQ(camera.restart().backoff_min_ms(), 250u);
    EXPECT_EQ(camera.restart().backoff_max_ms(), 30000u);
    EXPECT_EQ(camera.restart().intensity_count(), 5u);
    EXPECT_EQ(camera.restart().intensity_window_ms(), 60000u);
    EXPECT_EQ(camera.health().start_ms(), 10000u);
    EXPECT_EQ(camera.health().stall_ms(), 2000u);
    ASSERT_EQ(graph.links_size(), 1);
    EXPECT_EQ(graph.links(0).mode(), Link::LIVE);
    EXPECT_EQ(graph.links(0).resume_ms(), 90000u);
    EXPECT_EQ(graph.links(0).address(), "[::1]:7000");
    ASSERT_EQ(graph.drill_size(), 2);
    EXPECT_EQ(graph.drill(0).kind(), Fault::CUT) << "sorted by time";
    EXPECT_EQ(graph.drill(0).at_ms(), 5000u);
    EXPECT_EQ(graph.drill(1).kind(), Fault::KILL);
    EXPECT_EQ(graph.vars().at("clip"), "/a/b.webm");
}

TEST(Read, FillsInDefaults) {
    const ReadResult result = read_yaml_text(
        "hawser: 1\npipelines: { a: { launch: fakesrc ! out. }, b: { launch: in. ! fakesink } }\nlinks: "
        "[{from: a, to: b}]\n");
    ASSERT_TRUE(result.ok()) << reported(result);
    const Pipeline& a = result.graph.pipelines(0);
    EXPECT_EQ(a.restart().policy(), RestartPolicy::ON_FAILURE);
    EXPECT_EQ(a.restart().backoff_min_ms(), 250u);
    EXPECT_EQ(a.restart().backoff_max_ms(), 5000u);
    EXPECT_EQ(a.restart().intensity_count(), 5u);
    EXPECT_EQ(a.restart().intensity_window_ms(), 60000u);
    EXPECT_EQ(a.health().start_ms(), 10000u);
    EXPECT_EQ(a.health().stall_ms(), 5000u);
    EXPECT_EQ(result.graph.links(0).mode(), Link::LOSSLESS);
    EXPECT_EQ(result.graph.links(0).resume_ms(), 30000u);
}

// Every position that a diagnostic may point at leads back to the characters of the file.
TEST(Read, KnowsWhereTheLaunchTextWasWritten) {
    const struct {
        const char* what;
        const char* yaml;
    } forms[] = {
        {"literal",
         "hawser: 1\npipelines:\n  a:\n    launch: |\n      videotestsrc !  # from\n        videoconvert "
         "name=x\n      ! fakesink\n"},
        {"folded",
         "hawser: 1\npipelines:\n  a:\n    launch: >-\n      videotestsrc !\n      videoconvert name=x\n     "
         " ! fakesink\n"},
        {"plain",
         "hawser: 1\npipelines:\n  a:\n    launch: videotestsrc !\n      videoconvert name=x\n      ! "
         "fakesink # end\n"},
        {"double quotes",
         "hawser: 1\npipelines:\n  a:\n    launch: \"videotestsrc ! \\\n      videoconvert name=\\\"x\\\" ! "
         "fakesink\"\n"},
        {"single quotes",
         "hawser: 1\npipelines: {a: {launch: 'videotestsrc name=''it''  ! videoconvert ! fakesink'}}\n"},
        {"CRLF",
         "hawser: 1\r\npipelines:\r\n  a:\r\n    launch: |\r\n      videotestsrc !\r\n      videoconvert ! "
         "fakesink\r\n"},
        {"variables",
         "hawser: 1\nvars: {v: 'a long value of some words', w: x}\npipelines:\n  a:\n    launch: |\n      "
         "videotestsrc name=\"${v}\" ! ${w}\n      videoconvert ! fakesink name=${w}\n"},
    };
    for (const auto& form : forms) {
        SCOPED_TRACE(form.what);
        const ReadResult result = read_yaml_text(form.yaml);
        ASSERT_EQ(result.graph.pipelines_size(), 1);
        const Pipeline& a = result.graph.pipelines(0);
        std::vector<std::string> source;
        for (std::string rest = form.yaml; !rest.empty();) {
            const std::size_t end = rest.find('\n');
            source.push_back(rest.substr(0, end));
            rest = end == std::string::npos ? "" : rest.substr(end + 1);
        }
        const LaunchText text = parse_launch_text(a.launch());
        ASSERT_GE(text.elements.size(), 3u);
        for (const auto& element : text.elements) {
            if (element.factory == "x") continue;  // from a variable
            const Location where = locate(a, element.at.offset, element.at.length);
            EXPECT_EQ(where.file(), "g.yaml");
            EXPECT_EQ(source.at(where.line() - 1).substr(where.column() - 1, where.length()),
                      element.factory);
        }
    }
}

TEST(Read, PointsAtTheVariableForWhatCameFromIt) {
    const ReadResult result = read_yaml_text(
        "hawser: 1\nvars: {enc: x264enc tune=1}\npipelines:\n  a:\n    launch: videotestsrc ! ${enc} "
        "bitrate=1 ! fakesink\n");
    ASSERT_TRUE(result.ok()) << reported(result);
    const Pipeline& a = result.graph.pipelines(0);
    const LaunchText text = parse_launch_text(a.launch());
    ASSERT_EQ(text.elements[1].factory, "x264enc");
    const Location enc = locate(a, text.elements[1].at.offset, text.elements[1].at.length);
    EXPECT_EQ(to_string(enc), "g.yaml:5:28");
    EXPECT_EQ(enc.length(), 6u);
    const Span bitrate = text.elements[1].properties[1].name_at;
    EXPECT_EQ(to_string(locate(a, bitrate.offset, bitrate.length)), "g.yaml:5:35");
}

TEST(Read, QuotedVariablesStayOneValue) {
    const std::string yaml =
        "hawser: 1\nvars: {f: 'a \"b\" \\c.mkv'}\npipelines: {a: {launch: 'fakesrc ! filesink "
        "location=\"${f}\"'}}\n";
    const ReadResult result = read_yaml_text(yaml);
    ASSERT_TRUE(result.ok()) << reported(result);
    const LaunchText text = parse_launch_text(result.graph.pipelines(0).launch());
    ASSERT_EQ(text.elements[1].properties.size(), 1u);
    EXPECT_EQ(text.elements[1].properties[0].value, "a \"b\" \\c.mkv");
}

TEST(Variables, SettingsGoBeforeTheFileAndTheFileBeforeTheEnvironment) {
    const std::string yaml =
        "hawser: 1\nvars: {clip: '${HOME_CLIP}', other: '${clip}!', plain: 5}\npipelines: {a: {launch: "
        "'fakesrc name=\"${other}\" ! fakesink'}}\n";
    EXPECT_THAT(read_yaml_text(yaml).graph.pipelines(0).launch(), HasSubstr("\"/srv/me/a clip.webm!\""));
    EXPECT_THAT(read_yaml_text(yaml, {{"clip", "x"}}).graph.pipelines(0).launch(), HasSubstr("\"x!\""));
    EXPECT_THAT(read_yaml_text(yaml, {{"other", "y"}}).graph.pipelines(0).launch(), HasSubstr("\"y\""));
}

TEST(Variables, DefaultsAndEscapes) {
    const std::string yaml =
        "hawser: 1\npipelines: {a: {launch: 'fakesrc name=${n:-x} ! fakesink name=$${n}'}}\n";
    EXPECT_EQ(read_yaml_text(yaml).graph.pipelines(0).launch(), "fakesrc name=x ! fakesink name=${n}");
    EXPECT_EQ(read_yaml_text(yaml, {{"n", "y"}}).graph.pipelines(0).launch(),
              "fakesrc name=y ! fakesink name=${n}");
}

TEST(Variables, ComplainsOfUnknownOnes) {
    const ReadResult result = read_yaml_text(
        "hawser: 1\nvars: {clip: '${NO_SUCH}', unused: '${NO_SUCH}'}\npipelines: {a: {launch: 'fakesrc "
        "name=${clop} ! ${clip} ! fakesink ${x'}}\n",
        {{"clib", "x"}});
    const std::string text = reported(result);
    EXPECT_THAT(text, HasSubstr("error: --set clib: the description has no such variable"));
    EXPECT_THAT(text, HasSubstr("g.yaml:3:39: error: unknown variable \"clop\""));
    EXPECT_THAT(text, HasSubstr("did you mean \"clip\"?"));
    EXPECT_THAT(
        text,
        HasSubstr("g.yaml:2:14: error: variable \"clip\" takes its value from NO_SUCH, which is not set"));
    EXPECT_THAT(text, HasSubstr("no closing \"}\""));
    EXPECT_THAT(text, Not(HasSubstr("\"unused\""))) << "nobody asks for it";
}

TEST(Variables, DoNotGrowWithoutEnd) {
    std::string yaml = "hawser: 1\nvars:\n  a0: xxxxxxxxxxxxxxxx\n";
    for (int i = 1; i < 60; ++i)
        yaml += "  a" + std::to_string(i) + ": ${a" + std::to_string(i - 1) + "}${a" + std::to_string(i - 1) +
                "}\n";
    yaml += "pipelines: {a: {launch: 'fakesrc name=${a59} ! fakesink'}}\n";
    const ReadResult result = read_yaml_text(yaml);
    EXPECT_FALSE(result.ok());
    EXPECT_THAT(reported(result), HasSubstr("beyond 1 MiB"));
}

TEST(Read, TakesABareLaunchFile) {
    const ReadResult result =
        read_graph_text("# a comment\nvideotestsrc num-buffers=5 !\n  fakesink\n", "dir/test card.launch");
    ASSERT_TRUE(result.ok()) << reported(result);
    ASSERT_EQ(result.graph.pipelines_size(), 1);
    const Pipeline& pipeline = result.graph.pipelines(0);
    EXPECT_EQ(pipeline.name(), "test_card");
    EXPECT_EQ(to_string(pipeline.launch_location()), "dir/test card.launch:2:1");
    const LaunchText text = parse_launch_text(pipeline.launch());
    ASSERT_EQ(text.elements.size(), 2u);
    EXPECT_EQ(to_string(locate(pipeline, text.elements[1].at.offset)), "dir/test card.launch:3:3");
}

TEST(Read, JoinsSeveralFiles) {
    const std::string dir = ::testing::TempDir();
    std::ofstream(dir + "one.yaml")
        << "hawser: 1\nvars: {n: 5}\npipelines: {a: {launch: 'fakesrc num-buffers=${n} ! out.'}}\n";
    std::ofstream(dir + "two.yaml")
        << "hawser: 1\npipelines: {b: {launch: 'in. ! fakesink'}}\nlinks: [{from: a, to: b}]\n";
    ReadOptions options;
    options.set["n"] = "7";
    const ReadResult result = read_graphs({dir + "one.yaml", dir + "two.yaml"}, options);
    EXPECT_TRUE(result.ok()) << reported(result);
    EXPECT_EQ(result.graph.pipelines_size(), 2);
    EXPECT_EQ(result.graph.pipelines(0).launch(), "fakesrc num-buffers=7 ! out.");
    EXPECT_FALSE(read_graph(dir + "two.yaml").ok()) << "alone it links to a pipeline that is not there";
}

TEST(Read, SaysWhyAFileCannotBeRead) {
    EXPECT_THAT(reported(read_graph("/no/such.yaml")),
                HasSubstr("/no/such.yaml: error: cannot be read: No such file or directory"));
    EXPECT_THAT(reported(read_graph("/usr")), HasSubstr("/usr: error: cannot be read: Is a directory"));
    EXPECT_THAT(reported(read_graph_text(std::string("a\0b", 3), "x.yaml")), HasSubstr("not a text file"));
    EXPECT_THAT(reported(read_graph_text("hawser: 1\nx: \xff\n", "x.yaml")),
                HasSubstr("x.yaml:2:4: error: not valid UTF-8"));
    EXPECT_THAT(reported(read_graph_text("", "x.yaml")),
                HasSubstr("a description is a map, this is nothing"));
    EXPECT_THAT(reported(read_graph_text("", "x.launch")), HasSubstr("empty launch text"));
}

TEST(Dump, BothTextFormsComeBackTheSame) {
    const ReadResult result = read_yaml_text(kStudio);
    const Graph plain = without_locations(result.graph);
    const ReadResult json = read_graph_text(to_json(result.graph), "g.json");
    EXPECT_TRUE(json.ok()) << reported(json);
    EXPECT_EQ(without_locations(json.graph).SerializeAsString(), plain.SerializeAsString());
    const ReadResult text = read_graph_text(to_textproto(result.graph), "g.textproto");
    EXPECT_TRUE(text.ok()) << reported(text);
    EXPECT_EQ(without_locations(text.graph).SerializeAsString(), plain.SerializeAsString());
}

TEST(Dump, ReportsWhatItCannotRead) {
    EXPECT_THAT(reported(read_graph_text("version: 1\npipelinez {}\n", "g.textproto")),
                HasSubstr("g.textproto:2:1"));
    EXPECT_THAT(reported(read_graph_text("{\"pipelinez\": []}", "g.json")),
                HasSubstr("g.json: error: not a graph in JSON"));
    EXPECT_THAT(reported(read_graph_text("links { from: \"a\" to: \"b\" }", "g.textproto")),
                HasSubstr("error: the description has no pipelines"));
}

}  // namespace
}  // namespace hawser::graph
