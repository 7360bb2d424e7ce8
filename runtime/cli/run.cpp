#include "runtime/cli/run.h"

#include <fcntl.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

#include "graph/model/report.h"
#include "runtime/base/log.h"
#include "runtime/base/random.h"
#include "runtime/base/text.h"
#include "runtime/cli/json_lines.h"
#include "runtime/cli/ledger.h"
#include "runtime/cli/load.h"
#include "runtime/cli/narrator.h"
#include "runtime/cli/programs.h"
#include "runtime/control/event_loop.h"
#include "runtime/control/posix_launcher.h"
#include "runtime/supervise/supervisor.h"

namespace hawser::cli {
namespace {

using namespace std::chrono_literals;

constexpr const char* kLockName = ".running";

// What a run that was killed has left: its folder is there, and nobody holds the lock in it.
void remove_leftovers(const std::filesystem::path& where) {
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(where, failed)) {
        if (!entry.path().filename().string().starts_with("hawser-")) continue;
        const Fd lock(open((entry.path() / kLockName).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
        if (!lock || flock(lock.get(), LOCK_EX | LOCK_NB) != 0) continue;
        std::error_code kept;
        std::filesystem::remove_all(entry.path(), kept);
    }
}

// A folder for the workers' counters, gone with its contents when the run is over.
class RunFolder {
  public:
    RunFolder() {
        std::error_code failed;
        std::string name = (std::filesystem::temp_directory_path(failed) / "hawser-XXXXXX").string();
        if (!failed && mkdtemp(name.data()))
            path_ = name, hold();
        else
            problem_ = "cannot make a folder for this run" + (failed ? std::string() : " (" + name + ")") +
                       ": " + (failed ? failed.message() : std::strerror(errno)) + "; TMPDIR says where";
    }
    ~RunFolder() {
        std::error_code failed;
        if (!path_.empty()) std::filesystem::remove_all(path_, failed);
    }
    RunFolder(const RunFolder&) = delete;
    RunFolder& operator=(const RunFolder&) = delete;
    const std::string& path() const { return path_; }  // empty where it could not be made
    const std::string& problem() const { return problem_; }

  private:
    // The lock says that the run lasts; it goes with the process, however that ends.
    void hold() {
        // Not under its name before it is locked: another run may be looking.
        const std::string fresh = path_ + "/.new";
        lock_.reset(open(fresh.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        if (lock_ && flock(lock_.get(), LOCK_EX | LOCK_NB) == 0)
            (void)rename(fresh.c_str(), (path_ + "/" + kLockName).c_str());
        remove_leftovers(std::filesystem::path(path_).parent_path());
    }

    std::string path_, problem_;
    Fd lock_;
};

// Passes events on and keeps what the conclusion needs.
class Recorder final : public supervise::Observer {
  public:
    explicit Recorder(Presenter& presenter) : presenter_(presenter) {}
    void on_event(const supervise::RunEvent& event) override {
        if (const auto* recovery = std::get_if<supervise::RecoverySeen>(&event))
            recoveries.push_back(*recovery);
        changed |= std::holds_alternative<supervise::StateChanged>(event);
        presenter_.on_event(event);
    }
    std::vector<supervise::RecoverySeen> recoveries;
    bool changed = false;  // a pipeline's state, since this was set to false

  private:
    Presenter& presenter_;
};

// Ctrl-C, TERM and HUP: the first asks the run to end, the second ends it.
class Interrupts {
  public:
    Interrupts(control::EventLoop& loop, supervise::Supervisor& supervisor) : loop_(loop) {
        sigset_t set;
        sigemptyset(&set);
        for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
        sigprocmask(SIG_BLOCK, &set, nullptr);
        fd_.reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
        loop_.add(fd_.get(), EPOLLIN, [this, &supervisor](std::uint32_t) {
            signalfd_siginfo info;
            while (read(fd_.get(), &info, sizeof info) == sizeof info) {
                if (count_++ == 0) {
                    log().info("stopping: EOS goes through the pipelines; again to stop at once");
                    supervisor.stop("");
                } else {
                    log().warn("stopping at once");
                    supervisor.abort();
                }
            }
        });
    }
    ~Interrupts() { loop_.remove(fd_.get()); }
    bool twice() const { return count_ > 1; }

  private:
    control::EventLoop& loop_;
    Fd fd_;
    unsigned count_ = 0;
};

std::shared_ptr<spdlog::logger> make_logger(Console& console, const std::string& name,
                                            spdlog::level::level_enum level) {
    auto logger = std::make_shared<spdlog::logger>(name, std::make_shared<ConsoleSink>(console));
    logger->set_pattern("%H:%M:%S.%e %^%-7l%$ %v");
    logger->set_level(level);
    return logger;
}

// "fine" or why not: the run may not start with this description.
bool report_diagnostics(const graph::ReadResult& read, bool colour) {
    if (read.diagnostics.diagnostics_size() != 0) {
        const std::string text = graph::report(read.diagnostics, read.sources, {.colour = colour});
        std::fwrite(text.data(), 1, text.size(), stderr);
    }
    if (read.ok()) return true;
    std::fprintf(stderr, "hawser: %s; nothing was started\n", graph::summary(read.diagnostics).c_str());
    return false;
}

void run_to_end(supervise::Supervisor& supervisor, control::EventLoop& loop, Presenter& presenter,
                Recorder& recorder, const std::optional<Duration>& duration) {
    const Clock& clock = SteadyClock::instance();
    const TimePoint began = clock.now();
    TimePoint show_at = began;
    supervisor.start();
    while (!supervisor.finished()) {
        const TimePoint now = clock.now();
        if (duration && !supervisor.stopping() && now - began >= *duration) {
            log().info("{} are over: EOS goes through the pipelines", format_duration(duration->count()));
            supervisor.stop("");
        }
        supervisor.tick();
        TimePoint next = supervisor.next_due();
        if (duration && !supervisor.stopping()) next = std::min(next, began + *duration);
        if (presenter.interval() > Duration::zero()) {
            // Not in JSON, where progress is a matter of time alone.
            const bool changed = std::exchange(recorder.changed, false) && presenter.shows_states();
            if (show_at <= now || changed) {
                presenter.show(supervisor, now);
                show_at = now + presenter.interval();
            }
            next = std::min(next, show_at);
        }
        if (!supervisor.finished()) loop.run_once(next - clock.now());
    }
}

}  // namespace

int run(const RunOptions& options) {
    const bool err_colour = options.colour && isatty(STDERR_FILENO);
    const graph::ReadResult read =
        load({options.files, options.set, options.log_level == "trace" || options.log_level == "debug"});
    if (!report_diagnostics(read, err_colour)) return kBadUsage;
    const auto worker = find_worker();
    const RunFolder folder;
    if (!worker || folder.path().empty()) {
        std::fprintf(stderr, "hawser: %s\n",
                     worker ? folder.problem().c_str() : worker.error().message.c_str());
        return kFailed;
    }

    const char* terminal = std::getenv("TERM");
    const bool plain = terminal && std::strcmp(terminal, "dumb") == 0;  // it cannot move its cursor
    Console console(STDERR_FILENO, err_colour && !plain, isatty(STDERR_FILENO) && !options.json && !plain);
    const auto level = spdlog::level::from_str(options.log_level);
    const auto logger =
        make_logger(console, "hawser", options.json ? std::max(level, spdlog::level::warn) : level);
    log().sinks() = logger->sinks();
    log().set_level(logger->level());
    std::unique_ptr<Presenter> presenter;
    if (options.json)
        presenter = std::make_unique<JsonLines>();
    else
        presenter =
            std::make_unique<Narrator>(console, logger, make_logger(console, "worker", spdlog::level::trace),
                                       options.colour && !plain && isatty(STDOUT_FILENO));
    Recorder recorder(*presenter);

    signal(SIGPIPE, SIG_IGN);
    control::EventLoop loop;
    control::PosixLauncher launcher(loop, {worker.value(), worker_environment()});
    supervise::SupervisorOptions how;
    how.launch.log_level = options.log_level;
    how.counters_dir = folder.path();
    how.drill = options.drill;
    const Clock& clock = SteadyClock::instance();
    const TimePoint began = clock.now();
    Conclusion conclusion;
    presenter->begin(read.graph);
    {
        supervise::Supervisor supervisor(read.graph, how, clock, SystemRandom::instance(), launcher,
                                         recorder);
        Interrupts interrupts(loop, supervisor);
        run_to_end(supervisor, loop, *presenter, recorder, options.duration);

        conclusion.books = supervisor.books();
        conclusion.balanced = std::all_of(conclusion.books.begin(), conclusion.books.end(),
                                          [](const supervise::LinkBooks& b) { return b.balance(); });
        conclusion.drilled = options.drill;
        conclusion.faults_done = supervisor.drill().done();
        conclusion.faults_planned = supervisor.drill().planned();
        conclusion.took = clock.now() - began;
        conclusion.recoveries = recorder.recoveries;
        conclusion.files = written_files(read.graph);
        if (const auto missed = supervisor.drill_unfinished()) conclusion.drill_missed = to_string(*missed);
        conclusion.failures = supervisor.failures();
        if (!conclusion.balanced) conclusion.failures.emplace_back("the books do not balance");
        conclusion.exit_code = interrupts.twice() ? kAborted : conclusion.failures.empty() ? kFine : kFailed;
        presenter->end(supervisor, conclusion);
    }
    log().sinks().clear();
    return conclusion.exit_code;
}

}  // namespace hawser::cli
