#include "runtime/cli/load.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include "graph/model/diagnostic.h"
#include "runtime/base/clock.h"
#include "runtime/base/fd.h"
#include "runtime/base/result.h"
#include "runtime/cli/programs.h"
#include "runtime/supervise/worker_process.h"

extern char** environ;

namespace hawser::cli {
namespace {

using namespace std::chrono_literals;

// The first load of all plugins of a machine fills GStreamer's registry, which takes a while.
constexpr Duration kCheckLimit = 60s;

// What hawser-worker --check begins its answer with.
constexpr std::string_view kCheckHead = "hawser-check 1\n";

struct Spawned {
    pid_t pid = -1;
    Fd output;
};

Result<Spawned> spawn_checker(const std::string& path, const graph::Graph& graph, bool verbose) {
    const auto failure = [&](int error) {
        return Error{Errc::NoResource, "cannot start " + path + " --check: " + std::strerror(error)};
    };
    const Fd input(memfd_create("graph", MFD_CLOEXEC));
    int ends[2];
    if (!input || pipe2(ends, O_CLOEXEC) != 0) return failure(errno);
    Spawned child{-1, Fd(ends[0])};
    const Fd output(ends[1]);
    if (!graph.SerializeToFileDescriptor(input.get())) return failure(ENOSPC);
    lseek(input.get(), 0, SEEK_SET);

    std::vector<std::string> strings;
    const auto changes = worker_environment();
    for (char** entry = environ; *entry; ++entry) {
        const std::string text(*entry);
        bool replaced = false;
        for (const auto& [name, value] : changes) replaced |= text.starts_with(name + "=");
        if (!replaced) strings.push_back(text);
    }
    for (const auto& [name, value] : changes) strings.push_back(name + "=" + value);
    std::vector<char*> environment;
    for (std::string& text : strings) environment.push_back(text.data());
    environment.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input.get(), 0);
    posix_spawn_file_actions_adddup2(&actions, output.get(), 1);
    if (!verbose) posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    std::string program = path, option = "--check";
    char* arguments[] = {program.data(), option.data(), nullptr};
    const int error = posix_spawn(&child.pid, path.c_str(), &actions, nullptr, arguments, environment.data());
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) return failure(error);
    return child;
}

// All that the child writes until it closes its output; nothing where it has not closed it when the limit is
// over.
std::optional<std::string> read_all(int fd, Duration limit) {
    const TimePoint end = SteadyClock::instance().now() + limit;
    std::string text;
    char chunk[8 * 1024];
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - SteadyClock::instance().now());
        pollfd wait{fd, POLLIN, 0};
        if (left.count() <= 0 || poll(&wait, 1, static_cast<int>(left.count())) == 0) return std::nullopt;
        const ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return text;
        text.append(chunk, static_cast<std::size_t>(got));
    }
}

void check_with_gstreamer(const graph::Graph& graph, bool verbose, graph::Diagnostics& diagnostics) {
    const auto fail = [&](const std::string& text, const std::string& hint = {}) {
        graph::add_error(diagnostics, graph::Location(), text, hint);
    };
    const auto worker = find_worker();
    if (!worker) return fail(worker.error().message);
    auto child = spawn_checker(worker.value(), graph, verbose);
    if (!child) return fail(child.error().message);
    const auto text = read_all(child->output.get(), kCheckLimit);
    if (!text) kill(child->pid, SIGKILL);
    int status = 0;
    waitpid(child->pid, &status, 0);
    if (!text)
        return fail("looking at the elements with GStreamer took longer than 60 s",
                    "a plugin may hang while it is loaded");
    const supervise::ExitStatus how = WIFSIGNALED(status) ? supervise::ExitStatus{true, WTERMSIG(status)}
                                                          : supervise::ExitStatus{false, WEXITSTATUS(status)};
    if (!how.in_order())
        return fail("looking at the elements with GStreamer failed: hawser-worker --check " + how.text(),
                    "a plugin may have crashed while it was loaded; run again with --log-level debug to see "
                    "what it says");
    graph::Diagnostics found;
    if (!text->starts_with(kCheckHead) || !found.ParseFromString(text->substr(kCheckHead.size())))
        return fail("hawser-worker --check did not answer with diagnostics",
                    "is " + worker.value() + " this hawser's own?");
    diagnostics.MergeFrom(found);
}

}  // namespace

graph::ReadResult load(const LoadOptions& options) {
    graph::ReadOptions read_options;
    read_options.set = options.set;
    graph::ReadResult result = graph::read_graphs(options.files, read_options);
    if (result.graph.pipelines_size() != 0)
        check_with_gstreamer(result.graph, options.verbose, result.diagnostics);
    graph::sort_diagnostics(result.diagnostics);
    return result;
}

}  // namespace hawser::cli
