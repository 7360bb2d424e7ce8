// The sender's process is killed and started again: its receiver goes on in place.
#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <sstream>

#include "tests/support/media.h"
#include "tests/support/port.h"
#include "tests/support/process.h"

namespace hawser::test {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

struct Arrival {
    std::uint64_t pts, running;
    unsigned flags;
};

std::vector<Arrival> arrivals(const Process& process) {
    std::vector<Arrival> all;
    for (const auto& line : process.matching("^buffer ")) {
        std::istringstream fields(line);
        std::vector<std::string> words;
        for (std::string word; fields >> word;) words.push_back(word);
        // buffer NAME MD5 SIZE PTS DTS DURATION OFFSET OFFSET_END FLAGS RUNNING
        if (words.size() < 11 || words[4] == "none" || words[10] == "none") continue;
        all.push_back({std::stoull(words[4]), std::stoull(words[10]),
                       static_cast<unsigned>(std::stoul(words[9], nullptr, 16))});
    }
    return all;
}

class Restart : public ::testing::TestWithParam<bool> {
  protected:
    bool sink_listens() const { return GetParam(); }

    std::unique_ptr<Process> start_sender() const {
        return std::make_unique<Process>(
            Process::sender("uri=" + uri_ + " mode=" + (sink_listens() ? "listener" : "caller"),
                            {"--count", "100000", "--interval-us", "5000", "--group", "20"}),
            Process::Environment{}, false);
    }
    void start_receiver() {
        receiver_ = std::make_unique<Process>(
            Process::receiver(uri_, {std::string("mode=") + (sink_listens() ? "caller" : "listener")}),
            Process::Environment{}, false);
    }

    // Kills the sender, keeps it away for `away`, starts it again; the receiver must go on within 2 s of its
    // return.
    void kill_and_return(std::unique_ptr<Process>& sender, Milliseconds away, std::size_t nth) {
        SCOPED_TRACE("restart " + std::to_string(nth));
        sender->signal(SIGKILL);
        ASSERT_EQ(sender->wait_exit(5s), -SIGKILL);
        // It waits: no error, no EOS, no end.
        EXPECT_FALSE(receiver_->wait_for_line("^(error|eos|removed)", away)) << receiver_->output();
        ASSERT_TRUE(receiver_->running()) << receiver_->output();
        const auto returned = Clock::now();
        sender = start_sender();
        const auto line = receiver_->wait_for_line_after(returned, "^buffer ", 10s);
        ASSERT_TRUE(line) << receiver_->output() << sender->output();
        const auto took = std::chrono::duration_cast<Milliseconds>(line->when - returned);
        std::printf("first buffer %ld ms after the sender's return\n", static_cast<long>(took.count()));
        EXPECT_LE(took, 2000ms) << receiver_->output(20);
        EXPECT_TRUE(receiver_->wait_for_nth_line(nth, "hawser-recovered.*new-epoch=.boolean.true", 2s))
            << receiver_->output(20);
        // And it goes on.
        EXPECT_TRUE(
            receiver_->wait_for_nth_line(receiver_->matching("^buffer ").size() + 100, "^buffer ", 5s))
            << receiver_->output(20);
    }

    void expect_one_stream(std::size_t epochs) const {
        EXPECT_EQ(receiver_->matching("^pad ").size(), 1u);
        EXPECT_TRUE(receiver_->matching("^(removed|error|eos)").empty()) << receiver_->output();
        EXPECT_EQ(receiver_->matching("^event [^ ]+ eos").size(), 0u);
        // Running time goes on without a jump back, and without one forward that is longer than the outage;
        // each new life begins with DISCONT and a keyframe.
        const auto all = arrivals(*receiver_);
        std::size_t discont = 0;
        for (std::size_t i = 1; i < all.size(); ++i) {
            EXPECT_GE(all[i].running, all[i - 1].running) << "buffer " << i << " goes back";
            EXPECT_GE(all[i].pts, all[i - 1].pts) << "the PTS of buffer " << i << " goes back";
            EXPECT_LE(all[i].running - all[i - 1].running, 10'000'000'000u) << "buffer " << i;
            if (all[i].flags & 0x40u) {
                ++discont;
                EXPECT_EQ(all[i].flags & 0x2000u, 0u) << "buffer " << i << " is no keyframe";
            }
        }
        EXPECT_EQ(discont, epochs - 1);
    }

    std::string uri_ = "hawser://127.0.0.1:" + std::to_string(free_port()) + "/live";
    std::unique_ptr<Process> receiver_;
};

TEST_P(Restart, TheReceiverGoesOnWithinTwoSeconds) {
    start_receiver();
    auto sender = start_sender();
    ASSERT_TRUE(receiver_->wait_for_nth_line(100, "^buffer ", 15s))
        << receiver_->output() << sender->output();
    for (std::size_t nth = 1; nth <= 3; ++nth) kill_and_return(sender, 300ms, nth);
    expect_one_stream(4);
    receiver_->signal(SIGUSR1);
    ASSERT_TRUE(receiver_->wait_for_line("^stats ", 5s));
    EXPECT_FALSE(receiver_->matching("^stats .*epochs=.(guint|uint).4").empty() &&
                 receiver_->matching("^stats .*epochs=.[a-z0-9]*.4").empty())
        << receiver_->matching("^stats ").front();
}

TEST_P(Restart, TheReceiverGoesOnAfterALongOutage) {
    start_receiver();
    auto sender = start_sender();
    ASSERT_TRUE(receiver_->wait_for_nth_line(100, "^buffer ", 15s))
        << receiver_->output() << sender->output();
    kill_and_return(sender, 5000ms, 1);
    expect_one_stream(2);
}

INSTANTIATE_TEST_SUITE_P(Both, Restart, ::testing::Bool(),
                         [](const auto& one) { return one.param ? "SinkListens" : "SrcListens"; });

TEST(RestartMedia, ARealFileInGstLaunchProcesses) {
    const std::string uri = "hawser://127.0.0.1:" + std::to_string(free_port()) + "/film";
    const auto play = [&] {
        return std::make_unique<Process>(
            Process::gst_launch("filesrc location=" + webm_file() +
                                " ! matroskademux ! identity sync=true ! hawsersink uri=" + uri));
    };
    Process receiver(Process::gst_launch(
        "hawsersrc uri=" + uri + " ! vp8dec ! fakesink name=end silent=false sync=false", {"-v", "-m"}));
    auto sender = play();
    const std::string chain = "last-message = chain";
    ASSERT_TRUE(receiver.wait_for_nth_line(20, chain, 20s)) << receiver.output() << sender->output();
    sender->signal(SIGKILL);
    ASSERT_TRUE(sender->wait_exit(5s));
    ASSERT_TRUE(receiver.wait_for_line("hawser-state.*state=.string.backoff", 5s)) << receiver.output();
    const auto returned = Clock::now();
    sender = play();
    const auto line = receiver.wait_for_line_after(returned, chain, 10s);
    ASSERT_TRUE(line) << receiver.output() << sender->output();
    EXPECT_LE(line->when - returned, 2s);
    EXPECT_TRUE(receiver.running());
    EXPECT_TRUE(receiver.matching("ERROR|CRITICAL|Got EOS").empty()) << receiver.output();
    receiver.signal(SIGINT);
    EXPECT_TRUE(receiver.wait_exit(5s)) << receiver.output();
}

TEST(RestartReceiver, TheSenderServesTheNextOne) {
    // The other way round: the receiver dies; the sender neither ends nor stalls.
    const std::string uri = "hawser://127.0.0.1:" + std::to_string(free_port()) + "/live";
    Process sender(
        Process::sender("uri=" + uri, {"--count", "100000", "--interval-us", "5000", "--group", "20"}), {},
        false);
    for (int round = 0; round < 3; ++round) {
        Process receiver(Process::receiver(uri), {}, false);
        ASSERT_TRUE(receiver.wait_for_nth_line(50, "^buffer ", 10s)) << receiver.output() << sender.output();
        const auto first = arrivals(receiver).at(0);
        EXPECT_EQ(first.flags & 0x2000u, 0u) << "does not begin with a keyframe";
        receiver.signal(SIGKILL);
        EXPECT_TRUE(receiver.wait_exit(5s));
        EXPECT_TRUE(sender.wait_for_nth_line(static_cast<std::size_t>(round) + 1, "^client-removed", 10s))
            << sender.output();
    }
    EXPECT_TRUE(sender.running()) << sender.output();
}

}  // namespace
}  // namespace hawser::test
