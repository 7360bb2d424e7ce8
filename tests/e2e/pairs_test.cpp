// Two gst-launch-1.0 processes, each started first, each listening: what a user would type.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/media.h"
#include "tests/support/port.h"
#include "tests/support/process.h"

namespace hawser::test {
namespace {

using std::chrono_literals::operator""s;

struct Pair {
    bool sink_listens;
    bool sink_first;
};

class Pairs : public ::testing::TestWithParam<Pair> {
  protected:
    // Runs both to their end; what arrives must be the file.
    void expect_file_arrives(const std::string& file, const std::string& more) {
        const auto [sink_listens, sink_first] = GetParam();
        const std::string uri = "hawser://127.0.0.1:" + std::to_string(free_port()) + "/file";
        const std::string out = directory_.path("out");
        const std::string sink = "filesrc location=" + file + " " + more + " ! hawsersink uri=" + uri +
                                 "?mode=" + (sink_listens ? "listener" : "caller");
        const std::string src = std::string("hawsersrc uri=") + uri +
                                "?mode=" + (sink_listens ? "caller" : "listener") +
                                " ! filesink location=" + out;
        Process first(Process::gst_launch(sink_first ? sink : src, {"-m"}));
        const bool first_listens = sink_first == sink_listens;
        ASSERT_TRUE(first.wait_for_line(
            std::string("hawser-state.*state=.string.") + (first_listens ? "listening" : "backoff"), 10s))
            << first.output();
        Process second(Process::gst_launch(sink_first ? src : sink, {"-m"}));
        EXPECT_EQ(first.wait_exit(20s), 0) << first.output() << second.output();
        EXPECT_EQ(second.wait_exit(20s), 0) << first.output() << second.output();
        EXPECT_EQ(file_md5(out), file_md5(file))
            << read_file(out).size() << " bytes of " << read_file(file).size();
        EXPECT_TRUE(first.matching("WARNING|CRITICAL|ERROR").empty()) << first.output();
        EXPECT_TRUE(second.matching("WARNING|CRITICAL|ERROR").empty()) << second.output();
    }
    TempDir directory_;
};

TEST_P(Pairs, AMediaFileArrivesAndBothEnd) {
    expect_file_arrives(webm_file(), "");
}

TEST_P(Pairs, SmallBuffersArriveAndBothEnd) {
    const std::string file = directory_.path("in");
    write_file(file, random_bytes(3'000'001, 42));
    expect_file_arrives(file, "blocksize=1316");
}

INSTANTIATE_TEST_SUITE_P(Both, Pairs,
                         ::testing::Values(Pair{true, true}, Pair{true, false}, Pair{false, true},
                                           Pair{false, false}),
                         [](const auto& one) {
                             return std::string(one.param.sink_listens ? "SinkListens" : "SrcListens") +
                                    (one.param.sink_first ? "SinkFirst" : "SrcFirst");
                         });

TEST(Pair, ALargeFileArrives) {
    TempDir directory;
    const std::string in = directory.path("in"), out = directory.path("out");
    write_file(in, random_bytes(200'000'000, 1));
    const std::string uri = "hawser://127.0.0.1:" + std::to_string(free_port()) + "/file";
    // Three times the ring's limit: the producer has to wait for the only receiver, nobody told it to drop.
    Process sink(Process::gst_launch("filesrc location=" + in + " blocksize=65000 ! hawsersink uri=" + uri));
    Process src(Process::gst_launch("hawsersrc uri=" + uri + " ! filesink location=" + out));
    EXPECT_EQ(sink.wait_exit(50s), 0) << sink.output() << src.output();
    EXPECT_EQ(src.wait_exit(10s), 0) << src.output();
    EXPECT_EQ(file_md5(out), file_md5(in)) << std::filesystem::file_size(out);
}

TEST(Pair, ADemuxerThatStartsFirstFindsTheSinkReady) {
    // Pads that appear late are linked late: the sink has none when the states of the pipeline change. It is
    // a sink all the same, and must be ready before anything upstream of it.
    for (int round = 0; round < 15; ++round) {
        Process sink(
            Process::gst_launch("hawsersink name=out wait-for-connection=false uri=hawser://127.0.0.1:" +
                                std::to_string(free_port()) + "/film filesrc location=" + webm_file() +
                                " ! matroskademux ! out.video"));
        ASSERT_EQ(sink.wait_exit(10s), 0) << "round " << round << "\n" << sink.output();
    }
}

TEST(Pair, CtrlCEndsTheSenderCleanlyAndTheReceiverWaits) {
    const std::string uri = "hawser://127.0.0.1:" + std::to_string(free_port()) + "/live";
    Process src(Process::gst_launch("hawsersrc uri=" + uri + " ! fakesink", {"-m"}));
    Process sink(
        Process::gst_launch("fakesrc is-live=true do-timestamp=true sizetype=fixed sizemax=100 format=time "
                            "datarate=10000 ! hawsersink uri=" +
                            uri));
    ASSERT_TRUE(src.wait_for_line("hawser-state.*state=.string.streaming", 10s)) << src.output();
    sink.signal(SIGINT);
    EXPECT_TRUE(sink.wait_exit(5s)) << sink.output();
    EXPECT_TRUE(sink.matching("CRITICAL").empty()) << sink.output();
    // Without EOS the sender may come back: its receiver goes on waiting.
    EXPECT_TRUE(src.wait_for_line("hawser-state.*state=.string.backoff", 10s)) << src.output();
    src.signal(SIGINT);
    EXPECT_TRUE(src.wait_exit(5s)) << src.output();
}

TEST(Pair, CtrlCWithEosEndsBoth) {
    const std::string uri = "hawser://127.0.0.1:" + std::to_string(free_port()) + "/live";
    Process src(Process::gst_launch("hawsersrc uri=" + uri + " ! fakesink", {"-m"}));
    Process sink(
        Process::gst_launch("fakesrc is-live=true do-timestamp=true sizetype=fixed sizemax=100 format=time "
                            "datarate=10000 ! hawsersink uri=" +
                                uri,
                            {"-e", "-m"}));
    ASSERT_TRUE(src.wait_for_line("hawser-state.*state=.string.streaming", 10s)) << src.output();
    // An interrupt on the way to PLAYING deadlocks gst-launch: the EOS waits for fakesrc, which waits in its
    // sink for PLAYING, which waits for the EOS.
    ASSERT_TRUE(sink.wait_for_line("\"pipeline0\" .state-changed.*new-state=.GstState.playing", 10s))
        << sink.output();
    sink.signal(SIGINT);
    EXPECT_EQ(sink.wait_exit(10s), 0) << sink.output();
    EXPECT_EQ(src.wait_exit(10s), 0) << src.output();
}

}  // namespace
}  // namespace hawser::test
