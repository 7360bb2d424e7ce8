// Whatever is in the file: reading ends, and says something.
#include <gtest/gtest.h>

#include "graph/model/launch_text.h"
#include "runtime/base/random.h"
#include "tests/unit/graph/text.h"

namespace hawser::graph {
namespace {

constexpr const char* kSeed = R"(hawser: 1
vars: { clip: "${CLIP:-/a/b.webm}", more: '${clip}' }
pipelines:
  camera:
    launch: |
      filesrc location="${clip}" ! video/x-raw,width=5 ! ( queue ) ! out.video   # the link's end
    restart: { policy: always, backoff: 250ms..30s, intensity: 5/60s }
  recorder: &r
    launch: in.video ! matroskamux ! filesink location=${more}
    health: { start: 10s, stall: 2s }
links:
  - { from: camera, to: recorder, mode: live, resume: 1.5m, address: "[::1]:7000" }
drill: [ { at: 5s, cut: recorder }, { at: 20s, kill: camera } ]
)";

std::string mutate(std::string text, Random& random) {
    static const std::vector<std::string> pieces = {
        "{",     "}",    "[",         "]",  ":",    "\n",    "\t",           "${",       "}",
        "\"",    "'",    "#",         "|",  ">",    "&a",    "*r",           "<<: *r",   "!",
        "!!map", "- ",   "? ",        "\\", "\r\n", "---\n", "\xef\xbb\xbf", "\xc3\xa9", "%YAML 1.1\n",
        ".",     "out.", "\"\\x00\"", "~",  "name="};
    for (std::uint64_t edits = 1 + random.below(6); edits > 0 && !text.empty(); --edits) {
        const std::size_t at = random.below(text.size());
        switch (random.below(5)) {
            case 0:
                text[at] = static_cast<char>(random.below(256));
                break;
            case 1:
                text.erase(at, 1 + random.below(12));
                break;
            case 2:
                text.insert(at, pieces[random.below(pieces.size())]);
                break;
            case 3:
                text.insert(at, text.substr(random.below(text.size()), random.below(40)));
                break;
            default:
                text.resize(random.below(8) == 0 ? at : text.size());
                break;
        }
    }
    return text;
}

TEST(Mutation, NoDescriptionCrashesTheReader) {
    SeededRandom random(20260101);
    int broken = 0;
    for (int i = 0; i < 3000; ++i) {
        const std::string text = mutate(kSeed, random);
        const ReadResult result = read_yaml_text(text);
        if (!result.ok()) ++broken;
        const std::string told = reported(result);
        ASSERT_EQ(result.ok(), told.find("error:") == std::string::npos) << text;
        Graph copy;
        ASSERT_TRUE(copy.ParseFromString(result.graph.SerializeAsString())) << text;
        for (const auto& pipeline : result.graph.pipelines()) (void)locate(pipeline, random.below(200), 5);
    }
    EXPECT_GT(broken, 1000);
}

TEST(Mutation, NoLaunchTextCrashesTheTokenizer) {
    SeededRandom random(7);
    const std::string seed =
        "a.( x=5 ! b ) .p,q ! video/x-raw,f=\"!\" ! file:///x name=\"a\\\"b\" c. , d @p e";
    for (int i = 0; i < 20000; ++i) {
        const std::string text = mutate(seed, random);
        const LaunchText parsed = parse_launch_text(text);
        for (const auto& element : parsed.elements) ASSERT_LE(element.at.end(), text.size()) << text;
        for (const auto& reference : parsed.references) ASSERT_LE(reference.at.end(), text.size()) << text;
        for (const auto& problem : parsed.problems) ASSERT_LE(problem.at.end(), text.size()) << text;
        for (const auto& uri : parsed.uris) ASSERT_LE(uri.end(), text.size()) << text;
        ASSERT_EQ(blank_comments(text).size(), text.size());
    }
}

TEST(Mutation, DeepNestingEnds) {
    for (const char* open : {"[", "{", "- ", "? ", "{a: ", "[[{"}) {
        std::string text = "hawser: 1\npipelines: ";
        for (int i = 0; i < 20000; ++i) text += open;
        EXPECT_FALSE(read_yaml_text(text).ok());
    }
}

}  // namespace
}  // namespace hawser::graph
