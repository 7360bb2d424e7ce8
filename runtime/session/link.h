// One end's way to its peers: as a listener it is found through an Acceptor, as a caller it connects, and
// connects again with back-off. Both roles use it; what is said after the handshake is theirs.
//
// Thread: the reactor's, but for state() and port().
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "hawser/wire.pb.h"
#include "runtime/base/random.h"
#include "runtime/base/result.h"
#include "runtime/io/reactor.h"
#include "runtime/sched/backoff.h"
#include "runtime/session/acceptor.h"
#include "runtime/session/config.h"
#include "runtime/session/connection.h"
#include "runtime/session/link_states.h"
#include "runtime/state/machine.h"

namespace hawser::session {

// Who is at the other end, from HELLO or WELCOME.
struct Peer {
    std::uint64_t session = 0;     // of the subscriber among the two
    std::uint32_t generation = 0;  // likewise
    std::uint64_t epoch = 0;       // of the publisher
    std::string agent;
};

class Link final : private Acceptor::Endpoint, private Connection::User {
  public:
    class User {
      public:
        // Fills in who we are: session and generation, or epoch.
        virtual void introduce(Peer& self) = 0;
        // Whether a peer may come in (acceptor's side). Error: Busy, ….
        virtual Result<void> admit(const Peer& peer) = 0;
        // How many it takes in at most.
        virtual std::size_t most_peers() const = 0;
        // The handshake is done; the connection is the user's, who calls set_user() and, when it has gone,
        // lost() or vacated().
        virtual void meet(std::unique_ptr<Connection> connection, const Peer& peer) = 0;
        virtual void on_state(State now, State before, const std::string& reason) = 0;
        virtual void on_warning(const Error& error) = 0;
        virtual void on_failed(const Error& error) = 0;

      protected:
        ~User() = default;
    };

    // `buffer`: see FrameReader; `ping`: see Connection.
    Link(io::Reactor& reactor, Random& random, const LinkConfig& config, wire::Role role, std::size_t buffer,
         bool ping, User& user);
    ~Link();

    Result<void> start();
    void stop();

    void ready();                              // a peer is subscribed
    void lost(const Closing& closing);         // caller: the connection that meet() gave has ended
    void vacated(const std::string& reason);   // listener: no peer is left
    void finished(const std::string& reason);  // nothing more will come
    void give_up(const Error& error);

    bool calling() const { return config_.mode == Mode::Caller; }
    State state() const { return machine_.state(); }
    std::uint16_t port() const { return port_.load(std::memory_order_acquire); }
    std::uint64_t crowded_out() const { return acceptor_ ? acceptor_->crowded_out() : 0; }

  private:
    // Endpoint
    const std::string& stream() const override { return config_.stream; }
    wire::Role role() const override { return role_; }
    const Liveness& liveness() const override { return config_.liveness; }
    std::size_t most_peers() const override { return user_.most_peers(); }
    Result<void> on_peer(std::unique_ptr<Connection>& connection, const wire::Hello& hello) override;
    // The caller's handshake
    Result<void> on_hello(const wire::Hello& hello) override;
    Result<void> on_welcome(const wire::Welcome& welcome) override;
    void on_room() override {}
    void on_closed(const Closing& closing) override;
    Result<void> on_frame(const wire::FramePrefix& prefix, std::span<const std::byte> body) override;
    Result<std::optional<Landing>> on_object(const wire::FramePrefix&, const wire::ObjectHeader&,
                                             std::size_t) override;
    Result<std::optional<Landing>> on_fragment(const wire::FramePrefix&, std::uint64_t, std::size_t) override;
    Result<void> on_chunk(const wire::FramePrefix&) override;
    bool wants_more() const override { return true; }

    bool fire(LinkEvent event, const std::string& reason);
    void attempt();
    void on_connected(Result<std::unique_ptr<io::Stream>> stream);
    void attempt_failed(const Error& error);
    void retire(std::unique_ptr<Connection> connection);

    io::Reactor& reactor_;
    Random& random_;
    const LinkConfig config_;
    const wire::Role role_;
    const std::size_t buffer_;
    const bool ping_;
    User& user_;
    state::Machine<kLinkTable> machine_;
    std::atomic<std::uint16_t> port_{0};
    std::shared_ptr<Acceptor> acceptor_;

    // Caller
    sched::Backoff backoff_;
    std::unique_ptr<io::Connecting> connecting_;
    std::unique_ptr<Connection> shaking_;  // in the handshake
    io::TimerId retry_ = 0;
    std::int64_t failures_ = 0;  // in a row
    unsigned hopeless_ = 0;      // of these, ones that look like a mistake in the configuration
    bool ever_met_ = false;
};

}  // namespace hawser::session
