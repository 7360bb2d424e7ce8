// The epoll reactor whose write_all() is one system call for up to 256 streams, by io_uring.
//
// Everything else is the same: epoll tells readiness, a single write is a sendmsg(). docs/design/0012 says
// why.
#pragma once

#include <memory>
#include <span>

#include "runtime/base/result.h"
#include "runtime/io/epoll_reactor.h"

namespace hawser::io {

class UringReactor final : public EpollReactor {
  public:
    // Fails where the system has no io_uring, forbids it or has too old a one (Denied), and as
    // EpollReactor's.
    static Result<std::unique_ptr<UringReactor>> create();
    // Whether create() would find an io_uring that works. Any thread.
    static Result<void> probe();
    ~UringReactor() override;

    void write_all(std::span<Write> writes) override;

  private:
    class Ring;

    UringReactor(Descriptors descriptors, std::unique_ptr<Ring> ring);

    std::unique_ptr<Ring> ring_;  // who has the turn; null once it has failed: plain writes from then on
};

}  // namespace hawser::io
