#include "tests/support/process.h"

#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <regex>
#include <stdexcept>

extern char** environ;

namespace hawser::test {

std::map<std::string, std::string> test_environment(bool foreign_program) {
    std::map<std::string, std::string> environment;
    environment["GST_PLUGIN_PATH"] = HAWSER_TEST_PLUGIN_DIR;
    environment["GST_REGISTRY"] = HAWSER_TEST_REGISTRY;
    environment["G_DEBUG"] = "fatal-criticals";
    environment["GST_DEBUG_NO_COLOR"] = "1";
    environment["LC_ALL"] = "C";
    // GStreamer's own scanner has no sanitizer in it, and would find our plugin broken.
    if (std::strlen(HAWSER_TEST_PRELOAD) > 0) environment["GST_REGISTRY_FORK"] = "no";
    if (foreign_program && std::strlen(HAWSER_TEST_PRELOAD) > 0) {
        environment["LD_PRELOAD"] = HAWSER_TEST_PRELOAD;
        // The program is not ours, and what it and its plugins leave behind at exit is not either.
        environment["ASAN_OPTIONS"] = "detect_leaks=0";
    }
    return environment;
}

Process::Process(std::vector<std::string> argv, const Environment& extra, bool foreign_program) {
    Environment environment;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        if (const char* equals = std::strchr(*entry, '=')) {
            environment[std::string(*entry, static_cast<std::size_t>(equals - *entry))] = equals + 1;
        }
    }
    for (const auto& [name, value] : test_environment(foreign_program)) environment[name] = value;
    for (const auto& [name, value] : extra) environment[name] = value;

    // Everything is made ready before fork(): afterwards only async-signal-safe calls are allowed.
    std::vector<std::string> pairs;
    for (const auto& [name, value] : environment) pairs.push_back(name + "=" + value);
    std::vector<char*> env_pointers, arg_pointers;
    for (auto& pair : pairs) env_pointers.push_back(pair.data());
    for (auto& arg : argv) arg_pointers.push_back(arg.data());
    env_pointers.push_back(nullptr);
    arg_pointers.push_back(nullptr);

    int out[2], err[2];
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ == 0) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(127);
        dup2(out[1], 1);
        dup2(err[1], 2);
        const int null = open("/dev/null", O_RDONLY);
        if (null >= 0) dup2(null, 0);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, nullptr);
        execvpe(arg_pointers[0], arg_pointers.data(), env_pointers.data());
        _exit(127);
    }
    setpgid(pid_, pid_);
    close(out[1]);
    close(err[1]);
    const int pid_fd = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
    if (pid_fd < 0) throw std::runtime_error("pidfd_open failed");
    reader_ = std::thread([this, o = out[0], e = err[0], pid_fd] { read_output(o, e, pid_fd); });
}

Process::~Process() {
    signal(SIGKILL);
    reader_.join();
}

std::vector<std::string> Process::gst_launch(const std::string& description,
                                             std::vector<std::string> options) {
    std::vector<std::string> argv{"gst-launch-1.0"};
    argv.insert(argv.end(), options.begin(), options.end());
    int count = 0;
    char** words = nullptr;
    GError* error = nullptr;
    if (!g_shell_parse_argv(description.c_str(), &count, &words, &error)) {
        const std::string text = error->message;
        g_error_free(error);
        throw std::runtime_error("bad quoting in \"" + description + "\": " + text);
    }
    for (int i = 0; i < count; ++i) argv.emplace_back(words[i]);
    g_strfreev(words);
    return argv;
}

std::vector<std::string> Process::receiver(const std::string& uri, std::vector<std::string> arguments) {
    std::vector<std::string> argv{HAWSER_TEST_RECEIVER, uri};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return argv;
}

std::vector<std::string> Process::sender(const std::string& properties, std::vector<std::string> arguments) {
    std::vector<std::string> argv{HAWSER_TEST_SENDER, properties};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return argv;
}

bool Process::running() const {
    std::lock_guard lock(mutex_);
    return !exit_;
}

void Process::signal(int number) {
    std::lock_guard lock(mutex_);
    if (!exit_) kill(-pid_, number);
}

void Process::append(std::string& pending, bool is_error, const char* data, std::size_t size) {
    std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < size; ++i) {
        if (data[i] == '\n' || data[i] == '\r') {
            lines_.push_back({lines_.size(), Clock::now(), is_error, std::move(pending)});
            pending.clear();
        } else {
            pending.push_back(data[i]);
        }
    }
    changed_.notify_all();
}

void Process::read_output(int out, int err, int pid_fd) {
    pollfd fds[3] = {{out, POLLIN, 0}, {err, POLLIN, 0}, {pid_fd, POLLIN, 0}};
    fcntl(out, F_SETFL, O_NONBLOCK);
    fcntl(err, F_SETFL, O_NONBLOCK);
    std::string pending[2];
    const auto drain = [&](int which) {
        char buffer[65536];
        while (fds[which].fd >= 0) {
            const ssize_t got = read(fds[which].fd, buffer, sizeof buffer);
            if (got > 0) {
                append(pending[which], which == 1, buffer, static_cast<std::size_t>(got));
            } else if (got < 0 && errno == EINTR) {
                continue;
            } else {
                if (got == 0 || errno != EAGAIN) fds[which].fd = -1;
                break;
            }
        }
    };
    while (true) {
        poll(fds, 3, -1);
        drain(0);
        drain(1);
        if (fds[2].revents != 0) break;
    }
    drain(0);
    drain(1);
    for (int which = 0; which < 2; ++which) {
        if (!pending[which].empty()) append(pending[which], which == 1, "\n", 1);
    }
    // Children that it left behind go with it.
    kill(-pid_, SIGKILL);
    int status = 0;
    {
        std::lock_guard lock(mutex_);
        waitpid(pid_, &status, 0);
        exit_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
    changed_.notify_all();
    close(out);
    close(err);
    close(pid_fd);
}

std::optional<Line> Process::wait_for_line(const std::string& regex, Milliseconds bound, std::size_t from) {
    const std::regex pattern(regex);
    const auto until = Clock::now() + bound;
    std::unique_lock lock(mutex_);
    std::size_t next = from;
    while (true) {
        for (; next < lines_.size(); ++next) {
            if (std::regex_search(lines_[next].text, pattern)) return lines_[next];
        }
        if (exit_) return std::nullopt;
        if (changed_.wait_until(lock, until) == std::cv_status::timeout && next >= lines_.size()) {
            return std::nullopt;
        }
    }
}

std::optional<Line> Process::wait_for_line_after(Clock::time_point after, const std::string& regex,
                                                 Milliseconds bound) {
    const auto until = Clock::now() + bound;
    std::size_t from = 0;
    while (true) {
        const auto left = std::chrono::duration_cast<Milliseconds>(until - Clock::now());
        const auto line = wait_for_line(regex, std::max(left, Milliseconds(0)), from);
        if (!line || line->when > after) return line;
        from = line->index + 1;
    }
}

std::optional<Line> Process::wait_for_nth_line(std::size_t count, const std::string& regex,
                                               Milliseconds bound) {
    const auto until = Clock::now() + bound;
    std::size_t from = 0;
    while (true) {
        const auto left = std::chrono::duration_cast<Milliseconds>(until - Clock::now());
        const auto line = wait_for_line(regex, std::max(left, Milliseconds(0)), from);
        if (!line || --count == 0) return line;
        from = line->index + 1;
    }
}

std::optional<int> Process::wait_exit(Milliseconds bound) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, bound, [this] { return exit_.has_value(); });
    return exit_;
}

std::vector<Line> Process::lines() const {
    std::lock_guard lock(mutex_);
    return lines_;
}

std::vector<std::string> Process::matching(const std::string& regex) const {
    const std::regex pattern(regex);
    std::lock_guard lock(mutex_);
    std::vector<std::string> found;
    for (const auto& line : lines_) {
        if (std::regex_search(line.text, pattern)) found.push_back(line.text);
    }
    return found;
}

std::string Process::output(std::size_t max_lines) const {
    std::lock_guard lock(mutex_);
    std::string text = "process " + std::to_string(pid_) +
                       (exit_ ? " (ended: " + std::to_string(*exit_) + ")" : " (running)") + " wrote:\n";
    const std::size_t first = lines_.size() > max_lines ? lines_.size() - max_lines : 0;
    if (first > 0) text += "  … " + std::to_string(first) + " lines before\n";
    for (std::size_t i = first; i < lines_.size(); ++i) {
        text += (lines_[i].is_error ? "  ! " : "  | ") + lines_[i].text.substr(0, 400) + "\n";
    }
    return text;
}

std::size_t Process::rss() const {
    std::ifstream statm("/proc/" + std::to_string(pid_) + "/statm");
    std::size_t size = 0, resident = 0;
    statm >> size >> resident;
    return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

TempDir::TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hawser-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed: " + pattern);
    root_ = pattern;
}

TempDir::~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
}

}  // namespace hawser::test
