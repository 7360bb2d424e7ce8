#include "runtime/control/event_loop.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

namespace hawser::control {
namespace {

using namespace std::chrono_literals;

TEST(EventLoop, CallsBackForReadyDescriptorsOnly) {
    EventLoop loop;
    const Fd ready(eventfd(1, EFD_CLOEXEC)), idle(eventfd(0, EFD_CLOEXEC));
    int calls = 0, wrong = 0;
    loop.add(ready.get(), EPOLLIN, [&](std::uint32_t) { ++calls; });
    loop.add(idle.get(), EPOLLIN, [&](std::uint32_t) { ++wrong; });
    loop.run_once(1s);
    loop.run_once(1s);
    EXPECT_EQ(calls, 2) << "level-triggered: it was not read";
    EXPECT_EQ(wrong, 0);
}

TEST(EventLoop, ACallbackMayRemoveAnyDescriptorEvenItsOwn) {
    EventLoop loop;
    const Fd a(eventfd(1, EFD_CLOEXEC)), b(eventfd(1, EFD_CLOEXEC));
    int calls = 0;
    const auto remove_both = [&](std::uint32_t) {
        ++calls;
        loop.remove(a.get());
        loop.remove(b.get());
    };
    loop.add(a.get(), EPOLLIN, remove_both);
    loop.add(b.get(), EPOLLIN, remove_both);
    loop.run_once(1s);
    loop.run_once(0s);
    EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace hawser::control
