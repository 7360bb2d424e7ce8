// A sender that may open only few files.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/link.h"
#include "tests/support/load_end.h"
#include "tests/support/process.h"

namespace hawser::test {
namespace {

constexpr std::size_t kFiles = 72;

std::size_t open_files(pid_t pid) {
    std::error_code error;
    std::size_t count = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", error)) {
        static_cast<void>(entry);
        ++count;
    }
    return count;
}

// Seconds.
double cpu_time(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(file, line);
    std::istringstream fields(line.substr(line.rfind(')') + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    double user = 0, system = 0;
    fields >> user >> system;
    return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

class FewFiles : public ::testing::TestWithParam<const char*> {};

TEST_P(FewFiles, AreSharedByThoseWhoFit) {
    init_gst();
    std::vector<std::string> command = {"/bin/sh", "-c",
                                        "ulimit -n " + std::to_string(kFiles) + "; exec \"$@\"", "sh"};
    for (auto& word :
         Process::sender(std::string("uri=hawser://127.0.0.1:0/load wait-for-connection=false ") +
                             "slow-client-policy=drop " + GetParam(),
                         {"--count", "1000000", "--size", "500", "--interval-us", "5000"}))
        command.push_back(word);
    Process sender(command, {}, false);
    const auto listening = sender.wait_for_line("^listening [1-9]", kLong);
    ASSERT_TRUE(listening) << sender.output();
    LoadOptions options;
    options.port = static_cast<std::uint16_t>(std::stoi(listening->text.substr(10)));
    options.stream = "/load";
    options.at_a_time = 0;
    options.check_content = false;

    options.clients = 20;
    LoadEnd first(options);
    ASSERT_TRUE(first.wait_served(20, kLong)) << first.text() << sender.output();
    options.clients = 200;
    LoadEnd second(options);
    EXPECT_TRUE(eventually(kSoon, [&] { return open_files(sender.pid()) >= kFiles - 1; }))
        << open_files(sender.pid()) << " files, " << second.text();
    EXPECT_TRUE(second.wait_served(1, kSoon)) << second.text();
    // It waits for better times rather than to ask the kernel again and again.
    auto line = sender.wait_for_line_after(Clock::now(), "^sent", kSoon);
    ASSERT_TRUE(line) << sender.output();
    const double cpu = cpu_time(sender.pid());
    const auto from = Clock::now();
    for (int i = 0; i < 3; ++i) {
        line = sender.wait_for_line("^sent", kSoon, line->index + 1);
        ASSERT_TRUE(line) << "the sender stands still\n" << sender.output();
    }
    const double took = std::chrono::duration<double>(Clock::now() - from).count();
    EXPECT_LT(cpu_time(sender.pid()) - cpu, 0.7 * took) << "of " << took << " s";
    const std::uint64_t served = second->served;
    EXPECT_LT(served, 200u) << "they all fit: the limit is not one";
    EXPECT_EQ(first->closed, 0u) << first.text();

    // Each who leaves makes room for one who waits.
    first.stop();
    EXPECT_TRUE(second.wait_served(static_cast<unsigned>(served) + 15, kLong)) << second.text();
    EXPECT_EQ(second->closed, 0u) << second.text();
    second.stop();
    options.clients = 20;
    LoadEnd third(options);
    EXPECT_TRUE(third.wait_served(20, kLong)) << third.text() << sender.output();
    const std::uint64_t objects = third->objects;
    EXPECT_TRUE(third.wait(kSoon, [&](const LoadCounters& all) { return all.objects > objects + 2000; }))
        << third.text();
    EXPECT_EQ(third->wrong, 0u) << third.text();
    EXPECT_TRUE(sender.running()) << sender.output();
    EXPECT_TRUE(sender.matching("^error|CRITICAL").empty()) << sender.output();
}

INSTANTIATE_TEST_SUITE_P(Engines, FewFiles, ::testing::Values("", "io-engine=epoll", "io-threads=2"),
                         [](const auto& one) {
                             const std::string text = one.param;
                             return text.empty()                              ? "Auto"
                                    : text.find("epoll") != std::string::npos ? "Epoll"
                                                                              : "TwoThreads";
                         });

}  // namespace
}  // namespace hawser::test
