// A listening socket shared by every element of the process that names the same address; incoming peers are
// told apart by the stream path in their HELLO.
//
// Thread: the reactor's, but for obtain().
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "hawser/wire.pb.h"
#include "runtime/base/result.h"
#include "runtime/io/reactor.h"
#include "runtime/session/config.h"
#include "runtime/session/connection.h"

namespace hawser::session {

class Acceptor : public std::enable_shared_from_this<Acceptor> {
  public:
    // Who serves a stream at this address.
    class Endpoint {
      public:
        virtual const std::string& stream() const = 0;
        virtual wire::Role role() const = 0;
        virtual const Liveness& liveness() const = 0;
        // How many it serves at most.
        virtual std::size_t most_peers() const = 0;
        // A peer asks for the stream. The endpoint takes the connection and answers WELCOME, or returns an
        // error, which the peer is told.
        virtual Result<void> on_peer(std::unique_ptr<Connection>& connection, const wire::Hello& hello) = 0;

      protected:
        ~Endpoint() = default;
    };

    // The acceptor for `address`: the one there is, or a new one. Port 0 always makes a new one.
    static Result<std::shared_ptr<Acceptor>> obtain(io::Reactor& reactor, const io::Address& address);
    ~Acceptor();

    // Error: another element serves the stream already.
    Result<void> add(Endpoint& endpoint);
    void remove(Endpoint& endpoint);
    std::uint16_t port() const { return address_.port; }
    // Connections that had to make room for newer ones before they had said what they want: no more than the
    // endpoints would serve are waited for.
    std::uint64_t crowded_out() const { return crowded_out_; }

  private:
    class Pending;

    Acceptor(io::Reactor& reactor, io::Address address);
    void on_accept(std::unique_ptr<io::Stream> stream);
    Endpoint* find(const std::string& stream) const;
    void make_room();
    void drop(Pending* pending);

    io::Reactor& reactor_;
    io::Address address_;
    std::unique_ptr<io::ListenSocket> socket_;
    std::vector<Endpoint*> endpoints_;
    std::list<std::unique_ptr<Pending>> pending_;  // accepted, HELLO not seen yet; the oldest first
    std::uint64_t crowded_out_ = 0;
};

}  // namespace hawser::session
