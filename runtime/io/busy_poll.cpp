#include "runtime/io/busy_poll.h"

#include <map>
#include <mutex>
#include <set>
#include <utility>

namespace hawser::io {
namespace {

struct Wishes {
    std::mutex mutex;
    std::map<Reactor*, std::multiset<Duration>> by_reactor;  // mutex; none is empty
};

Wishes& wishes() {
    static auto* const all = new Wishes;  // lives as long as any element
    return *all;
}

}  // namespace

BusyPoll::BusyPoll(std::shared_ptr<Reactor> reactor, Duration spin)
    : reactor_(std::move(reactor)), spin_(spin) {
    const std::lock_guard lock(wishes().mutex);
    std::multiset<Duration>& of_reactor = wishes().by_reactor[reactor_.get()];
    of_reactor.insert(spin_);
    reactor_->set_busy_poll(*of_reactor.rbegin());
}

BusyPoll::~BusyPoll() {
    const std::lock_guard lock(wishes().mutex);
    const auto at = wishes().by_reactor.find(reactor_.get());
    at->second.erase(at->second.find(spin_));
    reactor_->set_busy_poll(at->second.empty() ? Duration::zero() : *at->second.rbegin());
    if (at->second.empty()) wishes().by_reactor.erase(at);
}

}  // namespace hawser::io
