#include "tests/chaos/stopped.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/media.h"
#include "tests/support/port.h"
#include "tests/support/process.h"

namespace hawser::test {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

struct Received {
    std::string md5;
    std::size_t index;  // by its PTS
    unsigned flags;
};

// "buffer NAME MD5 SIZE PTS DTS DURATION OFFSET OFFSET_END FLAGS RUNNING"
std::vector<Received> received(const Process& process, std::size_t per_second) {
    std::vector<Received> buffers;
    for (const auto& line : process.matching("^buffer ")) {
        std::istringstream fields(line);
        std::string word, pad, md5, flags;
        std::size_t size = 0, pts = 0;
        std::string dts, duration, offset, offset_end;
        fields >> word >> pad >> md5 >> size >> pts >> dts >> duration >> offset >> offset_end >> flags;
        buffers.push_back(
            {md5, pts / (1'000'000'000 / per_second), static_cast<unsigned>(std::stoul(flags, nullptr, 16))});
    }
    return buffers;
}

}  // namespace

void StoppedRun::expect_the_others_unharmed() const {
    // Two seconds before, three after.
    const std::size_t count = (static_cast<std::size_t>(stopped_for.count()) + 5) * per_second;
    const std::string uri = "hawser://127.0.0.1:" + std::to_string(free_port()) + "/many";
    Process sender(Process::sender("uri=" + uri + " max-size-bytes=" + std::to_string(ring_bytes),
                                   {"--count", std::to_string(count), "--size", std::to_string(buffer_size),
                                    "--interval-us", std::to_string(1'000'000 / per_second), "--group",
                                    std::to_string(group), "--clients", std::to_string(receivers)}),
                   {}, false);
    std::vector<std::unique_ptr<Process>> all;
    for (std::size_t i = 0; i < receivers; ++i) {
        all.push_back(std::make_unique<Process>(Process::receiver(uri), Process::Environment{}, false));
    }
    ASSERT_TRUE(sender.wait_for_line("^pushing", 20s)) << sender.output();
    const std::size_t before = sender.rss();
    Process& victim = *all.back();
    ASSERT_TRUE(victim.wait_for_nth_line(2 * per_second, "^buffer ", 20s)) << victim.output();

    victim.signal(SIGSTOP);
    const auto until = Clock::now() + stopped_for;
    std::size_t highest = before, after_lines = 0;
    while (Clock::now() < until) {
        // Each hundredth buffer is told: half a second.
        const auto line = sender.wait_for_line("^sent", 5s, after_lines);
        ASSERT_TRUE(line) << "the sender stands still\n" << sender.output();
        after_lines = line->index + 1;
        highest = std::max(highest, sender.rss());
    }
    const auto resumed = Clock::now();
    victim.signal(SIGCONT);
    EXPECT_TRUE(victim.wait_for_line_after(resumed, "^buffer ", 10s)) << victim.output();

    EXPECT_EQ(sender.wait_exit(30s), 0) << sender.output();
    for (auto& receiver : all) EXPECT_EQ(receiver->wait_exit(15s), 0) << receiver->output(20);
    EXPECT_LE(highest, before + ring_bytes + allowance)
        << "the sender grew by " << (highest - before) / 1'000'000 << " MB";

    std::vector<std::string> want;
    for (std::size_t i = 0; i < count; ++i) want.push_back(md5(random_bytes(buffer_size, i)));
    for (std::size_t i = 0; i + 1 < receivers; ++i) {
        SCOPED_TRACE("receiver " + std::to_string(i));
        const auto got = received(*all[i], per_second);
        EXPECT_EQ(got.size(), count) << all[i]->output(10);
        std::size_t wrong = 0;
        for (std::size_t at = 0; at < std::min(got.size(), count); ++at) wrong += got[at].md5 != want[at];
        EXPECT_EQ(wrong, 0u);
        EXPECT_TRUE(all[i]->matching("hawser-gap|^event [^ ]+ gap").empty()) << all[i]->output(10);
        EXPECT_FALSE(all[i]->matching("^stats .* lost=.guint64.0,.* reconnects=.guint64.0,").empty())
            << "its connection broke\n"
            << all[i]->output(10);
    }

    // The tenth: a hole which was told, then a keyframe, then all the rest.
    const auto got = received(victim, per_second);
    std::size_t next = 0, holes = 0, missing = 0;
    for (const auto& buffer : got) {
        if (buffer.index != next) {
            ++holes;
            missing += buffer.index - next;
            EXPECT_EQ(buffer.flags & 0x2000u, 0u)
                << "buffer " << buffer.index << " is a delta unit, after " << next;
            EXPECT_NE(buffer.flags & 0x40u, 0u) << "buffer " << buffer.index << " has no DISCONT";
        }
        EXPECT_EQ(buffer.md5, want.at(buffer.index));
        next = buffer.index + 1;
    }
    EXPECT_EQ(next, count) << "it did not get the end of the stream";
    EXPECT_GE(holes, 1u) << "stopped for longer than the ring holds, and nothing missing?";
    EXPECT_FALSE(victim.matching("^event [^ ]+ gap").empty()) << victim.output(20);
    EXPECT_FALSE(victim.matching("hawser-gap").empty()) << victim.output(20);
    const auto stats = victim.matching("^stats ");
    ASSERT_EQ(stats.size(), 1u);
    EXPECT_NE(stats[0].find("lost=(guint64)" + std::to_string(missing)), std::string::npos)
        << missing << " are missing, but: " << stats[0];
}

}  // namespace hawser::test
