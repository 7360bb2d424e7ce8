// Systems that have not enough, or forbid something: each test changes its process for good, so it runs in
// one of its own.
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "runtime/io/tcp.h"
#include "tests/unit/io/engines.h"

namespace hawser::io::test {
namespace {

class RefusalsDeathTest : public testing::Test {
  protected:
    void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
    static bool has_seccomp() { return ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0; }
};

// In the child: expectations of GoogleTest's do not reach the parent.
void demand(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "not so: %s\n", what);
    std::_Exit(1);
}

// From now on the two system calls fail with these errors, in this thread and all that it starts.
void forbid(long one, int its_error, long other, int others_error) {
    const auto number = [](long call) { return static_cast<std::uint32_t>(call); };
    const auto refuse = [](int error) { return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error); };
    std::array<sock_filter, 6> program{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number(one), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, refuse(its_error)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number(other), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, refuse(others_error)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    const sock_fprog filter{program.size(), program.data()};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, 2, &filter) != 0)
        demand(false, "this system has seccomp");
}

void works_without_io_uring() {
    const Result<std::unique_ptr<EpollReactor>> asked = make_reactor(io::Engine::IoUring);
    demand(!asked.ok() && asked.error().code == Errc::Denied, "asking for io_uring is an error");
    demand(asked.error().message.find("cannot use io_uring: ") == 0, asked.error().message.c_str());
    demand(asked.error().message.find("choose io-engine=epoll or auto") != std::string::npos,
           asked.error().message.c_str());
    demand(!shared_reactor(io::Engine::IoUring).ok(), "nor is it shared");
    const auto chosen = std::move(shared_reactor(io::Engine::Auto)).value();
    demand(chosen == std::move(shared_reactor(io::Engine::Epoll)).value(), "auto comes to epoll");
    // Fine timeouts are refused too.
    std::atomic<bool> ran{false};
    chosen->run([&] { chosen->after(2ms, [&] { ran = true; }); });
    for (int i = 0; i < 20'000 && !ran; ++i) std::this_thread::sleep_for(1ms);
    demand(ran, "timers run");
}

TEST_F(RefusalsDeathTest, AForbiddenIoUringIsDoneWithout) {
    if (!has_seccomp()) GTEST_SKIP() << "this kernel has no seccomp";
    EXPECT_EXIT(
        {
            forbid(SYS_io_uring_setup, EPERM, SYS_epoll_pwait2, ENOSYS);
            works_without_io_uring();
            std::_Exit(0);
        },
        testing::ExitedWithCode(0), "");
}

TEST_F(RefusalsDeathTest, AnIoUringThatTakesNothingIsDoneWithout) {
    if (!uring_refused().empty()) GTEST_SKIP() << uring_refused();
    if (!has_seccomp()) GTEST_SKIP() << "this kernel has no seccomp";
    EXPECT_EXIT(
        {
            forbid(SYS_io_uring_enter, EPERM, SYS_epoll_pwait2, EPERM);
            works_without_io_uring();
            std::_Exit(0);
        },
        testing::ExitedWithCode(0), "");
}

// More callers than descriptors: all are served, one after the other, and none is turned away.
void serve_more_than_fit() {
    constexpr std::size_t kCallers = 24;
    constexpr std::size_t kFit = 6;
    SocketEngine engine(io::Engine::Epoll);
    auto scene = std::make_unique<Scene>(engine);
    scene->on_accept = [](End& end) { end.echo = true; };
    const Address at = scene->listen();
    const SocketAddress to = resolve(at, Resolve::Literal).value()[0];
    std::vector<Fd> callers;
    for (std::size_t i = 0; i < kCallers; ++i)
        callers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    // The lowest free descriptor, and as many above it as are to fit.
    const int next = ::dup(callers[0].get());
    ::close(next);
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = static_cast<rlim_t>(next) + kFit;
    demand(::setrlimit(RLIMIT_NOFILE, &limit) == 0, "the limit is lowered");
    for (const Fd& caller : callers) {
        const timeval patience{20, 0};
        ::setsockopt(caller.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        demand(::connect(caller.get(), to.get(), to.length) == 0, "the backlog takes all callers");
        demand(::send(caller.get(), "hello", 5, MSG_NOSIGNAL) == 5, "and what they say");
    }
    demand(engine.wait([&] { return scene->accepted.size() >= kFit; }), "as many as fit are accepted");
    bool over = false;
    engine.run([&] { engine.reactor().after(150ms, [&] { over = true, engine.changed(); }); });
    demand(engine.wait([&] { return over; }), "time goes on");
    engine.run([&] { demand(scene->accepted.size() == kFit, "and no more than fit"); });
    // Who was served makes room for the next.
    for (const Fd& caller : callers) {
        char answer[5];
        demand(::recv(caller.get(), answer, sizeof answer, MSG_WAITALL) == 5, "each is answered");
        engine.run([&] {
            End* const oldest = scene->accepted.front();
            scene->accepted.erase(scene->accepted.begin());
            oldest->stream()->abort_on_close();
            oldest->drop();
        });
    }
    scene.reset();
}

TEST_F(RefusalsDeathTest, MoreCallersThanDescriptorsAreAllServed) {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "UBSan needs descriptors to look at objects, and calls each one bad when there are none";
#endif
    EXPECT_EXIT(
        {
            serve_more_than_fit();
            std::_Exit(0);
        },
        testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace hawser::io::test
