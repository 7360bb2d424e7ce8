#include "runtime/session/link.h"

#include <algorithm>
#include <utility>

#include "runtime/base/log.h"
#include "runtime/base/text.h"

namespace hawser::session {
namespace {

// A connection that lasted this long starts the back-off anew.
constexpr Duration kStable = std::chrono::seconds(2);

// What looks like a mistake in the configuration is tried this often, so far apart, in case it was only bad
// timing, before an end that was never connected gives up.
constexpr unsigned kHopelessTries = 3;
constexpr Duration kHopelessDelay = std::chrono::milliseconds(500);

bool hopeless(Errc code) {
    switch (code) {
        case Errc::NotFound:
        case Errc::Protocol:
        case Errc::Version:
        case Errc::Denied:
        case Errc::Invalid:
            return true;
        default:
            return false;
    }
}

Error early() {
    return {Errc::Protocol, "the peer sent a frame before the handshake was done"};
}

}  // namespace

const char* to_string(State state) {
    switch (state) {
        case State::Idle:
            return "idle";
        case State::Resolving:
            return "resolving";
        case State::Connecting:
            return "connecting";
        case State::Listening:
            return "listening";
        case State::Handshake:
            return "handshake";
        case State::Streaming:
            return "streaming";
        case State::Backoff:
            return "backoff";
        case State::Failed:
            return "failed";
        case State::Ended:
            return "ended";
    }
    return "?";
}

const char* to_string(LinkEvent event) {
    switch (event) {
        case LinkEvent::Listen:
            return "listen";
        case LinkEvent::Call:
            return "call";
        case LinkEvent::Resolved:
            return "resolved";
        case LinkEvent::Connected:
            return "connected";
        case LinkEvent::Ready:
            return "ready";
        case LinkEvent::Lost:
            return "lost";
        case LinkEvent::Vacated:
            return "vacated";
        case LinkEvent::Retry:
            return "retry";
        case LinkEvent::GiveUp:
            return "give-up";
        case LinkEvent::Finished:
            return "finished";
        case LinkEvent::Stop:
            return "stop";
        case LinkEvent::Count_:
            break;
    }
    return "?";
}

Link::Link(io::Reactor& reactor, Random& random, const LinkConfig& config, wire::Role role,
           std::size_t buffer, bool ping, User& user)
    : reactor_(reactor),
      random_(random),
      config_(config),
      role_(role),
      buffer_(buffer),
      ping_(ping),
      user_(user),
      machine_("link"),
      backoff_({config.reconnect.min_delay, config.reconnect.max_delay, kStable}) {}

Link::~Link() {
    stop();
}

bool Link::fire(LinkEvent event, const std::string& reason) {
    const State before = machine_.state();
    if (!machine_.fire(event)) return false;
    const State now = machine_.state();
    log().debug("{}: {} -> {} ({})", config_.stream, to_string(before), to_string(now), reason);
    user_.on_state(now, before, reason);
    return true;
}

Result<void> Link::start() {
    if (calling()) {
        fire(LinkEvent::Call, "connecting to " + config_.address.text());
        attempt();
        return {};
    }
    auto acceptor = Acceptor::obtain(reactor_, config_.address);
    if (!acceptor) return acceptor.error();
    if (auto added = (*acceptor)->add(*this); !added) return added.error();
    acceptor_ = std::move(*acceptor);
    port_.store(acceptor_->port(), std::memory_order_release);
    fire(LinkEvent::Listen, "listening on " + io::Address{config_.address.host, acceptor_->port()}.text());
    return {};
}

void Link::stop() {
    if (acceptor_) acceptor_->remove(*this);
    acceptor_.reset();
    reactor_.cancel(std::exchange(retry_, 0));
    connecting_.reset();
    shaking_.reset();
    if (machine_.state() != State::Idle) fire(LinkEvent::Stop, "stopped");
}

// --- Listener
// -----------------------------------------------------------------------------------------------------------

Result<void> Link::on_peer(std::unique_ptr<Connection>& connection, const wire::Hello& hello) {
    if (machine_.state() == State::Failed || machine_.state() == State::Idle)
        return Error{Errc::Busy, "\"" + config_.stream + "\" has stopped"};
    const Peer peer{hello.session(), hello.generation(), hello.epoch(), hello.agent()};
    if (auto admitted = user_.admit(peer); !admitted) return admitted;
    Peer self;
    user_.introduce(self);
    wire::Welcome welcome;
    welcome.set_version(wire::kVersion);
    welcome.set_role(role_);
    welcome.set_session(self.session);
    welcome.set_generation(self.generation);
    welcome.set_epoch(self.epoch);
    welcome.set_agent(config_.agent);
    auto taken = std::move(connection);
    taken->adopt(config_.liveness, buffer_, ping_);
    taken->welcome(welcome);
    user_.meet(std::move(taken), peer);
    return {};
}

void Link::vacated(const std::string& reason) {
    fire(LinkEvent::Vacated, reason);
}

// --- Caller
// -------------------------------------------------------------------------------------------------------------

void Link::attempt() {
    io::ConnectOptions options;
    options.timeout = config_.liveness.handshake_timeout;
    options.on_resolved = [this](const std::string& address) {
        if (machine_.state() == State::Resolving) fire(LinkEvent::Resolved, "connecting to " + address);
    };
    connecting_ = reactor_.connect(
        config_.address, options,
        [this](Result<std::unique_ptr<io::Stream>> stream) { on_connected(std::move(stream)); });
}

void Link::on_connected(Result<std::unique_ptr<io::Stream>> stream) {
    connecting_.reset();
    if (!stream) return attempt_failed(stream.error());
    if (machine_.state() == State::Resolving) fire(LinkEvent::Resolved, "connecting");
    fire(LinkEvent::Connected, "connected to " + (*stream)->peer_address());
    shaking_ = std::make_unique<Connection>(reactor_, std::move(*stream), config_.liveness, buffer_, ping_);
    Peer self;
    user_.introduce(self);
    wire::Hello hello;
    hello.set_min_version(wire::kVersion);
    hello.set_max_version(wire::kVersion);
    hello.set_role(role_);
    hello.set_stream(config_.stream);
    hello.set_session(self.session);
    hello.set_generation(self.generation);
    hello.set_epoch(self.epoch);
    hello.set_agent(config_.agent);
    shaking_->start(*this, &hello);
}

Result<void> Link::on_hello(const wire::Hello&) {
    return early();
}
Result<void> Link::on_frame(const wire::FramePrefix&, std::span<const std::byte>) {
    return early();
}
Result<std::optional<Landing>> Link::on_object(const wire::FramePrefix&, const wire::ObjectHeader&,
                                               std::size_t) {
    return early();
}
Result<std::optional<Landing>> Link::on_fragment(const wire::FramePrefix&, std::uint64_t, std::size_t) {
    return early();
}
Result<void> Link::on_chunk(const wire::FramePrefix&) {
    return early();
}

Result<void> Link::on_welcome(const wire::Welcome& welcome) {
    if (welcome.role() == role_ || welcome.role() == wire::ROLE_UNKNOWN)
        return Error{Errc::Denied,
                     "the peer has the same role as this end; connect a hawsersink with a hawsersrc"};
    const Peer peer{welcome.session(), welcome.generation(), welcome.epoch(), welcome.agent()};
    ever_met_ = true;
    failures_ = 0;
    hopeless_ = 0;
    backoff_.stable_since(reactor_.clock().now());
    user_.meet(std::move(shaking_), peer);
    return {};
}

void Link::on_closed(const Closing& closing) {
    // Inside the connection's own call.
    retire(std::move(shaking_));
    if (closing.goaway == wire::GOAWAY_ENDED) return finished(closing.error.message);
    attempt_failed(closing.error);
}

void Link::retire(std::unique_ptr<Connection> connection) {
    if (connection) reactor_.post([gone = std::shared_ptr<Connection>(std::move(connection))] {});
}

void Link::lost(const Closing& closing) {
    backoff_.lost(reactor_.clock().now());
    attempt_failed(closing.error);
}

void Link::attempt_failed(const Error& error) {
    ++failures_;
    Duration least{};
    if (hopeless(error.code) || (error.code == Errc::TimedOut && machine_.state() == State::Handshake)) {
        // Before it was ever connected an error follows soon, and one message is enough.
        if (hopeless_++ == 0 && ever_met_) user_.on_warning(error);
        // A silent peer has cost its whole time-out already.
        const unsigned tries = error.code == Errc::TimedOut ? 2 : kHopelessTries;
        if (!ever_met_ && hopeless_ >= tries) return give_up(error);
        least = kHopelessDelay;
    } else if (failures_ == 1 && machine_.state() == State::Handshake) {
        // Turned away, or hung up on without a word: as by a proxy whose server is not up yet. Worth waiting
        // for, and worth telling.
        user_.on_warning(error);
    }
    if (config_.reconnect.attempts >= 0 && failures_ > config_.reconnect.attempts)
        return give_up({error.code, error.message + " (tried again " +
                                        std::to_string(config_.reconnect.attempts) +
                                        (config_.reconnect.attempts == 1 ? " time" : " times") +
                                        ", as reconnect-attempts says)"});
    if (!fire(LinkEvent::Lost, error.message)) return;
    const Duration delay = std::max(backoff_.next(random_), least);
    retry_ = reactor_.after(delay, [this] {
        retry_ = 0;
        fire(LinkEvent::Retry, "trying again");
        attempt();
    });
}

// --- Both
// ---------------------------------------------------------------------------------------------------------------

void Link::ready() {
    fire(LinkEvent::Ready, "streaming");
}

void Link::finished(const std::string& reason) {
    reactor_.cancel(std::exchange(retry_, 0));
    connecting_.reset();
    fire(LinkEvent::Finished, reason);
}

void Link::give_up(const Error& error) {
    reactor_.cancel(std::exchange(retry_, 0));
    connecting_.reset();
    shaking_.reset();  // never from inside its own call: those hand it over first
    // Told again and again, or after the end, it changes nothing.
    if (!machine_.peek(LinkEvent::GiveUp)) return;
    if (fire(LinkEvent::GiveUp, error.message)) user_.on_failed(error);
}

}  // namespace hawser::session
