// TCP sockets: addresses, options, and the calls that make sockets. Nothing here keeps state or waits (but
// resolve()).
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/fd.h"
#include "runtime/base/result.h"
#include "runtime/io/reactor.h"

namespace hawser::io {

// "host:port" or "[v6]:port", as Address::text() writes it. The host may be empty. Error: Invalid.
Result<Address> parse_address(std::string_view text);

// One numeric address of one host.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;

    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
    int family() const { return storage.ss_family; }
    std::uint16_t port() const;
    void set_port(std::uint16_t port);
    // "127.0.0.1:7000", "[::1]:7000"; an IPv4 address mapped into IPv6 is written as IPv4.
    std::string text() const;
    bool operator==(const SocketAddress& other) const;
};

// The same in 18 bytes, for those of whom there are thousands. IPv4 addresses are kept as mapped into IPv6.
class CompactAddress {
  public:
    CompactAddress() = default;
    explicit CompactAddress(const SocketAddress& address);
    std::string text() const;  // as SocketAddress's

  private:
    std::array<std::uint8_t, 16> ip_{};
    std::uint16_t port_ = 0;
};

// What getsockname() and getpeername() say; empty (length 0) where they fail.
SocketAddress local_address(int fd);
SocketAddress remote_address(int fd);

enum class Resolve {
    Any,      // names too: blocks for as long as the system's resolver does
    Literal,  // numeric addresses only: never blocks
    Passive,  // for listening: an empty host means every address of the machine
};
// All addresses of a host, in the order to be tried; never an empty list. Errors: NotFound, NoResource.
Result<std::vector<SocketAddress>> resolve(const Address& address, Resolve how);

namespace tcp {

// The options of every data socket:
// Those of a listener are its connections' too.
// - TCP_NODELAY: small objects leave at once.
// - TCP_NOTSENT_LOWAT (kNotSentLowWater): the kernel holds little that is not under way, so that what is
// urgent is not
//   stuck behind what is not.
// - Keepalive (5 s, then 3 probes 1 s apart) finds machines that vanished. There is no TCP_USER_TIMEOUT on
// purpose: it also
//   kills connections whose window is zero because the receiver is paused; the session judges whether its
//   peer lives.
void set_data_options(int fd);
inline constexpr int kNotSentLowWater = 16 * 1024;
// For a connection that has just been made: where both ends are on this machine and the system's congestion
// control is BBR, it gets another ("reno", RFC 5681, which every Linux has). Pacing spares the queues of
// routers; here there is none, and BBR's costs a timer for each 64 KiB. Over a network the system's choice
// stays. (What listens at a loopback address, or calls one, has it from the beginning: Linux paces a little
// even where BBR has only been there.)
void set_pacing(int fd, const SocketAddress& remote);
// Whether two ends of a connection with these addresses are on one machine, as far as addresses tell. False
// where one of them is none of IPv4 or IPv6.
bool same_machine(const SocketAddress& local, const SocketAddress& remote);
// Another bound than kNotSentLowWater, bytes: for a link that this much keeps busy for too long.
void set_unsent_limit(int fd, std::uint32_t bytes);

// What the kernel knows of a connection; all 0 where it does not tell.
struct LinkInfo {
    std::uint32_t queued = 0;  // bytes written that the peer has not acknowledged
    std::uint64_t acked = 0;   // bytes that it has
};
LinkInfo link_info(int fd);

// The system reduces it to what it allows (net.core.somaxconn).
inline constexpr int kBacklog = 65535;

// A non-blocking listening socket with the data options. `wanted` is what the message speaks of.
// Errors: AddressInUse, Denied, NotFound (not an address of this machine), NoResource.
Result<Fd> listen(const Address& wanted, const std::vector<SocketAddress>& addresses);

// A non-blocking socket that is connecting, or an errno.
struct Attempt {
    Fd fd;
    int error = 0;
};
Attempt start_connect(const SocketAddress& to);

// How a connection attempt stands, asked when its socket has become writable.
enum class Progress { Pending, Connected, Failed };
Progress connect_progress(int fd, int& error);

// Why connecting to `wanted` came to nothing; `tried` is the numeric address, `error` an errno.
Error connect_error(const Address& wanted, const std::string& tried, int error);

// What one call takes of `parts`, in bytes.
std::size_t size_of(std::span<const iovec> parts);
IoResult read(int fd, std::span<const iovec> into);
IoResult write(int fd, std::span<const iovec> from);

// Makes close() reset the connection.
void reset_on_close(int fd);

}  // namespace tcp

// "Connection refused": the system's words for an errno.
std::string describe_errno(int error);

}  // namespace hawser::io
