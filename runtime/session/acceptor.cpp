#include "runtime/session/acceptor.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "runtime/base/log.h"
#include "runtime/base/text.h"

namespace hawser::session {
namespace {

constexpr std::size_t kHelloBuffer = 2048;  // bytes; a publisher's client never sends much
// So many may be waited for in any case: when all come at once, each is to hear that there is no place.
constexpr std::size_t kLeastPending = 512;

// Which addresses of which reactor have an acceptor.
struct Registry {
    std::mutex mutex;
    std::map<std::pair<io::Reactor*, std::string>, std::weak_ptr<Acceptor>> acceptors;
};

Registry& registry() {
    static auto* shared = new Registry;  // lives as long as any thread that may still look at it
    return *shared;
}

}  // namespace

// An accepted connection until its HELLO has come.
class Acceptor::Pending final : public Connection::User {
  public:
    Pending(Acceptor& acceptor, std::unique_ptr<Connection> made)
        : acceptor_(acceptor), connection(std::move(made)) {}

    Result<void> on_hello(const wire::Hello& hello) override {
        Endpoint* endpoint = acceptor_.find(hello.stream());
        if (!endpoint) {
            std::vector<std::string> known;
            for (const Endpoint* one : acceptor_.endpoints_) known.push_back(one->stream());
            std::string text = "no stream \"" + printable(hello.stream(), 256) + "\" here";
            if (const std::string near = nearest(hello.stream(), known); !near.empty())
                text += "; did you mean \"" + near + "\"?";
            else if (!known.empty())
                text += "; there is \"" + known.front() + "\"" + (known.size() > 1 ? " and others" : "");
            return Error{Errc::NotFound, text};
        }
        if (hello.role() == endpoint->role() || hello.role() == wire::ROLE_UNKNOWN)
            return Error{Errc::Denied,
                         std::string("both ends of \"") + endpoint->stream() + "\" are " +
                             (endpoint->role() == wire::ROLE_PUBLISHER ? "senders (hawsersink)"
                                                                       : "receivers (hawsersrc)") +
                             "; connect a hawsersink with a hawsersrc"};
        auto taken = endpoint->on_peer(connection, hello);
        if (!connection) acceptor_.drop(this);
        return taken;
    }
    Result<void> on_welcome(const wire::Welcome&) override {
        return Error{Errc::Protocol, "unexpected WELCOME"};
    }
    void on_room() override {}
    void on_closed(const Closing& closing) override {
        if (!connection) return;  // handed over, and not met yet; drop() is under way
        log().info("{}: {}", connection->peer_address(), closing.error.message);
        acceptor_.drop(this);
    }
    Result<void> on_frame(const wire::FramePrefix&, std::span<const std::byte>) override { return early(); }
    Result<std::optional<Landing>> on_object(const wire::FramePrefix&, const wire::ObjectHeader&,
                                             std::size_t) override {
        return early();
    }
    Result<std::optional<Landing>> on_fragment(const wire::FramePrefix&, std::uint64_t,
                                               std::size_t) override {
        return early();
    }
    Result<void> on_chunk(const wire::FramePrefix&) override { return early(); }
    bool wants_more() const override { return true; }

  private:
    static Error early() { return {Errc::Protocol, "a frame before the handshake is done"}; }
    Acceptor& acceptor_;

  public:
    std::unique_ptr<Connection> connection;
    std::list<std::unique_ptr<Pending>>::iterator place;  // in pending_
};

Result<std::shared_ptr<Acceptor>> Acceptor::obtain(io::Reactor& reactor, const io::Address& address) {
    Registry& known = registry();
    // Before the lock, which its destructor takes: where binding fails it dies in here.
    std::shared_ptr<Acceptor> made(new Acceptor(reactor, address));
    const std::lock_guard lock(known.mutex);
    if (address.port != 0) {
        const auto found = known.acceptors.find({&reactor, address.text()});
        if (found != known.acceptors.end())
            if (auto acceptor = found->second.lock()) return acceptor;
    }
    auto socket =
        reactor.listen(address, [weak = made->weak_from_this()](std::unique_ptr<io::Stream> stream) {
            if (auto acceptor = weak.lock()) acceptor->on_accept(std::move(stream));
        });
    if (!socket) {
        const auto ours = std::find_if(known.acceptors.begin(), known.acceptors.end(), [&](const auto& one) {
            return one.first.second == address.text() && !one.second.expired();
        });
        if (socket.error().code != Errc::AddressInUse || ours == known.acceptors.end()) return socket.error();
        return Error{Errc::AddressInUse, "another element of this process listens on " + address.text() +
                                             " with another io-engine; give both the same one"};
    }
    made->socket_ = std::move(*socket);
    made->address_.port = made->socket_->port();
    known.acceptors[{&reactor, made->address_.text()}] = made;
    return made;
}

Acceptor::Acceptor(io::Reactor& reactor, io::Address address)
    : reactor_(reactor), address_(std::move(address)) {}

Acceptor::~Acceptor() {
    Registry& known = registry();
    const std::lock_guard lock(known.mutex);
    const auto found = known.acceptors.find({&reactor_, address_.text()});
    if (found != known.acceptors.end() && found->second.expired()) known.acceptors.erase(found);
}

Acceptor::Endpoint* Acceptor::find(const std::string& stream) const {
    const auto at = std::find_if(endpoints_.begin(), endpoints_.end(),
                                 [&](const Endpoint* endpoint) { return endpoint->stream() == stream; });
    return at == endpoints_.end() ? nullptr : *at;
}

Result<void> Acceptor::add(Endpoint& endpoint) {
    if (find(endpoint.stream()))
        return Error{Errc::AddressInUse, "another element of this process serves \"" + endpoint.stream() +
                                             "\" on " + address_.text() +
                                             " already; choose another stream name or port"};
    endpoints_.push_back(&endpoint);
    return {};
}

void Acceptor::remove(Endpoint& endpoint) {
    std::erase(endpoints_, &endpoint);
}

void Acceptor::on_accept(std::unique_ptr<io::Stream> stream) {
    if (endpoints_.empty()) return;  // closing down
    make_room();
    auto connection = std::make_unique<Connection>(reactor_, std::move(stream),
                                                   endpoints_.front()->liveness(), kHelloBuffer, false);
    Connection& started = *connection;
    Pending& pending = *pending_.emplace_back(std::make_unique<Pending>(*this, std::move(connection)));
    pending.place = std::prev(pending_.end());
    started.start(pending, nullptr);
}

// Who wants something says so at once. So the oldest goes first: a flood of silent connections keeps nobody
// out, and takes no more memory and descriptors than those who are served may.
void Acceptor::make_room() {
    std::size_t most = kLeastPending;
    for (const Endpoint* endpoint : endpoints_) most = std::max(most, endpoint->most_peers());
    if (pending_.size() < most) return;
    for (const auto& oldest : pending_) {
        if (!oldest->connection || oldest->connection->closed()) continue;  // about to go
        if (crowded_out_++ == 0)
            log().warn("more than {} connections to {} have not said what they want; closing the oldest",
                       most, address_.text());
        return oldest->connection->reset("too many connections that say nothing");
    }
}

// Called from inside the pending connection's own callbacks: destroyed when they have returned.
void Acceptor::drop(Pending* pending) {
    reactor_.post([weak = weak_from_this(), pending] {
        if (auto self = weak.lock()) self->pending_.erase(pending->place);
    });
}

}  // namespace hawser::session
