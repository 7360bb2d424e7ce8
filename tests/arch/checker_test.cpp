// The checker, fed with trees that break one rule each: a check that cannot fail would prove nothing.
#include "tests/arch/checker.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "tests/arch/layers.h"

namespace fs = std::filesystem;

namespace hawser::arch {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

auto Breaks(const std::string& where, const std::string& what) {
    return AllOf(Field(&Violation::where, where), Field(&Violation::what, HasSubstr(what)));
}

// A source tree in a temporary folder.
class CheckerTest : public ::testing::Test {
  protected:
    CheckerTest() {
        std::string name = fs::temp_directory_path() / "arch-tree-XXXXXX";
        root_ = mkdtemp(name.data());
        write("runtime/base/clock.h", "#pragma once\n#include <string>\n");
        write("runtime/session/peer.h", "#pragma once\n#include \"runtime/base/clock.h\"\n");
        write("graph/model/model.h", "#pragma once\n#include \"hawser/graph.pb.h\"\n");
        write("elements/sink.cpp", "#include <gst/gst.h>\n#include \"runtime/session/peer.h\"\n");
    }
    ~CheckerTest() override { fs::remove_all(root_); }

    void write(const std::string& path, const std::string& text) {
        fs::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path) << text;
    }

    fs::path root_;
};

TEST_F(CheckerTest, AcceptsATreeThatKeepsTheRules) {
    EXPECT_THAT(check_includes(root_), IsEmpty());
    EXPECT_THAT(check_texts(root_), IsEmpty());
}

TEST_F(CheckerTest, SeesALayerIncludeOneAbove) {
    write("runtime/base/clock.cpp",
          "#include \"runtime/base/clock.h\"\n  #  include \"runtime/session/peer.h\"\n");
    EXPECT_THAT(check_includes(root_),
                ElementsAre(Breaks("runtime/base/clock.cpp:2", "must not include runtime/session/peer.h")));
}

TEST_F(CheckerTest, SeesSiblingsIncludeEachOther) {
    write("runtime/state/table.h", "#pragma once\n");
    write("runtime/ring/spsc.h", "#include \"runtime/state/table.h\"\n");
    EXPECT_THAT(check_includes(root_),
                ElementsAre(Breaks("runtime/ring/spsc.h:1", "runtime/state is not below it")));
}

TEST_F(CheckerTest, SeesGStreamerAndGLibInTheCoreAndTheSupervisor) {
    write("runtime/io/epoll.cpp", "#include <glib.h>\n");
    write("runtime/session/publisher.cpp", "#include <gst/gst.h>\n");
    write("runtime/supervise/worker.cpp", "#include <gio/gio.h>\n");
    EXPECT_THAT(check_includes(root_), ElementsAre(Breaks("runtime/io/epoll.cpp:1", "GStreamer"),
                                                   Breaks("runtime/session/publisher.cpp:1", "GStreamer"),
                                                   Breaks("runtime/supervise/worker.cpp:1", "GStreamer")));
}

TEST_F(CheckerTest, SeesMessagesThatALayerMustNotKnow) {
    write("elements/src.cpp", "#include \"hawser/control.pb.h\"\n");
    write("runtime/cli/main.cpp", "#include \"hawser/wire.pb.h\"\n");
    EXPECT_THAT(check_includes(root_), ElementsAre(Breaks("elements/src.cpp:1", "hawser/control.pb.h"),
                                                   Breaks("runtime/cli/main.cpp:1", "hawser/wire.pb.h")));
}

TEST_F(CheckerTest, SeesTheSupervisorReachIntoTheDataPlane) {
    write("runtime/supervise/worker.cpp", "#include \"runtime/session/peer.h\"\n");
    EXPECT_THAT(check_includes(root_),
                ElementsAre(Breaks("runtime/supervise/worker.cpp:1", "runtime/session")));
}

TEST_F(CheckerTest, WantsPathsFromTheRootInQuotationMarks) {
    write("runtime/session/a.cpp", "#include \"peer.h\"\n#include <runtime/base/clock.h>\n");
    EXPECT_THAT(check_includes(root_),
                ElementsAre(Breaks("runtime/session/a.cpp:1", "not a path from the root"),
                            Breaks("runtime/session/a.cpp:2", "quotation marks")));
}

TEST_F(CheckerTest, LetsTestsIncludeEverythingButNobodyThem) {
    write("tests/support/pipe.h",
          "#pragma once\n#include <gst/gst.h>\n#include \"runtime/session/peer.h\"\n");
    write("runtime/session/a.cpp", "#include \"tests/support/pipe.h\"\n");
    EXPECT_THAT(check_includes(root_), ElementsAre(Breaks("runtime/session/a.cpp:1", "belongs to no layer")));
}

TEST_F(CheckerTest, SeesAFolderWithoutAPlace) {
    write("docs/examples/watch.cpp", "#include <gst/gst.h>\n");
    write("runtime/magic/spell.cpp", "int spell;\n");
    EXPECT_THAT(check_includes(root_), ElementsAre(Breaks("runtime/magic/spell.cpp:1", "in no layer")));
}

TEST_F(CheckerTest, SeesALongFile) {
    std::string text;
    for (std::size_t i = 0; i < kMaxLines; ++i) text += "\n";
    write("runtime/io/just_right.cpp", text);
    write("runtime/io/long.cpp", text + "\n");
    EXPECT_THAT(check_texts(root_), ElementsAre(Breaks("runtime/io/long.cpp:601", "longer than 600 lines")));
}

TEST_F(CheckerTest, SeesUnfinishedWorkAsAWordOnly) {
    write("docs/a.md",
          "fine: stubborn\nleft: a st"
          "ub\n");
    write("runtime/io/a.cpp",
          "// FIX"
          "ME later\n// mkstemp(\"a-XXXXXX\")\n");
    EXPECT_THAT(check_texts(root_),
                ElementsAre(Breaks("docs/a.md:2", "unfinished"), Breaks("runtime/io/a.cpp:1", "unfinished")));
}

TEST_F(CheckerTest, SeesPathsAndHostsOfAMachine) {
    write("pipelines/a.yaml",
          "file: /ho"
          "me/somebody/film.webm\nfine: lib/ho"
          "me/x\nurl: http://de"
          "b.example.org/\n");
    EXPECT_THAT(check_texts(root_), ElementsAre(Breaks("pipelines/a.yaml:1", "path of somebody's machine"),
                                                Breaks("pipelines/a.yaml:3", "host of somebody's network")));
}

TEST_F(CheckerTest, IgnoresBuildTreesButNotFoldersNamedLikeThem) {
    write("build/release/a.cpp", "#include \"nothing.h\"\n");
    write("graph/build/b.cpp", "#include \"nothing.h\"\n");
    EXPECT_THAT(check_includes(root_),
                ElementsAre(Breaks("graph/build/b.cpp:1", "not a path from the root")));
}

TEST(CheckLinks, AcceptsLinksDownward) {
    EXPECT_THAT(check_links("runtime/base hawser_base hawser_flags Threads::Threads\n"
                            "proto hawser_proto protobuf::libprotobuf\n"
                            "proto hawser_wire hawser_proto\n"
                            "runtime/session hawser_session hawser_base hawser_wire hawser_proto\n"
                            "elements hawser_elements hawser_session PkgConfig::GST\n"
                            "tests/unit/base unit_base hawser_elements\n"),
                IsEmpty());
}

TEST(CheckLinks, SeesLinksUpwardAndForeignOnes) {
    EXPECT_THAT(check_links("runtime/base hawser_base hawser_session\n"
                            "runtime/session hawser_session PkgConfig::GST_BASE\n"
                            "proto hawser_proto\n"
                            "proto hawser_proto_graph\n"
                            "elements hawser_elements hawser_proto_graph\n"
                            "runtime/cli hawser hawser_proto glib-2.0\n"),
                ElementsAre(Breaks("hawser_base", "must not link hawser_session"),
                            Breaks("hawser_session", "PkgConfig::GST_BASE"),
                            Breaks("hawser_elements", "hawser_proto_graph"), Breaks("hawser", "hawser_proto"),
                            Breaks("hawser", "glib-2.0")));
}

TEST(Layers, NobodyUsesWhatIsNotThereOrUsesItBack) {
    for (const Layer& user : layers())
        for (const auto& folder : user.may_use) {
            const Layer* used = layer_of(folder);
            ASSERT_NE(used, nullptr) << folder;
            EXPECT_EQ(used->folder, folder);
            EXPECT_FALSE(may_use(*used, user)) << user.folder << " and " << folder << " use each other";
        }
}

}  // namespace
}  // namespace hawser::arch
