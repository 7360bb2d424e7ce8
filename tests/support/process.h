// Real processes for tests: started in a process group of their own, their output readable while they run,
// killed when the object goes (and by the kernel, should the test itself be killed).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace hawser::test {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

// What every process of a test gets: GST_PLUGIN_PATH of the build tree, GST_REGISTRY of the build tree,
// G_DEBUG=fatal-criticals, GST_DEBUG_NO_COLOR; where the tree is built with a sanitizer, its runtime in
// LD_PRELOAD for programs that were not (gst-launch-1.0).
std::map<std::string, std::string> test_environment(bool foreign_program = true);

// One line of output. `when` is the moment at which the test read it.
struct Line {
    std::size_t index = 0;
    Clock::time_point when;
    bool is_error = false;
    std::string text;
};

// Thread-safe, but for construction and destruction.
class Process {
  public:
    using Environment = std::map<std::string, std::string>;

    // Starts `argv` with the test environment and `extra` on top of it. Failure to start shows as exit code
    // 127.
    explicit Process(std::vector<std::string> argv, const Environment& extra = {},
                     bool foreign_program = true);
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    ~Process();

    // gst-launch-1.0 with this description (quoted as in a shell); `options` go before it ("-v", "-e", …).
    static std::vector<std::string> gst_launch(const std::string& description,
                                               std::vector<std::string> options = {});
    // The receiver of tests/support/receiver_main.cpp.
    static std::vector<std::string> receiver(const std::string& uri, std::vector<std::string> arguments = {});

    // The sender of tests/support/sender_main.cpp.
    static std::vector<std::string> sender(const std::string& properties,
                                           std::vector<std::string> arguments = {});

    pid_t pid() const { return pid_; }
    bool running() const;

    // To the whole process group.
    void signal(int number);

    // First line from line `from` on in which `regex` (ECMAScript) is found; nullopt when `bound` ran out or
    // the process ended without such a line.
    std::optional<Line> wait_for_line(const std::string& regex, Milliseconds bound, std::size_t from = 0);
    // The first line from `from` on that matches and was read after `after`.
    std::optional<Line> wait_for_line_after(Clock::time_point after, const std::string& regex,
                                            Milliseconds bound);
    // The `count`-th line that matches, counted from 1.
    std::optional<Line> wait_for_nth_line(std::size_t count, const std::string& regex, Milliseconds bound);

    // Exit code, or minus the signal that ended it; nullopt while it still runs after `bound`.
    std::optional<int> wait_exit(Milliseconds bound);

    std::vector<Line> lines() const;
    std::vector<std::string> matching(const std::string& regex) const;
    // All of it, for messages; at most the last `max_lines`.
    std::string output(std::size_t max_lines = 60) const;

    // Resident memory in bytes; 0 when it has ended.
    std::size_t rss() const;

  private:
    void read_output(int out, int err, int pid_fd);
    void append(std::string& pending, bool is_error, const char* data, std::size_t size);

    pid_t pid_ = -1;
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::vector<Line> lines_;
    std::optional<int> exit_;
    std::thread reader_;
};

// A directory that goes with everything in it.
class TempDir {
  public:
    TempDir();
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    ~TempDir();
    std::string path(const std::string& name) const { return root_ + "/" + name; }

  private:
    std::string root_;
};

}  // namespace hawser::test
