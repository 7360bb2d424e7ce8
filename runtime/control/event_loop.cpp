#include "runtime/control/event_loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <utility>

namespace hawser::control {

EventLoop::EventLoop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

void EventLoop::add(int fd, std::uint32_t events, Callback callback) {
    callbacks_[fd] = std::make_shared<Callback>(std::move(callback));
    epoll_event event{.events = events, .data = {.fd = fd}};
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
}

void EventLoop::change(int fd, std::uint32_t events) {
    epoll_event event{.events = events, .data = {.fd = fd}};
    epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::remove(int fd) {
    if (callbacks_.erase(fd) != 0) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void EventLoop::run_once(Duration timeout) {
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::max(timeout, Duration::zero()));
    std::array<epoll_event, 32> events{};
    const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                 static_cast<int>(std::min<std::int64_t>(wait.count(), 60'000)));
    for (int i = 0; i < count; ++i) {
        const auto found = callbacks_.find(events[static_cast<std::size_t>(i)].data.fd);
        if (found == callbacks_.end()) continue;
        const std::shared_ptr<Callback> callback = found->second;
        (*callback)(events[static_cast<std::size_t>(i)].events);
    }
}

}  // namespace hawser::control
