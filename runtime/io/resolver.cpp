#include "runtime/io/resolver.h"

#include <deque>
#include <utility>

#include "runtime/io/background.h"

namespace hawser::io {
namespace {

// Enough that one dead name server does not hold up the other names, few enough for 10,000 connections at
// once.
constexpr int kMostThreads = 8;

struct Request {
    Address address;
    std::shared_ptr<Resolution> resolution;
};

// Never destroyed: getaddrinfo() may come back after the process has begun to end.
struct Resolver {
    std::mutex mutex;
    std::deque<Request> waiting;  // mutex
    int threads = 0;              // mutex; each takes requests until there are none
};

Resolver& resolver() {
    static Resolver* const instance = new Resolver;
    return *instance;
}

void work(Resolver& all) {
    for (;;) {
        Request request;
        {
            const std::lock_guard lock(all.mutex);
            if (all.waiting.empty()) {
                --all.threads;
                return;
            }
            request = std::move(all.waiting.front());
            all.waiting.pop_front();
        }
        if (!request.resolution->cancelled())
            request.resolution->finish(resolve(request.address, Resolve::Any));
    }
}

}  // namespace

void Resolution::cancel() {
    const std::lock_guard lock(mutex_);
    done_ = nullptr;
}

bool Resolution::cancelled() {
    const std::lock_guard lock(mutex_);
    return done_ == nullptr;
}

void Resolution::finish(Result<std::vector<SocketAddress>> result) {
    const std::lock_guard lock(mutex_);
    if (done_) std::exchange(done_, nullptr)(std::move(result));
}

std::shared_ptr<Resolution> resolve_in_background(const Address& address, Resolution::Done done) {
    auto resolution = std::make_shared<Resolution>(std::move(done));
    Resolver& all = resolver();
    bool helped = true;
    {
        const std::lock_guard lock(all.mutex);
        all.waiting.push_back({address, resolution});
        if (all.threads < kMostThreads) {
            ++all.threads;
            if (!run_in_background("hawser-dns", [&all] { work(all); })) {
                // With others at work it just takes longer.
                helped = --all.threads > 0;
                if (!helped) all.waiting.pop_back();
            }
        }
    }
    if (!helped) {
        resolution->finish(Error{Errc::NoResource, "cannot resolve host “" + address.host +
                                                       "”: the system has no threads left; close something"});
    }
    return resolution;
}

}  // namespace hawser::io
