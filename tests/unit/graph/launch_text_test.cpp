#include "graph/model/launch_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hawser::graph {
namespace {

using ::testing::ElementsAre;

TEST(LaunchText, FindsElementsPropertiesAndReferences) {
    const std::string launch =
        "videotestsrc pattern=ball name=v ! video/x-raw, width=320 ! tee name=\"t\"  t.src_0 ! queue ! "
        "out.video t. ! fakesink";
    const LaunchText text = parse_launch_text(launch);
    ASSERT_EQ(text.elements.size(), 4u);
    EXPECT_EQ(text.elements[0].factory, "videotestsrc");
    EXPECT_EQ(text.elements[0].name, "v");
    ASSERT_EQ(text.elements[0].properties.size(), 2u);
    EXPECT_EQ(text.elements[0].properties[0].name, "pattern");
    EXPECT_EQ(text.elements[0].properties[0].value, "ball");
    EXPECT_EQ(launch.substr(text.elements[0].properties[0].value_at.offset,
                            text.elements[0].properties[0].value_at.length),
              "ball");
    EXPECT_EQ(text.elements[1].name, "t");
    ASSERT_EQ(text.caps.size(), 1u);
    EXPECT_EQ(text.caps[0].text, "video/x-raw, width=320");
    ASSERT_EQ(text.references.size(), 3u);
    EXPECT_EQ(text.references[1].element, "out");
    EXPECT_EQ(text.references[1].pad, "video");
    EXPECT_TRUE(text.problems.empty());
    EXPECT_TRUE(text.mentions("out"));
    EXPECT_TRUE(text.mentions("t"));
    EXPECT_FALSE(text.mentions("in"));
    std::vector<bool> right;
    for (const auto& node : text.nodes) right.push_back(node.linked_right);
    EXPECT_THAT(right, ElementsAre(true, true, false, true, true, false, true, false));
}

TEST(LaunchText, ReadsValuesAsGStreamerDoes) {
    const LaunchText text = parse_launch_text(
        R"(a x="p q" y=p\ q z = "say \"hi\" \\" w=a!b u="a"b caps="video/x-raw,format=(string)\"I420\"")");
    ASSERT_EQ(text.elements.size(), 1u);
    std::vector<std::string> values;
    for (const auto& property : text.elements[0].properties) values.push_back(property.value);
    EXPECT_THAT(values, ElementsAre("p q", "p q", "say \"hi\" \\", "a!b", "\"a\"b",
                                    "video/x-raw,format=(string)\"I420\""));
}

TEST(LaunchText, BinsUrisPresetsAndPads) {
    const LaunchText text = parse_launch_text(
        "file:///a/b.ogg ! bin.( name=b queue ! identity ) ! d .src_0,src_1 ! ( fakesink ) x264enc @Zero "
        "p=1");
    EXPECT_EQ(text.uris.size(), 1u);
    ASSERT_GE(text.elements.size(), 5u);
    EXPECT_EQ(text.elements[0].name, "b");
    EXPECT_TRUE(text.elements[0].bin);
    EXPECT_EQ(text.references[0].pad, "src_0,src_1");
    EXPECT_TRUE(text.problems.empty()) << text.problems[0].message;
    EXPECT_EQ(text.elements.back().properties.size(), 1u);
}

TEST(LaunchText, SeesProblems) {
    const auto problems = [](const char* launch) {
        std::vector<std::string> all;
        for (const auto& problem : parse_launch_text(launch).problems)
            all.push_back(std::to_string(problem.at.offset) + " " + problem.message);
        return all;
    };
    EXPECT_THAT(problems("! a"), ElementsAre("0 this link comes from nowhere"));
    EXPECT_THAT(problems("a !"), ElementsAre("2 this link leads nowhere"));
    EXPECT_THAT(problems("a ! x. ! b"), ElementsAre("7 this link comes from nowhere"));
    EXPECT_THAT(problems("( a ! b"), ElementsAre("0 this bracket is not closed"));
    EXPECT_THAT(problems("a ) b"), ElementsAre("2 this bracket was never opened"));
    EXPECT_THAT(problems("a x= "), ElementsAre("2 a value is missing after \"x=\""));
    EXPECT_THAT(problems("x=5 a"), ElementsAre("0 no element stands before this property"));
    EXPECT_THAT(problems("a ! video/x-raw"),
                ElementsAre("4 caps stand only between two links: a \"!\" is missing after them"));
    EXPECT_THAT(problems("a ; b"),
                ElementsAre("2 this is neither an element nor a property, a link or a reference"));
}

TEST(LaunchText, BlanksComments) {
    EXPECT_EQ(blank_comments("a ! b # it's\n#c\nd x=#5 y=\"# \" e#f"),
              "a ! b       \n  \nd x=#5 y=\"# \" e#f");
    EXPECT_EQ(blank_comments("#"), " ");
    EXPECT_EQ(blank_comments(""), "");
}

}  // namespace
}  // namespace hawser::graph
