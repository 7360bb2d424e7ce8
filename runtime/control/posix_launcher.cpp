#include "runtime/control/posix_launcher.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <string_view>

#include "runtime/base/log.h"
#include "runtime/control/channel.h"

extern char** environ;

namespace hawser::control {
namespace {

constexpr int kControlFd = 3;
constexpr std::size_t kMaxLine = 16 * 1024;  // a longer line of a worker's output is cut into several

// "NAME=value" strings of our environment with `changes` applied.
std::vector<std::string> merged_environment(const std::vector<std::pair<std::string, std::string>>& changes) {
    std::map<std::string, std::string> all;
    for (char** entry = environ; *entry; ++entry) {
        const std::string_view text(*entry);
        const std::size_t equals = text.find('=');
        if (equals != std::string_view::npos)
            all[std::string(text.substr(0, equals))] = std::string(text.substr(equals + 1));
    }
    for (const auto& [name, value] : changes) all[name] = value;
    std::vector<std::string> strings;
    for (const auto& [name, value] : all) strings.push_back(name + "=" + value);
    return strings;
}

// What runs between fork and exec: async-signal-safe calls only.
[[noreturn]] void become_worker(const char* path, char* const* arguments, char* const* environment,
                                int control, int output, int null, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);  // died before prctl
    setpgid(0, 0);
    // Sources are all above 3 (see launch()), so no target overwrites one that is still needed.
    if (dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0 || dup2(control, kControlFd) < 0)
        _exit(126);
    close_range(kControlFd + 1, ~0u, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    signal(SIGPIPE, SIG_DFL);
    execve(path, arguments, environment);
    _exit(127);
}

// The same open file at a descriptor above those that the worker will use.
Fd lifted(Fd fd) {
    if (fd.get() > kControlFd) return fd;
    return Fd(fcntl(fd.get(), F_DUPFD_CLOEXEC, kControlFd + 1));
}

}  // namespace

class PosixLauncher::Process final : public supervise::WorkerProcess {
  public:
    Process(PosixLauncher& launcher, pid_t pid, Fd control, Fd output, supervise::WorkerListener& listener)
        : launcher_(launcher),
          pid_(pid),
          channel_(std::move(control)),
          output_(std::move(output)),
          listener_(listener) {
        fcntl(output_.get(), F_SETFL, fcntl(output_.get(), F_GETFL) | O_NONBLOCK);
        launcher_.processes_.push_back(this);
        launcher_.loop_.add(channel_.fd(), EPOLLIN, [this](std::uint32_t events) { on_channel(events); });
        launcher_.loop_.add(output_.get(), EPOLLIN, [this](std::uint32_t) { on_output(); });
    }
    ~Process() override {
        detach();
        if (!reaped_) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
        }
    }

    pid_t pid() const override { return pid_; }
    void signal(int number) override {
        if (!reaped_) kill(pid_, number);
    }
    void send(const Command& command) override {
        if (auto sent = channel_.send(command); !sent)
            log().debug("worker {}: {}", pid_, sent.error().message);
        watch_channel();
    }

    // True where it has ended, which the listener has then been told; `this` may be gone.
    bool reap() {
        int status = 0;
        if (waitpid(pid_, &status, WNOHANG) != pid_) return false;
        reaped_ = true;
        on_channel(EPOLLIN);
        on_output();
        if (!line_.empty()) listener_.on_output(std::exchange(line_, {}));
        detach();
        listener_.on_exit(WIFSIGNALED(status) ? supervise::ExitStatus{true, WTERMSIG(status)}
                                              : supervise::ExitStatus{false, WEXITSTATUS(status)});
        return true;
    }

  private:
    void detach() {
        std::erase(launcher_.processes_, this);
        launcher_.loop_.remove(channel_.fd());
        launcher_.loop_.remove(output_.get());
    }
    void watch_channel() {
        if (open_)
            launcher_.loop_.change(channel_.fd(), channel_.wants_write() ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
    void on_channel(std::uint32_t events) {
        if (!open_) return;
        if (events & EPOLLOUT) (void)channel_.flush().ok();
        auto alive = channel_.receive<Report>([this](const Report& report) { listener_.on_report(report); });
        if (alive && *alive) return watch_channel();
        if (!alive) {
            log().error("worker {}: {}; killing it", pid_, alive.error().message);
            signal(SIGKILL);
        }
        open_ = false;
        launcher_.loop_.remove(channel_.fd());  // its end follows as SIGCHLD
    }
    void on_output() {
        char chunk[8 * 1024];
        for (;;) {
            const ssize_t got = read(output_.get(), chunk, sizeof chunk);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return;
            if (got == 0) return launcher_.loop_.remove(output_.get());
            for (const char c : std::string_view(chunk, static_cast<std::size_t>(got))) {
                if (c != '\n' && line_.size() < kMaxLine) {
                    line_ += c;
                    continue;
                }
                listener_.on_output(std::exchange(line_, {}));
                if (c != '\n') line_ += c;
            }
        }
    }

    PosixLauncher& launcher_;
    const pid_t pid_;
    Channel channel_;
    Fd output_;
    supervise::WorkerListener& listener_;
    std::string line_;
    bool open_ = true;
    bool reaped_ = false;
};

PosixLauncher::PosixLauncher(EventLoop& loop, WorkerProgram program)
    : loop_(loop), program_(std::move(program)) {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, nullptr);
    signals_.reset(signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
    loop_.add(signals_.get(), EPOLLIN, [this](std::uint32_t) {
        signalfd_siginfo info;
        while (read(signals_.get(), &info, sizeof info) == sizeof info) {
        }
        reap();
    });
}

PosixLauncher::~PosixLauncher() {
    loop_.remove(signals_.get());
}

void PosixLauncher::reap() {
    // One SIGCHLD may stand for several; a listener may destroy processes, so the list is looked at anew each
    // time.
    for (bool again = true; again;) {
        again = false;
        for (Process* process : std::vector<Process*>(processes_)) {
            if (std::find(processes_.begin(), processes_.end(), process) != processes_.end() &&
                process->reap())
                again = true;
        }
    }
}

Result<std::unique_ptr<supervise::WorkerProcess>> PosixLauncher::launch(const supervise::LaunchSpec& spec,
                                                                        supervise::WorkerListener& listener) {
    const auto failure = [this](const char* what) {
        return Error{Errc::NoResource, std::string("cannot start ") + program_.path + ": " + what + ": " +
                                           std::strerror(errno)};
    };
    int sockets[2], pipes[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) return failure("socketpair");
    Fd ours(sockets[0]), theirs = lifted(Fd(sockets[1]));
    if (pipe2(pipes, O_CLOEXEC) != 0) return failure("pipe");
    Fd output(pipes[0]), output_end = lifted(Fd(pipes[1]));
    const Fd null = lifted(Fd(open("/dev/null", O_RDONLY | O_CLOEXEC)));
    if (!theirs || !output_end || !null) return failure("descriptors");

    // Everything that allocates happens before fork().
    auto changes = program_.environment;
    changes.emplace_back("HAWSER_COUNTERS", spec.counters_file);
    std::vector<std::string> strings = merged_environment(changes);
    std::vector<char*> environment;
    for (std::string& entry : strings) environment.push_back(entry.data());
    environment.push_back(nullptr);
    std::string path = program_.path, title = spec.setup.pipeline(), option = "--pipeline";
    char* arguments[] = {path.data(), option.data(), title.data(), nullptr};

    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid < 0) return failure("fork");
    if (pid == 0)
        become_worker(path.c_str(), arguments, environment.data(), theirs.get(), output_end.get(), null.get(),
                      parent);
    // The child does the same: whoever comes first. A Ctrl-C from now on is the supervisor's alone.
    setpgid(pid, pid);

    auto process = std::make_unique<Process>(*this, pid, std::move(ours), std::move(output), listener);
    Command setup;
    *setup.mutable_setup() = spec.setup;
    process->send(setup);
    return std::unique_ptr<supervise::WorkerProcess>(std::move(process));
}

}  // namespace hawser::control
