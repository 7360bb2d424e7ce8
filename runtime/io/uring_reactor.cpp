#include "runtime/io/uring_reactor.h"

#include <liburing.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <utility>

#include "runtime/base/log.h"
#include "runtime/io/epoll_sockets.h"
#include "runtime/io/tcp.h"

namespace hawser::io {
namespace {

constexpr std::size_t kBatch = 256;  // writes a system call
// Fewer cost the same by system calls of their own.
constexpr std::size_t kWorthIt = 3;

Error denied(const char* what, int error) {
    return {Errc::Denied, std::string("cannot use io_uring: ") + what + " (" + describe_errno(error) +
                              "); a container's seccomp profile or the sysctl kernel.io_uring_disabled may "
                              "forbid it; choose io-engine=epoll or auto"};
}

}  // namespace

// Not more than a queue for sends: each is complete when submit() returns.
class UringReactor::Ring {
  public:
    static Result<std::unique_ptr<Ring>> create() {
        std::unique_ptr<Ring> ring(new Ring);
        if (const int error = -io_uring_queue_init(kBatch, &ring->ring_, 0); error != 0)
            return denied("io_uring_setup failed", error);
        ring->made_ = true;
        io_uring_probe* const probe = io_uring_get_probe_ring(&ring->ring_);
        const bool able = probe != nullptr && io_uring_opcode_supported(probe, IORING_OP_SENDMSG) != 0 &&
                          io_uring_opcode_supported(probe, IORING_OP_SEND) != 0;
        io_uring_free_probe(probe);
        if (!able) return denied("this kernel's is too old", ENOSYS);
        // A sandbox may allow to set it up, and nothing more.
        io_uring_prep_nop(io_uring_get_sqe(&ring->ring_));
        if (const int done = ring->submit(1); done != 1) return denied("io_uring_enter failed", -done);
        ring->reap([](std::uint64_t, int) {});
        return ring;
    }
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;
    ~Ring() {
        if (made_) io_uring_queue_exit(&ring_);
    }

    // `parts` must live until submit() returns. At most kBatch before each submit().
    void add(std::uint64_t id, int fd, std::span<const iovec> parts) {
        constexpr int kFlags = MSG_DONTWAIT | MSG_NOSIGNAL;
        io_uring_sqe* const entry = io_uring_get_sqe(&ring_);
        if (parts.size() == 1) {
            io_uring_prep_send(entry, fd, parts[0].iov_base, parts[0].iov_len, kFlags);
        } else {
            msghdr& message = messages_[id];
            message = {};
            message.msg_iov = const_cast<iovec*>(parts.data());
            message.msg_iovlen = std::min<std::size_t>(parts.size(), IOV_MAX);
            io_uring_prep_sendmsg(entry, fd, &message, kFlags);
        }
        io_uring_sqe_set_data64(entry, id);
    }

    // Submits `count` entries and waits for them, although a send that must not wait is through at once.
    // `count`, or minus the errno for which some of them may not have been taken.
    int submit(unsigned count) {
        for (unsigned submitted = 0; submitted < count;) {
            const int taken = io_uring_submit_and_wait(&ring_, count - submitted);
            if (taken == -EINTR) continue;
            if (taken < 0) return taken;
            submitted += static_cast<unsigned>(taken);
        }
        while (io_uring_cq_ready(&ring_) < count) {
            io_uring_cqe* first = nullptr;
            if (const int error = io_uring_wait_cqe_nr(&ring_, &first, count); error < 0 && error != -EINTR)
                return error;
        }
        return static_cast<int>(count);
    }

    // Calls `each(id, result)` for what is complete.
    template <typename Each>
    void reap(Each each) {
        unsigned head;
        unsigned count = 0;
        io_uring_cqe* entry;
        io_uring_for_each_cqe(&ring_, head, entry) {
            each(io_uring_cqe_get_data64(entry), entry->res);
            ++count;
        }
        io_uring_cq_advance(&ring_, count);
    }

  private:
    Ring() = default;

    io_uring ring_{};
    bool made_ = false;
    std::array<msghdr, kBatch> messages_;
};

Result<void> UringReactor::probe() {
    const auto ring = Ring::create();
    if (!ring) return ring.error();
    return {};
}

Result<std::unique_ptr<UringReactor>> UringReactor::create() {
    auto ring = Ring::create();
    if (!ring) return ring.error();
    auto descriptors = open();
    if (!descriptors) return descriptors.error();
    std::unique_ptr<UringReactor> reactor(new UringReactor(std::move(*descriptors), std::move(*ring)));
    if (const Result<void> started = reactor->start(); !started) return started.error();
    return reactor;
}

UringReactor::UringReactor(Descriptors descriptors, std::unique_ptr<Ring> ring)
    : EpollReactor(std::move(descriptors)), ring_(std::move(ring)) {}

UringReactor::~UringReactor() {
    end();
}

void UringReactor::write_all(std::span<Write> writes) {
    while (writes.size() >= kWorthIt && ring_) {
        const std::span<Write> batch = writes.first(std::min(writes.size(), kBatch));
        unsigned count = 0;
        for (std::size_t i = 0; i < batch.size(); ++i) {
            Write& one = batch[i];
            auto& stream = static_cast<EpollStream&>(*one.stream);
            one.result = {IoResult::Status::Failed, 0, EINTR};
            if (!stream.alive() || one.parts.empty()) continue;
            ring_->add(i, stream.descriptor(), one.parts);
            ++count;
        }
        const int submitted = count == 0 ? 0 : ring_->submit(count);
        ring_->reap([&](std::uint64_t id, int result) {
            batch[id].result = static_cast<EpollStream&>(*batch[id].stream).wrote(result);
        });
        count_writes(count);
        if (submitted < 0) {
            log().warn("io_uring failed ({}): this reactor goes on without it", describe_errno(-submitted));
            ring_.reset();
        }
        // What the ring could not do, for whatever reason (interrupted, no memory for it, forbidden by a
        // sandbox), is tried by itself: that says whether it is the stream that has failed.
        for (Write& one : batch) {
            if (one.result.status == IoResult::Status::Failed) one.result = one.stream->write(one.parts);
        }
        writes = writes.subspan(batch.size());
    }
    EpollReactor::write_all(writes);
}

}  // namespace hawser::io
