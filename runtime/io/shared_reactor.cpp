#include "runtime/io/shared_reactor.h"

#include <map>
#include <mutex>
#include <utility>

#include "runtime/base/log.h"
#include "runtime/io/background.h"
#include "runtime/io/epoll_reactor.h"

namespace hawser::io {
namespace {

struct Shared {
    std::mutex mutex;
    std::map<std::pair<Engine, unsigned>, std::weak_ptr<Reactor>> reactors;  // mutex
};

// Never destroyed: owners may be static objects which die later than this one would.
Shared& shared() {
    static Shared* const instance = new Shared;
    return *instance;
}

// A reactor cannot join its own thread. Where it is let go of on that thread, another one does it.
void dispose(EpollReactor* reactor) {
    if (!reactor->in_reactor_thread()) {
        delete reactor;
        return;
    }
    if (!run_in_background("hawser-reaper", [reactor] { delete reactor; })) {
        log().error(
            "cannot start a thread to end the reactor: its thread and its memory stay until the process "
            "ends");
        reactor->stop();
    }
}

}  // namespace

Result<std::shared_ptr<Reactor>> shared_reactor(Engine engine, unsigned index) {
    if (engine == Engine::IoUring)
        return Error{Errc::Denied,
                     "cannot use io_uring: this build has no such engine; choose auto or epoll"};
    if (engine == Engine::Auto) engine = Engine::Epoll;
    const std::lock_guard lock(shared().mutex);
    std::weak_ptr<Reactor>& present = shared().reactors[{engine, index}];
    if (std::shared_ptr<Reactor> reactor = present.lock()) return reactor;
    auto created = EpollReactor::create();
    if (!created) return created.error();
    std::shared_ptr<Reactor> reactor(created->release(),
                                     [](Reactor* gone) { dispose(static_cast<EpollReactor*>(gone)); });
    present = reactor;
    return reactor;
}

}  // namespace hawser::io
