#include "runtime/io/loopback_reactor.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace hawser::io {
namespace {

constexpr std::size_t kLivelock = 10'000'000;  // steps without time passing

std::string canonical(const std::string& host) {
    return host == "localhost" || host == "::1" ? "127.0.0.1" : host;
}
bool is_wildcard(const std::string& host) {
    return host.empty() || host == "0.0.0.0" || host == "::";
}
std::string key_of(const Address& address) {
    return Address{canonical(address.host), address.port}.text();
}

}  // namespace

class LoopbackListener final : public ListenSocket {
  public:
    LoopbackListener(LoopbackReactor& reactor, Address address, Reactor::AcceptHandler on_accept)
        : address_(std::move(address)),
          on_accept_(std::make_shared<const Reactor::AcceptHandler>(std::move(on_accept))),
          reactor_(&reactor) {
        reactor.listeners_.push_back(this);
    }
    ~LoopbackListener() override {
        if (reactor_ != nullptr) std::erase(reactor_->listeners_, this);
    }
    std::uint16_t port() const override { return address_.port; }
    void orphan() { reactor_ = nullptr; }

    const Address address_;
    // Shared, since a handler may destroy the listener while it runs, and to see whether it is still there.
    const std::shared_ptr<const Reactor::AcceptHandler> on_accept_;

  private:
    LoopbackReactor* reactor_;
};

class LoopbackConnecting final : public Connecting {
  public:
    LoopbackConnecting(LoopbackReactor& reactor, Address address, ConnectOptions options,
                       Reactor::ConnectHandler done)
        : reactor_(&reactor),
          address_(std::move(address)),
          options_(std::move(options)),
          done_(std::move(done)) {
        reactor.connecting_.insert(this);
        later(reactor.resolve_time_, &LoopbackConnecting::resolved);
    }
    ~LoopbackConnecting() override {
        if (reactor_ == nullptr) return;
        reactor_->cancel(timer_);
        reactor_->connecting_.erase(this);
    }
    void orphan() { reactor_ = nullptr; }

  private:
    void later(Duration delay, void (LoopbackConnecting::*step)()) {
        timer_ = reactor_->after(delay, [this, step] {
            timer_ = 0;
            (this->*step)();
        });
    }

    void resolved() {
        if (reactor_->unknown_hosts_.count(address_.host) != 0) {
            return finish(Error{Errc::NotFound,
                                "cannot resolve host “" + address_.host + "”: Name or service not known"});
        }
        // The next step stands before the callback, which may destroy this (and with it the step).
        const Duration there_and_back =
            reactor_->faults(Direction::ToListener).latency + reactor_->faults(Direction::ToCaller).latency;
        const auto fate = reactor_->fates_.find(key_of(address_));
        const bool ignored = fate != reactor_->fates_.end() && fate->second == LoopbackReactor::Fate::Ignored;
        if (ignored || there_and_back > options_.timeout) {
            later(options_.timeout, &LoopbackConnecting::timed_out);
        } else {
            later(there_and_back, &LoopbackConnecting::arrived);
        }
        const auto on_resolved = options_.on_resolved;
        const std::string address = key_of(address_);
        if (on_resolved) on_resolved(address);
    }

    void timed_out() {
        finish(Error{Errc::TimedOut,
                     "cannot connect to " + address_.text() + ": no answer in time (Connection timed out)"});
    }

    void arrived() {
        const auto fate = reactor_->fates_.find(key_of(address_));
        if (fate != reactor_->fates_.end() && fate->second == LoopbackReactor::Fate::Ignored) {
            return later(options_.timeout, &LoopbackConnecting::timed_out);
        }
        if (fate != reactor_->fates_.end() && fate->second == LoopbackReactor::Fate::Unreachable) {
            return finish(Error{Errc::Unreachable, "cannot connect to " + address_.text() +
                                                       ": no way to that address (Network is unreachable)"});
        }
        if (fate != reactor_->fates_.end() || reactor_->find_listener(address_) == nullptr) {
            return finish(Error{Errc::Refused, "cannot connect to " + address_.text() +
                                                   ": nobody listens there (Connection refused)"});
        }
        reactor_->establish(address_, std::exchange(done_, nullptr));
    }

    void finish(Error error) {
        const Reactor::ConnectHandler done = std::exchange(done_, nullptr);
        done(std::move(error));
    }

    LoopbackReactor* reactor_;
    const Address address_;
    const ConnectOptions options_;
    Reactor::ConnectHandler done_;
    TimerId timer_ = 0;
};

// --- Driving ---

LoopbackReactor::LoopbackReactor() = default;

LoopbackReactor::~LoopbackReactor() {
    for (const auto& connection : connections_) connection->reactor_ = nullptr;
    for (LoopbackListener* listener : listeners_) listener->orphan();
    for (LoopbackConnecting* connecting : connecting_) connecting->orphan();
}

std::size_t LoopbackReactor::run_until_idle() {
    std::size_t steps = 0;
    for (;;) {
        std::vector<std::function<void()>> posted;
        {
            const std::lock_guard lock(mutex_);
            posted.swap(posted_);
        }
        if (!posted.empty()) end_nap();
        for (std::function<void()>& task : posted) {
            task();
            task = nullptr;
        }
        steps += posted.size();
        bool busy = !posted.empty();
        if (run_notified()) busy = true, ++steps;
        // One event, then whatever was posted or notified by it: as close together as they can get.
        if (!events_.empty()) {
            const std::function<void()> event = std::move(events_.front());
            events_.pop_front();
            end_nap();
            event();
            busy = true, ++steps;
        } else if (!busy && run_due_timer()) {
            busy = true, ++steps;
        }
        if (!busy) return steps;
        if (steps > kLivelock) {
            std::fprintf(stderr, "LoopbackReactor: handlers keep each other busy without end\n");
            std::abort();
        }
    }
}

bool LoopbackReactor::run_due_timer() {
    const auto first = timers_.begin();
    if (first == timers_.end() || first->first.first > clock_.now()) return false;
    timer_times_.erase(first->first.second);
    const auto timer = timers_.extract(first);
    end_nap();
    timer.mapped()();
    return true;
}

bool LoopbackReactor::run_notified() {
    if (nap_until_ > clock_.now() && nap_until_ != TimePoint::max() && !notified_.urgent()) return false;
    end_nap();
    return notified_.run();
}

// When something happens by itself; never: TimePoint::max().
TimePoint LoopbackReactor::next_stop() const {
    return timers_.empty() ? nap_until_ : std::min(nap_until_, timers_.begin()->first.first);
}

void LoopbackReactor::advance(Duration by) {
    advance_until([] { return false; }, by);
}

bool LoopbackReactor::advance_until(const std::function<bool()>& done, Duration limit) {
    const TimePoint end = clock_.now() + limit;
    for (;;) {
        run_until_idle();
        if (done()) return true;
        const TimePoint next = next_stop();
        if (next > end || next == TimePoint::max()) break;
        clock_.set(std::max(clock_.now(), next));
    }
    clock_.set(std::max(clock_.now(), end));
    return done();
}

// --- Reactor ---

Result<std::unique_ptr<ListenSocket>> LoopbackReactor::listen(const Address& address,
                                                              AcceptHandler on_accept) {
    Address bound = address;
    const auto taken = [&](std::uint16_t port) {
        return std::any_of(listeners_.begin(), listeners_.end(), [&](const LoopbackListener* one) {
            return one->address_.port == port &&
                   (is_wildcard(one->address_.host) || is_wildcard(bound.host) ||
                    canonical(one->address_.host) == canonical(bound.host));
        });
    };
    if (unknown_hosts_.count(address.host) != 0) {
        return Error{Errc::NotFound, "cannot resolve host “" + address.host + "”: Name or service not known"};
    }
    if (bound.port == 0) {
        while (taken(next_port_)) ++next_port_;
        bound.port = next_port_++;
    } else if (taken(bound.port)) {
        return Error{Errc::AddressInUse,
                     "cannot listen on " + address.text() +
                         ": the port is taken (Address already in use); stop the other program or "
                         "choose another port, 0 lets the system choose"};
    }
    return std::unique_ptr<ListenSocket>(
        std::make_unique<LoopbackListener>(*this, bound, std::move(on_accept)));
}

std::unique_ptr<Connecting> LoopbackReactor::connect(const Address& address, const ConnectOptions& options,
                                                     ConnectHandler done) {
    return std::make_unique<LoopbackConnecting>(*this, address, options, std::move(done));
}

TimerId LoopbackReactor::after(Duration delay, std::function<void()> run) {
    const TimerId id = ++last_timer_;
    const TimePoint when = saturating_add(clock_.now(), std::max(delay, Duration::zero()));
    timers_.emplace(std::make_pair(when, id), std::move(run));
    timer_times_.emplace(id, when);
    return id;
}

void LoopbackReactor::cancel(TimerId timer) {
    const auto found = timer_times_.find(timer);
    if (found == timer_times_.end()) return;
    const auto dropped = timers_.extract(std::make_pair(found->second, timer));
    timer_times_.erase(found);
}

void LoopbackReactor::nap(Duration at_most) {
    nap_until_ = std::min(nap_until_, saturating_add(clock_.now(), at_most));
}

void LoopbackReactor::write_all(std::span<Write> writes) {
    for (Write& one : writes) one.result = one.stream->write(one.parts);
}

Result<std::unique_ptr<Stream>> LoopbackReactor::adopt(Fd) {
    return Error{Errc::Invalid, "cannot take over a socket: this network is one inside the process"};
}

void LoopbackReactor::post(std::function<void()> task) {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(task));
}

void LoopbackReactor::notify(Notifiable& thing) {
    notified_.push(thing);
}
void LoopbackReactor::forget(Notifiable& thing) {
    notified_.forget(thing);
}

// --- Network ---

std::shared_ptr<LoopbackConnection> LoopbackReactor::open_connection() const {
    const auto found =
        std::find_if(connections_.rbegin(), connections_.rend(), [](const auto& one) { return one->open(); });
    return found == connections_.rend() ? nullptr : *found;
}

void LoopbackReactor::cut_all() {
    for (const auto& connection : connections_) connection->cut();
}

void LoopbackReactor::set_fate(const Address& address, Fate fate, bool on) {
    if (on) {
        fates_[key_of(address)] = fate;
    } else {
        fates_.erase(key_of(address));
    }
}
void LoopbackReactor::refuse(const Address& address, bool on) {
    set_fate(address, Fate::Refused, on);
}
void LoopbackReactor::ignore(const Address& address, bool on) {
    set_fate(address, Fate::Ignored, on);
}
void LoopbackReactor::unreachable(const Address& address, bool on) {
    set_fate(address, Fate::Unreachable, on);
}

void LoopbackReactor::unknown_host(const std::string& host, bool on) {
    if (on) {
        unknown_hosts_.insert(host);
    } else {
        unknown_hosts_.erase(host);
    }
}

LoopbackListener* LoopbackReactor::find_listener(const Address& address) {
    const auto found = std::find_if(listeners_.begin(), listeners_.end(), [&](const LoopbackListener* one) {
        return one->address_.port == address.port &&
               (is_wildcard(one->address_.host) || canonical(one->address_.host) == canonical(address.host));
    });
    return found == listeners_.end() ? nullptr : *found;
}

std::weak_ptr<const Reactor::AcceptHandler> LoopbackReactor::accept_handler(
    const LoopbackListener& listener) {
    return listener.on_accept_;
}

std::string LoopbackReactor::peer_text(const Address& address) {
    return key_of(address);
}

}  // namespace hawser::io
