#include "graph/model/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/graph/text.h"

namespace hawser::graph {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> messages(const std::string& rest) {
    return lines(read_yaml_text("hawser: 1\n" + rest).diagnostics);
}

// Pipelines a → b → … each of which can send and receive.
std::string relays(const std::string& names) {
    std::string yaml = "pipelines:\n";
    for (const char c : names) yaml += std::string("  ") + c + ": { launch: in. ! out. }\n";
    return yaml;
}

TEST(Check, NamesEveryMistakeAtOnce) {
    const ReadResult result = read_yaml_text(R"(hawser: 1
vars: { clip: /a.webm }
pipelines:
  camera:
    launch: |
      filesrc location=${clap} ! decodebin !
      out.video
    restart: { polcy: always, backoff: 30s..1s, intensity: 5 }
  recorder:
    lunch: in.video ! fakesink
    health: { start: 10, stall: soon }
links:
  - { from: camera, to: recoder }
  - { from: camera, to: camera, mode: loosless }
drill:
  - { at: 5s, cut: camera }
  - { kill: camra, at: 1s }
)");
    EXPECT_EQ(reported(result), R"(g.yaml:6:24: error: unknown variable "clap"
    6 |       filesrc location=${clap} ! decodebin !
      |                        ^~~~~~~
      hint: did you mean "clip"?
g.yaml:8:16: error: unknown key "polcy" in restart
    8 |     restart: { polcy: always, backoff: 30s..1s, intensity: 5 }
      |                ^~~~~
      hint: did you mean "policy"?
g.yaml:8:40: error: backoff cannot be "30s..1s"
    8 |     restart: { polcy: always, backoff: 30s..1s, intensity: 5 }
      |                                        ^~~~~~~
      hint: expected a range of durations, the shorter first: 250ms..30s
g.yaml:8:60: error: intensity cannot be "5"
    8 |     restart: { polcy: always, backoff: 30s..1s, intensity: 5 }
      |                                                            ^
      hint: expected restarts/duration: 5/60s
g.yaml:10:5: error: unknown key "lunch" in pipeline "recorder"
   10 |     lunch: in.video ! fakesink
      |     ^~~~~
      hint: did you mean "launch"?
g.yaml:11:22: error: start cannot be "10"
   11 |     health: { start: 10, stall: soon }
      |                      ^~
      hint: expected a duration with its unit, more than 0 and at most 1000 h: 250ms, 2s, 1.5m, 1h
g.yaml:11:33: error: stall cannot be "soon"
   11 |     health: { start: 10, stall: soon }
      |                                 ^~~~
      hint: expected a duration with its unit, more than 0 and at most 1000 h: 250ms, 2s, 1.5m, 1h
g.yaml:13:25: error: this link goes to the unknown pipeline "recoder"
   13 |   - { from: camera, to: recoder }
      |                         ^~~~~~~
      hint: did you mean "recorder"?
g.yaml:14:25: error: this link goes from "camera" to itself
   14 |   - { from: camera, to: camera, mode: loosless }
      |                         ^~~~~~
g.yaml:14:39: error: mode cannot be "loosless"
   14 |   - { from: camera, to: camera, mode: loosless }
      |                                       ^~~~~~~~
      hint: did you mean "lossless"?
g.yaml:16:20: error: there is no connection to cut: no link goes to "camera"
   16 |   - { at: 5s, cut: camera }
      |                    ^~~~~~
      hint: cut names the receiving end of a link
g.yaml:17:13: error: this drill names the unknown pipeline "camra"
   17 |   - { kill: camra, at: 1s }
      |             ^~~~~
      hint: did you mean "camera"?
)");
}

TEST(Check, FindsLoops) {
    EXPECT_THAT(messages(relays("abc") + "links: [{from: a, to: b}, {from: b, to: c}]\n"),
                ElementsAre("3:16 \"in.\" has no sender: no link goes to \"a\"",
                            "5:22 \"out.\" leads nowhere: no link starts from \"c\""));
    EXPECT_THAT(messages(relays("abc") + "links: [{from: a, to: b}, {from: b, to: c}, {from: c, to: a}]\n"),
                ElementsAre(HasSubstr("these links form a loop")));
}

TEST(Check, FindsDoubles) {
    EXPECT_THAT(messages("pipelines:\n  a: { launch: fakesrc ! out. }\n  b: { launch: in. ! fakesink }\n  a: "
                         "{ launch: fakesrc ! fakesink }\n"
                         "links: [{from: a, to: b}, {from: a, to: b}]\n"),
                ElementsAre("5:3 two pipelines are named \"a\"", HasSubstr("6:27 this link stands twice")));
    EXPECT_THAT(messages("pipelines:\n  a: { launch: fakesrc ! out. }\n  b: { launch: fakesrc ! out. }\n  c: "
                         "{ launch: in. ! fakesink }\n"
                         "links: [{from: a, to: c}, {from: b, to: c}]\n"),
                Contains(HasSubstr("\"c\" has two senders, \"a\" and \"b\"")));
}

TEST(Check, ASenderHasOneStream) {
    const std::string pipelines =
        "pipelines:\n  a: { launch: fakesrc ! out. }\n  b: { launch: in. ! fakesink }\n  c: { launch: in. ! "
        "fakesink }\n";
    EXPECT_THAT(messages(pipelines + "links: [{from: a, to: b}, {from: a, to: c}]\n"), IsEmpty());
    EXPECT_THAT(messages(pipelines + "links: [{from: a, to: b}, {from: a, to: c, mode: live, resume: 1s}]\n"),
                ElementsAre(HasSubstr("the links of \"a\" differ in mode"),
                            HasSubstr("the links of \"a\" differ in resume")));
}

TEST(Check, EndsMustBeInTheLaunchText) {
    EXPECT_THAT(
        messages("pipelines:\n  a: { launch: fakesrc ! fakesink }\n  b: { launch: fakesrc ! fakesink "
                 "}\nlinks: [{from: a, to: b}]\n"),
        ElementsAre("3:16 \"a\" sends to \"b\" (at g.yaml:5:9), but its launch text has no \"out.\"",
                    "4:16 \"b\" receives from \"a\" (at g.yaml:5:9), but its launch text has no \"in.\""));
    EXPECT_THAT(messages("pipelines:\n  a: { launch: fakesrc ! hawsersink name=out }\n  b: { launch: "
                         "hawsersrc name=in ! fakesink }\nlinks: [{from: a, to: b}]\n"),
                IsEmpty());
    EXPECT_THAT(reported(read_yaml_text("hawser: 1\npipelines: {a: {launch: fakesrc ! hawsersink}, b: "
                                        "{launch: in. ! fakesink}}\nlinks: [{from: a, to: b}]\n")),
                HasSubstr("hint: give this hawsersink name=out"));
}

TEST(Check, ReportsBrokenLaunchText) {
    EXPECT_THAT(messages("pipelines:\n  a: { launch: 'fakesrc ! ! fakesink name=\"x !' }\n"),
                ElementsAre("3:27 two links without an element between them", "3:43 this quote is not closed",
                            "3:46 this link leads nowhere"));
}

TEST(Check, WrongTypesEverywhere) {
    EXPECT_THAT(
        messages("pipelines: [a]\nlinks: {a: b}\ndrill: 5\nvars: [x]\n"),
        ElementsAre("2:12 pipelines is a map of names and pipelines, this is a list",
                    "3:8 links is a list, this is a map", "4:8 drill is a list, this is a single value",
                    "5:7 vars is a map of names and values, this is a list"));
    EXPECT_THAT(messages("pipelines: {a: 5, b: {launch: [x]}, 'c/d': {launch: fakesrc ! fakesink}, [x]: "
                         "5}\nlinks: [5, {from: [a], to: }]\ndrill: [{at: 1s}, {}]\n"),
                AllOf(Contains("2:16 pipeline \"a\" is a map, this is a single value"),
                      Contains("2:31 launch is gst-launch text, this is a list"),
                      Contains("2:37 \"c/d\" cannot be a pipeline's name"),
                      Contains(HasSubstr("from is a single value, this is a list")),
                      Contains(HasSubstr("to is a single value, this is nothing")),
                      Contains(HasSubstr("a drill's entry has one of"))));
    EXPECT_THAT(messages("hawsr: 2\n"), Contains("2:1 unknown key \"hawsr\" in the description"));
    EXPECT_THAT(
        lines(read_yaml_text("hawser: 2\npipelines: {a: {launch: fakesrc ! fakesink}}\n").diagnostics),
        ElementsAre("1:9 this format's version is 1, not \"2\""));
    EXPECT_THAT(lines(read_yaml_text("pipelines: {a: {launch: fakesrc ! fakesink}}\n").diagnostics),
                ElementsAre("1:1 the format's version is missing"));
}

TEST(Check, SyntaxErrorsHaveAPlaceAndAHint) {
    EXPECT_THAT(reported(read_yaml_text("hawser: 1\nvars: { clip: ${CLIP} }\n")),
                AllOf(HasSubstr("g.yaml:2:"), HasSubstr("not valid YAML"), HasSubstr("must be quoted")));
    EXPECT_THAT(reported(read_yaml_text("hawser: 1\npipelines:\n\ta: 5\n")), HasSubstr("not with tabs"));
}

TEST(Check, Addresses) {
    const std::string pipelines =
        "pipelines:\n  a: { launch: fakesrc ! out. }\n  b: { launch: in. ! fakesink }\n";
    for (const char* good : {"127.0.0.1:7000", "host-1.example:1", "'[::1]:0'", "0.0.0.0:65535"})
        EXPECT_THAT(messages(pipelines + "links: [{from: a, to: b, address: " + good + "}]\n"), IsEmpty())
            << good;
    for (const char* bad : {"127.0.0.1", "host:70000", "'::1:7000'", "host:x", "':7000'", "'a b:1'"})
        EXPECT_THAT(messages(pipelines + "links: [{from: a, to: b, address: " + bad + "}]\n"),
                    ElementsAre(HasSubstr("address cannot be")))
            << bad;
}

TEST(Check, OneMistakeDoesNotHideAnother) {
    const std::string pair = "pipelines:\n  a: { launch: fakesrc ! out. }\n  b: { launch: in. ! fakesink }\n";
    EXPECT_THAT(messages(pair + "links: [{ from: a, to: b }]\ndrill:\n  - { at: 5, cut: bb }\n"),
                ElementsAre("7:11 at cannot be \"5\"", "7:19 this drill names the unknown pipeline \"bb\""));
    EXPECT_THAT(
        messages("pipelines:\n  a: { launch: fakesrc ! out. }\n  b: { launch: fakesrc ! fakesink }\n"
                 "  c: { launch: in. ! fakesink }\nlinks:\n  - { from: a, to: c }\n  - { from: b, to: c }\n"),
        ElementsAre(HasSubstr("4:16 \"b\" sends to \"c\""), HasSubstr("8:20 \"c\" has two senders")));
    EXPECT_THAT(
        messages("pipelines:\n  a: { launch: fakesrc ! fakesink }\nlinks: [{ from: a, to: nobody }]\n"),
        ElementsAre(HasSubstr("but its launch text has no \"out.\""),
                    HasSubstr("unknown pipeline \"nobody\"")));
    EXPECT_THAT(messages(pair + "links: [{ from: a, to: b }, { from: x }]\n"),
                ElementsAre(HasSubstr("has no \"to\""), HasSubstr("unknown pipeline \"x\"")));
}

TEST(Check, WhatStandsBelowAMisspeltKeyIsReadToo) {
    const auto lines_of = [](const std::string& yaml) { return lines(read_yaml_text(yaml).diagnostics); };
    EXPECT_THAT(
        lines_of(
            "hawsr: 1\nvar: { x: fakesink }\npipelnes:\n  a:\n    lanch: fakesrc ! ${x}\n    stop: soon\n"),
        ElementsAre(HasSubstr("unknown key \"hawsr\""), HasSubstr("unknown key \"var\""),
                    HasSubstr("unknown key \"pipelnes\""), HasSubstr("unknown key \"lanch\""),
                    HasSubstr("stop cannot be \"soon\"")));
    // Where the right one stands there too, the other one is only unknown.
    EXPECT_THAT(messages("pipelines: { a: { launch: fakesrc ! fakesink, lanch: } }\n"),
                ElementsAre(HasSubstr("unknown key \"lanch\"")));
}

TEST(Check, WarnsOfATrackThatTheSenderDoesNotName) {
    const auto with = [](const std::string& out, const std::string& in) {
        return messages("pipelines:\n  a: { launch: fakesrc ! out." + out + " }\n  b: { launch: in." + in +
                        " ! fakesink }\nlinks: [{ from: a, to: b }]\n");
    };
    EXPECT_THAT(with("video", "vidio"), ElementsAre("4:16 \"a\" sends no track \"vidio\""));
    EXPECT_THAT(with("video", "video"), IsEmpty());
    EXPECT_THAT(with("sink_0", "src_0"), IsEmpty());
    EXPECT_THAT(with("", "anything"), IsEmpty());
    EXPECT_THAT(with("video", ""), IsEmpty());
}

TEST(Check, OneMistakeIsToldOnce) {
    EXPECT_THAT(messages("pipelines: { a: { launch: 'filesrc location=${nope} ! fakesink' } }\n"),
                ElementsAre(HasSubstr("unknown variable \"nope\"")));
    EXPECT_THAT(messages("pipelines:\n  a: { launch: \"${nope}\" }\n  b: { launch: in. ! fakesink }\nlinks: "
                         "[{ from: a, to: b }]\n"),
                ElementsAre(HasSubstr("unknown variable \"nope\"")));
    EXPECT_THAT(
        messages(
            "vars: { a: \"${b}\", b: \"${a}\" }\npipelines:\n  p:\n    launch: fakesrc ! ${a} ! fakesink\n"),
        ElementsAre(HasSubstr("variables \"a\" and \"b\" take their values from each other")));
    EXPECT_THAT(
        messages("pipelines:\n  ab: { launch: fakesrc ! out. }\n  recorder: { launch: in. ! fakesink }\n"
                 "links: [{ from: ab, to: recoder }]\n"),
        ElementsAre(HasSubstr("unknown pipeline \"recoder\"")));
}

TEST(Check, TextPastedFromAShellIsRecognised) {
    const ReadResult command = read_graph_text("gst-launch-1.0 -v videotestsrc ! fakesink\n", "a.launch", {});
    EXPECT_THAT(lines(command.diagnostics), ElementsAre("1:1 this is a command, not an element"));
    const ReadResult lines_end = read_graph_text("videotestsrc \\\n  ! fakesink\n", "a.launch", {});
    EXPECT_THAT(lines(lines_end.diagnostics), ElementsAre("1:14 a backslash at the line's end is a shell's"));
    const ReadResult caps =
        read_graph_text("videotestsrc ! 'video/x-raw, width=320' ! fakesink\n", "a.launch", {});
    EXPECT_THAT(lines(caps.diagnostics), ElementsAre("1:16 these quotes are a shell's"));
}

TEST(Check, NamesAreShownAsTheyWereWritten) {
    EXPECT_THAT(messages("pipelines: { ä: { launch: fakesrc ! fakesink } }\n"),
                ElementsAre(HasSubstr("\"ä\" cannot be")));
    EXPECT_THAT(messages("pipelines: { \"\\e[2J\": { launch: fakesrc ! fakesink } }\n"),
                ElementsAre(HasSubstr("\"\\x1b[2J\" cannot be")));
}

}  // namespace
}  // namespace hawser::graph
