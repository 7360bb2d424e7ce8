#include "graph/build/build.h"

#include <gmock/gmock.h>
#include <gst/gst.h>
#include <gtest/gtest.h>

#include "graph/build/factories.h"
#include "graph/build/launch_check.h"
#include "tests/unit/graph/text.h"

namespace hawser::graph {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Build : public ::testing::Test {
  protected:
    static void SetUpTestSuite() { gst_init(nullptr, nullptr); }

    // Reading's and GStreamer's diagnostics of one file, as `hawser check` prints them.
    static std::string checked(const std::string& yaml) {
        ReadResult result = read_yaml_text(yaml);
        result.diagnostics.MergeFrom(check_launches(result.graph));
        sort_diagnostics(result.diagnostics);
        return reported(result);
    }

    // "column message; hint" for the launch text alone.
    static std::vector<std::string> problems(const std::string& launch) {
        Pipeline pipeline;
        pipeline.set_name("p");
        pipeline.set_launch(launch);
        Diagnostics diagnostics;
        check_launch(pipeline, false, false, diagnostics);
        sort_diagnostics(diagnostics);
        std::vector<std::string> all;
        for (const auto& entry : diagnostics.diagnostics())
            all.push_back(std::to_string(entry.location().column()) + " " + entry.message() + "; " +
                          entry.hint());
        return all;
    }

    static control::Setup setup(const std::string& launch) {
        control::Setup made;
        made.set_pipeline("camera");
        made.set_launch(launch);
        return made;
    }
};

TEST_F(Build, NamesEveryMistakeAtOnce) {
    EXPECT_EQ(checked(R"(hawser: 1
vars: { rate: fast }
pipelines:
  camera:
    launch: |
      videotestsorce patern=ball ! videoconvert   # two mistakes
        ! identity sleep-time=${rate} datarate=-5 ! queue leaky=downstraem ! out.
      fakesink000 ! fakesink name=out
  player:
    launch: |
      audiotestsrc ! video/x-raw, width=320 ! fakesink
      videotestsrc ! audioconvert ! fakesink
links:
  - { from: camera, to: plyer }
)"),
              R"(g.yaml:6:7: error: no element "videotestsorce"
    6 |       videotestsorce patern=ball ! videoconvert   # two mistakes
      |       ^~~~~~~~~~~~~~
      hint: did you mean "videotestsrc"?
g.yaml:7:31: error: property "sleep-time" of "identity" cannot be "fast"
    7 |         ! identity sleep-time=${rate} datarate=-5 ! queue leaky=downstraem ! out.
      |                               ^~~~~~~
      hint: expected a number from 0 to 4294967295
g.yaml:7:48: error: property "datarate" of "identity" cannot be "-5"
    7 |         ! identity sleep-time=${rate} datarate=-5 ! queue leaky=downstraem ! out.
      |                                                ^~
      hint: expected a number from 0 to 2147483647
g.yaml:7:65: error: property "leaky" of "queue" cannot be "downstraem"
    7 |         ! identity sleep-time=${rate} datarate=-5 ! queue leaky=downstraem ! out.
      |                                                                 ^~~~~~~~~~
      hint: did you mean "downstream"?
g.yaml:8:7: error: no element "fakesink000"
    8 |       fakesink000 ! fakesink name=out
      |       ^~~~~~~~~~~
      hint: did you mean "fakesink"?
g.yaml:11:22: error: "audiotestsrc" never gives video/x-raw with these fields
   11 |       audiotestsrc ! video/x-raw, width=320 ! fakesink
      |                      ^~~~~~~~~~~~~~~~~~~~~~
      hint: it gives audio/x-raw
g.yaml:12:22: error: "videotestsrc" can never be linked to "audioconvert"
   12 |       videotestsrc ! audioconvert ! fakesink
      |                      ^~~~~~~~~~~~
      hint: "videotestsrc" gives video/x-raw, video/x-bayer, "audioconvert" takes audio/x-raw
g.yaml:14:25: error: this link goes to the unknown pipeline "plyer"
   14 |   - { from: camera, to: plyer }
      |                         ^~~~~
      hint: did you mean "player"?
)");
}

TEST_F(Build, AcceptsWhatGStreamerAccepts) {
    for (const char* launch :
         {"videotestsrc num-buffers=5 pattern=ball ! video/x-raw,width=320,framerate=30/1 ! videoconvert ! "
          "fakesink",
          "videotestsrc ! tee name=t ! queue ! fakesink t. ! queue ! fakesink", "fakesrc ! fakesink",
          "fakesink",
          "uridecodebin uri=file:///no/such name=d d. ! queue ! audioconvert ! fakesink d.src_1 ! "
          "videoconvert ! fakesink",
          "filesrc location=\"/a b/c d.webm\" ! matroskademux name=d d.video_0 ! queue ! fakesink",
          "audiotestsrc ! audio/x-raw,rate=(int)44100 ! ( audioconvert ! audioresample ) ! fakesink",
          "bin.( name=b videotestsrc ! identity ) ! fakesink",
          "videotestsrc ! m.sink_0 funnel name=m ! fakesink",
          "filesrc location=x ! decodebin3 name=d caps=\"video/x-vp8; audio/x-vorbis\" d.video_0 ! fakesink "
          "d.audio_0 ! fakesink",
          "multiqueue name=q fakesrc ! q.sink_0 q.src_0 ! fakesink",
          "videotestsrc foreground-color=0xff00ff00 ! fakesink sync=true", "fakesrc ! fakesink0. fakesink",
          "file:///etc/hostname ! fakesink"})
        EXPECT_THAT(problems(launch), IsEmpty()) << launch;
}

TEST_F(Build, FindsWrongReferencesAndPads) {
    EXPECT_THAT(problems("videotestsrc ! tea. tee name=tee1 ! fakesink"),
                ElementsAre("16 no element is named \"tea\"; did you mean \"tee1\"?"));
    EXPECT_THAT(problems("videotestsrc ! m.snk_0 funnel name=m ! fakesink"),
                ElementsAre("18 \"funnel\" has no pad \"snk_0\"; its pads: src sink_%u"));
    EXPECT_THAT(problems("fakesrc name=a ! fakesink name=a"),
                ElementsAre("32 two elements are named \"a\"; "));
}

TEST_F(Build, FindsLinksThatCannotBe) {
    EXPECT_THAT(problems("fakesink ! fakesink"),
                ElementsAre("1 \"fakesink\" has no output: nothing can follow it; "));
    EXPECT_THAT(problems("fakesrc ! videotestsrc ! fakesink"),
                ElementsAre("11 \"videotestsrc\" has no input: nothing can be linked to it; "));
    EXPECT_THAT(problems("videotestsrc ! video/x-raw,format=NOPE ! vp8enc ! fakesink"),
                ElementsAre(HasSubstr("28 \"videotestsrc\" never gives video/x-raw with format=NOPE")));
    EXPECT_THAT(problems("videotestsrc ! video/x-raw,format=RGB ! vp8enc ! fakesink"),
                ElementsAre("28 \"vp8enc\" never takes video/x-raw with format=RGB; \"videoconvert\" or "
                            "\"videoscale\" between them may help"));
    EXPECT_THAT(problems("videotestsrc ! video/x-raw, framerate=30, format=NOPE ! fakesink"),
                ElementsAre(AllOf(HasSubstr("29 "),
                                  HasSubstr("with framerate=30; framerate is a fraction: framerate=30/1")),
                            HasSubstr("43 \"videotestsrc\" never gives video/x-raw with format=NOPE")));
    EXPECT_THAT(
        problems("videotestsrc ! video/x-raw,widht=640 ! fakesink"),
        ElementsAre("28 video/x-raw has no field \"widht\": it has no effect; did you mean \"width\"?"));
    EXPECT_THAT(problems("videotestsrc ! vp8enc ! video/x-vp8 ! vp9dec ! fakesink"),
                ElementsAre(HasSubstr("39 \"vp9dec\" never takes video/x-vp8")));
    EXPECT_THAT(problems("filesrc location=a b.webm ! fakesink"),
                ElementsAre("20 no element is named \"b\"; a value with blanks is written in double quotes"));
    EXPECT_THAT(problems("audiotestsrc ! adio/x-raw ! fakesink"),
                ElementsAre("16 \"audiotestsrc\" never gives adio/x-raw; did you mean \"audio/x-raw\"?"));
    EXPECT_THAT(problems("videotestsrc ! video/x-raw,width={ ! fakesink"),
                ElementsAre(HasSubstr("16 these are no caps")));
    EXPECT_THAT(problems("nosuch:///x ! fakesink"), ElementsAre(HasSubstr("1 no source for \"nosuch://\"")));
}

TEST_F(Build, SaysEachMistakeOnce) {
    EXPECT_THAT(problems("videotestsrc ! out.video"), IsEmpty())
        << "check() has said that no link starts here";
    EXPECT_THAT(problems("in.video ! fakesink"), IsEmpty());
    EXPECT_THAT(problems("fakesrc ! out"),
                ElementsAre("11 no element \"out\"; the link's end is written with a point: \"out.\""));
}

TEST_F(Build, WarnsOfAForgottenLink) {
    EXPECT_THAT(
        problems("videotestsrc fakesink"),
        ElementsAre("1 nothing is linked to the output of \"videotestsrc\"; is a \"!\" missing before "
                    "\"fakesink\"?"));
    EXPECT_THAT(problems("videotestsrc ! fakesink videotestsrc ! fakesink"), IsEmpty());
    EXPECT_THAT(problems("videotestsrc name=v fakesink name=f v. ! f."), IsEmpty());
}

TEST_F(Build, FindsWrongProperties) {
    EXPECT_THAT(problems("fakesrc ! queue max-size-bytes=99999999999 ! fakesink"),
                ElementsAre(HasSubstr("expected a number from 0 to 4294967295")));
    EXPECT_THAT(problems("filesrc uri=foo:///x ! fakesink"), ElementsAre(HasSubstr("has no property")));
    EXPECT_THAT(problems("videotestsrc is-life=true ! fakesink"),
                ElementsAre("14 \"videotestsrc\" has no property \"is-life\"; did you mean \"is-live\"?"));
    EXPECT_THAT(
        problems("videotestsrc is-live=perhaps ! fakesink stats=5"),
        ElementsAre(
            "22 property \"is-live\" of \"videotestsrc\" cannot be \"perhaps\"; expected true or false",
            "47 property \"stats\" of \"fakesink\" is read-only; "));
}

TEST_F(Build, ReportsTheMissingPlugin) {
    if (Factory("hawsersink").exists()) GTEST_SKIP() << "the plugin is in GST_PLUGIN_PATH";
    const std::string text = checked(
        "hawser: 1\npipelines:\n  a: { launch: fakesrc ! out.video }\n  b: { launch: in.video ! fakesink "
        "}\nlinks: [{from: a, to: b}]\n");
    EXPECT_THAT(text,
                HasSubstr("g.yaml:3:16: error: no element \"hawsersink\" for this pipeline's \"out.\""));
    EXPECT_THAT(text, HasSubstr("g.yaml:4:16: error: no element \"hawsersrc\" for this pipeline's \"in.\""));
    EXPECT_THAT(text, HasSubstr("GST_PLUGIN_PATH"));
}

TEST_F(Build, MakesAPipelineWithItsEnds) {
    control::Setup made = setup("fakesrc num-buffers=3 ! out.sink fakesink name=out");
    control::LinkEnd* end = made.add_ends();
    end->set_element("out");
    (*end->mutable_properties())["sync"] = "true";
    (*end->mutable_properties())["state-error"] = "ready-to-paused";
    const auto pipeline = build_pipeline(made);
    ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
    GstElement* element = pipeline.value();
    ASSERT_TRUE(GST_IS_PIPELINE(element));
    EXPECT_STREQ(GST_OBJECT_NAME(element), "camera");
    EXPECT_FALSE(g_object_is_floating(element));
    EXPECT_EQ(GST_OBJECT_REFCOUNT_VALUE(element), 1);
    GstElement* out = gst_bin_get_by_name(GST_BIN(element), "out");
    ASSERT_NE(out, nullptr);
    gboolean sync = FALSE;
    g_object_get(out, "sync", &sync, nullptr);
    EXPECT_TRUE(sync);
    gst_object_unref(out);
    gst_object_unref(element);
}

TEST_F(Build, ASingleElementBecomesAPipelineToo) {
    const auto pipeline = build_pipeline(setup("fakesink"));
    ASSERT_TRUE(pipeline.ok());
    EXPECT_TRUE(GST_IS_PIPELINE(pipeline.value()));
    gst_object_unref(pipeline.value());
}

TEST_F(Build, PutsTheEndsInFrontUnlessTheyAreThere) {
    control::Setup made = setup("in.video ! queue ! out.video");
    made.add_ends()->set_element("in");
    made.add_ends()->set_element("out");
    EXPECT_EQ(complete_launch(made), "hawsersrc name=in hawsersink name=out in.video ! queue ! out.video");
    made.set_launch("fakesrc name=in ! fakesink name=out");
    EXPECT_EQ(complete_launch(made), made.launch());
}

TEST_F(Build, SaysWhereItFailed) {
    const auto error = [](const control::Setup& made) {
        const auto pipeline = build_pipeline(made);
        EXPECT_FALSE(pipeline.ok());
        return pipeline.ok() ? Error{} : pipeline.error();
    };
    Error wrong = error(setup("fakesrc !\n videoconvret ! fakesink"));
    EXPECT_EQ(wrong.code, Errc::NotFound);
    EXPECT_EQ(wrong.message,
              "launch of camera:2:2: no element \"videoconvret\"; did you mean \"videoconvert\"?");
    EXPECT_EQ(error(setup("! fakesink")).message, "launch of camera:1:1: this link comes from nowhere");
    EXPECT_EQ(error(setup("fakesrc ! \"")).code, Errc::Invalid);
    control::Setup ends = setup("fakesrc ! fakesink name=out");
    (*ends.add_ends()->mutable_properties())["sync"] = "maybe";
    ends.mutable_ends(0)->set_element("out");
    EXPECT_EQ(error(ends).message,
              "property \"sync\" of \"out\" cannot be \"maybe\": expected true or false");
    ends.mutable_ends(0)->set_uri("hawser://x");
    EXPECT_THAT(error(ends).message, HasSubstr("property \"uri\" of \"out\" does not exist"));
}

TEST(PadNames, FitTheirTemplates) {
    EXPECT_TRUE(pad_name_fits("src", "src"));
    EXPECT_TRUE(pad_name_fits("src_%u", "src_12"));
    EXPECT_TRUE(pad_name_fits("%s", "video"));
    EXPECT_TRUE(pad_name_fits("video_%01x_%05x", "video_0_00101"));
    EXPECT_TRUE(pad_name_fits("send_rtp_src_%u", "send_rtp_src_0"));
    for (const char* name : {"", "src", "src_", "src_x", "src_1x", "sink_1"})
        EXPECT_FALSE(pad_name_fits("src_%u", name)) << name;
    EXPECT_FALSE(pad_name_fits("src_%", "src_1"));
}

}  // namespace
}  // namespace hawser::graph
