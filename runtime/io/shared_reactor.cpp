#include "runtime/io/shared_reactor.h"

#include <map>
#include <mutex>
#include <utility>

#include "runtime/base/log.h"
#include "runtime/io/background.h"
#include "runtime/io/uring_reactor.h"

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

Engine resolve(Engine engine) {
    if (engine != Engine::Auto) return engine;
    static const Engine best = [] {
        const Result<void> able = UringReactor::probe();
        if (!able) log().info("{}; using epoll alone", able.error().message);
        return able ? Engine::IoUring : Engine::Epoll;
    }();
    return best;
}

template <typename Made>
Result<std::unique_ptr<EpollReactor>> as_base(Result<std::unique_ptr<Made>> made) {
    if (!made) return made.error();
    return std::unique_ptr<EpollReactor>(std::move(*made));
}

}  // namespace

Result<std::unique_ptr<EpollReactor>> make_reactor(Engine engine) {
    if (resolve(engine) == Engine::Epoll) return EpollReactor::create();
    auto made = as_base(UringReactor::create());
    if (made || engine == Engine::IoUring) return made;
    log().info("{}; using epoll alone", made.error().message);
    return EpollReactor::create();
}

Result<std::shared_ptr<Reactor>> shared_reactor(Engine engine, unsigned index) {
    const std::lock_guard lock(shared().mutex);
    std::weak_ptr<Reactor>& present = shared().reactors[{resolve(engine), index}];
    if (std::shared_ptr<Reactor> reactor = present.lock()) return reactor;
    auto created = make_reactor(engine);
    if (!created) return created.error();
    std::shared_ptr<Reactor> reactor(created->release(),
                                     [](Reactor* gone) { dispose(static_cast<EpollReactor*>(gone)); });
    present = reactor;
    return reactor;
}

}  // namespace hawser::io
