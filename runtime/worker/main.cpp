// hawser-worker: one pipeline, for `hawser`.
#include <fcntl.h>
#include <gst/gst.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <iostream>
#include <iterator>
#include <string>

#include "graph/build/launch_check.h"
#include "hawser/graph.pb.h"
#include "runtime/worker/gst_log.h"
#include "runtime/worker/termination.h"
#include "runtime/worker/worker.h"

namespace {

constexpr int kControlFd = 3;
constexpr const char* kCheckHead = "hawser-check 1\n";
constexpr unsigned kTerminationSeconds = 15;

// Graph on stdin, "hawser-check 1" and Diagnostics on stdout. Plugins may write to stdout while they load:
// what we write goes to a copy of it.
int check() {
    const int out = dup(STDOUT_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    hawser::graph::Graph graph;
    if (!graph.ParseFromIstream(&std::cin)) {
        std::fputs("hawser-worker --check: standard input is not a hawser.graph.Graph\n", stderr);
        return hawser::worker::kBadSetup;
    }
    // No diagnostics are no bytes, so the answer has a head that tells it from none.
    const std::string answer =
        std::string(kCheckHead) + hawser::graph::check_launches(graph).SerializeAsString();
    std::size_t done = 0;
    while (done < answer.size()) {
        const ssize_t wrote = write(out, answer.data() + done, answer.size() - done);
        if (wrote <= 0) return 1;
        done += static_cast<std::size_t>(wrote);
    }
    return 0;
}

int work() {
    if (fcntl(kControlFd, F_GETFD) < 0) {
        std::fputs("hawser-worker is started by `hawser run`; there is nothing to do for it by hand.\n",
                   stderr);
        return hawser::worker::kBadSetup;
    }
    hawser::worker::Worker worker(hawser::Fd(kControlFd),
                                  hawser::worker::watch_termination(kTerminationSeconds));
    const auto setup = worker.wait_for_setup();
    if (!setup) return hawser::worker::kDone;
    const std::string level = setup->log_level().empty() ? "info" : setup->log_level();
    hawser::worker::start_log(level);
    gst_init(nullptr, nullptr);
    hawser::worker::adopt_gst_log(level);
    return worker.run(*setup);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::strcmp(argv[1], "--check") == 0) {
        gst_init(nullptr, nullptr);
        return check();
    }
    if (argc == 2 && (std::strcmp(argv[1], "--help") == 0 || std::strcmp(argv[1], "--version") == 0)) {
        std::puts(
            "hawser-worker runs one pipeline for `hawser`.\n"
            "  hawser-worker                  speaks to its supervisor over descriptor 3\n"
            "  hawser-worker --check          reads a Graph from standard input, writes Diagnostics to "
            "standard output");
        return 0;
    }
    return work();
}
