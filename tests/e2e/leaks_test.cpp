// Nothing is left behind: objects by GStreamer's own tracer, memory by valgrind.
#include <gtest/gtest.h>

#include <cstring>

#include "tests/support/media.h"
#include "tests/support/port.h"
#include "tests/support/process.h"

namespace hawser::test {
namespace {

using std::chrono_literals::operator""s;

const Process::Environment kTracer{{"GST_TRACERS", "leaks(check-refs=true)"}, {"GST_DEBUG", "GST_TRACER:7"}};
constexpr const char* kLeaked = R"(object-alive, type-name=\(string\)[^%])";

void expect_no_leak(Process& process, Milliseconds bound, const char* who) {
    EXPECT_EQ(process.wait_exit(bound), 0) << who << ": " << process.output();
    EXPECT_TRUE(process.matching(kLeaked).empty()) << who << ": " << process.output(200);
}

class Leaks : public ::testing::Test {
  protected:
    std::string uri_ = "hawser://127.0.0.1:" + std::to_string(free_port()) + "/test";
};

TEST_F(Leaks, GStreamerItselfIsClean) {
    // A control: what the other tests see is ours.
    Process clean(Process::gst_launch("fakesrc num-buffers=10 ! fakesink"), kTracer);
    expect_no_leak(clean, 10s, "fakesrc ! fakesink");
}

TEST_F(Leaks, NoObjectsAfterEos) {
    Process src(Process::gst_launch("hawsersrc uri=" + uri_ + " ! fakesink"), kTracer);
    Process sink(
        Process::gst_launch("filesrc location=" + webm_file() + " ! matroskademux ! hawsersink uri=" + uri_),
        kTracer);
    expect_no_leak(sink, 20s, "sink");
    expect_no_leak(src, 20s, "src");
}

TEST_F(Leaks, NoObjectsWithTheOtherEndListening) {
    Process src(Process::gst_launch("hawsersrc mode=listener uri=" + uri_ + " ! fakesink"), kTracer);
    Process sink(Process::gst_launch("filesrc location=" + webm_file() +
                                     " ! matroskademux ! hawsersink mode=caller uri=" + uri_),
                 kTracer);
    expect_no_leak(sink, 20s, "sink");
    expect_no_leak(src, 20s, "src");
}

TEST_F(Leaks, NoObjectsWhenInterrupted) {
    Process src(Process::gst_launch("hawsersrc uri=" + uri_ + " ! fakesink", {"-m"}), kTracer);
    Process sink(
        Process::gst_launch("fakesrc is-live=true do-timestamp=true sizetype=fixed sizemax=2000 format=time "
                            "datarate=1000000 ! hawsersink uri=" +
                            uri_),
        kTracer);
    ASSERT_TRUE(src.wait_for_line("hawser-state.*state=.string.streaming", 15s)) << src.output();
    src.signal(SIGINT);
    EXPECT_TRUE(src.wait_exit(10s)) << src.output();
    EXPECT_TRUE(src.matching(kLeaked).empty()) << src.output(200);
    sink.signal(SIGINT);
    EXPECT_TRUE(sink.wait_exit(10s)) << sink.output();
    EXPECT_TRUE(sink.matching(kLeaked).empty()) << sink.output(200);
}

TEST_F(Leaks, NoObjectsAfterAnError) {
    Process sink(
        Process::gst_launch("fakesrc is-live=true do-timestamp=true sizetype=fixed sizemax=2000 "
                            "format=time datarate=1000000 ! hawsersink uri=" +
                                uri_,
                            {"-m"}));
    ASSERT_TRUE(sink.wait_for_line("hawser-state.*state=.string.listening", 15s)) << sink.output();
    Process src(Process::gst_launch("hawsersrc uri=" + uri_ + "?reconnect-attempts=1 ! fakesink", {"-m"}),
                kTracer);
    // Not before: gst-launch-1.0 runs on for ever after an error that comes before its main loop runs.
    ASSERT_TRUE(src.wait_for_line("hawser-state.*state=.string.streaming", 15s)) << src.output();
    ASSERT_TRUE(src.wait_for_line("pipeline0.*new-state=.GstState.playing", 15s)) << src.output();
    sink.signal(SIGKILL);
    EXPECT_TRUE(src.wait_exit(15s)) << src.output();
    EXPECT_FALSE(src.matching("reconnect-attempts says").empty()) << src.output();
    EXPECT_TRUE(src.matching(kLeaked).empty()) << src.output(200);
}

TEST_F(Leaks, NoObjectsOfReceiversThatAreKilled) {
    Process sink(Process::gst_launch("fakesrc is-live=true do-timestamp=true sizetype=fixed sizemax=50000 "
                                     "format=time datarate=1000000 ! hawsersink uri=" +
                                     uri_),
                 kTracer);
    for (int i = 0; i < 5; ++i) {
        // The second is stopped before: the ring holds buffers of upstream's for it when it dies.
        Process src(Process::receiver(uri_), {}, false);
        Process stopped(Process::receiver(uri_), {}, false);
        ASSERT_TRUE(src.wait_for_line("^buffer", 15s)) << src.output() << sink.output();
        ASSERT_TRUE(stopped.wait_for_line("^buffer", 15s)) << stopped.output() << sink.output();
        stopped.signal(SIGSTOP);
        ASSERT_TRUE(src.wait_for_line("^buffer", 15s, src.lines().size() + 100)) << src.output();
        src.signal(SIGKILL);
        stopped.signal(SIGKILL);
        ASSERT_TRUE(src.wait_exit(10s) && stopped.wait_exit(10s));
    }
    Process last(Process::receiver(uri_), {}, false);
    ASSERT_TRUE(last.wait_for_line("^buffer", 15s)) << last.output() << sink.output();
    sink.signal(SIGINT);
    EXPECT_TRUE(sink.wait_exit(10s)) << sink.output();
    EXPECT_TRUE(sink.matching(kLeaked).empty()) << sink.output(200);
}

std::vector<std::string> under_valgrind(const std::vector<std::string>& program) {
    std::vector<std::string> argv{"valgrind",
                                  "--quiet",
                                  "--leak-check=full",
                                  "--show-leak-kinds=definite",
                                  "--errors-for-leak-kinds=definite",
                                  "--suppressions=" HAWSER_SUPPRESSIONS,
                                  "--error-exitcode=99"};
    argv.insert(argv.end(), program.begin(), program.end());
    return argv;
}

class Valgrind : public Leaks {
  protected:
    void SetUp() override {
        if (std::strlen(HAWSER_TEST_SANITIZE) > 0) GTEST_SKIP() << "the sanitizer does it already";
        if (Process({"valgrind", "--version"}).wait_exit(10s) != 0) GTEST_SKIP() << "no valgrind";
    }
};

TEST_F(Valgrind, Sink) {
    Process sink(under_valgrind(Process::sender("uri=" + uri_, {"--count", "200", "--size", "5000"})), {},
                 false);
    ASSERT_TRUE(sink.wait_for_line("^listening", 40s)) << sink.output();
    Process src(Process::gst_launch("hawsersrc uri=" + uri_ + " ! fakesink"));
    EXPECT_EQ(src.wait_exit(60s), 0) << src.output();
    EXPECT_EQ(sink.wait_exit(30s), 0) << sink.output(200);
}

TEST_F(Valgrind, Src) {
    Process src(under_valgrind(Process::receiver(uri_)), {}, false);
    ASSERT_TRUE(src.wait_for_line("^started", 40s)) << src.output();
    Process sink(Process::sender("uri=" + uri_, {"--count", "200", "--size", "5000"}), {}, false);
    EXPECT_EQ(src.wait_exit(60s), 0) << src.output(200);
    EXPECT_EQ(sink.wait_exit(30s), 0) << sink.output();
}

}  // namespace
}  // namespace hawser::test
