#include "runtime/control/channel.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace hawser::control {

Channel::Channel(Fd socket) : socket_(std::move(socket)) {
    fcntl(socket_.get(), F_SETFL, fcntl(socket_.get(), F_GETFL) | O_NONBLOCK);
    fcntl(socket_.get(), F_SETFD, FD_CLOEXEC);
}

Result<void> Channel::send(const google::protobuf::MessageLite& message) {
    if (out_.size() > kMaxMessage)
        return Error{Errc::Busy,
                     "the other side of the control channel does not read; a message was dropped"};
    if (auto framed = append_frame(message, out_); !framed) return framed;
    return flush();
}

Result<void> Channel::flush() {
    std::size_t done = 0;
    Result<void> result;
    while (done < out_.size()) {
        const ssize_t wrote = ::send(socket_.get(), out_.data() + done, out_.size() - done, MSG_NOSIGNAL);
        if (wrote >= 0) {
            done += static_cast<std::size_t>(wrote);
            continue;
        }
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) break;
        result = Error{Errc::Closed, std::string("the control channel is closed: ") + std::strerror(errno)};
        done = out_.size();  // nobody will read it
    }
    out_.erase(0, done);
    return result;
}

void Channel::flush_within(Duration limit) {
    const TimePoint end = SteadyClock::instance().now() + limit;
    while (wants_write() && flush() && wants_write()) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - SteadyClock::instance().now());
        if (left.count() <= 0) return;
        pollfd wait{socket_.get(), POLLOUT, 0};
        poll(&wait, 1, static_cast<int>(left.count()));
    }
}

Result<bool> Channel::receive_bytes(const std::function<bool(std::string_view)>& on_message) {
    char chunk[16 * 1024];
    for (;;) {
        const ssize_t got = ::recv(socket_.get(), chunk, sizeof chunk, 0);
        if (got < 0) {
            if (errno == EINTR) continue;
            return errno == EAGAIN || errno == EWOULDBLOCK;
        }
        if (got == 0) return false;
        in_.append({chunk, static_cast<std::size_t>(got)});
        for (std::string_view message;;) {
            auto next = in_.next(message);
            if (!next) return next.error();
            if (!*next) break;
            if (!on_message(message)) return Error{Errc::Protocol, "a control message cannot be parsed"};
        }
    }
}

}  // namespace hawser::control
