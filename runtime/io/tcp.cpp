#include "runtime/io/tcp.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>
#include <memory>
#include <system_error>

namespace hawser::io {

std::string describe_errno(int error) {
    return std::generic_category().message(error);
}

Result<Address> parse_address(std::string_view text) {
    const auto invalid = [&](const std::string& why) {
        return Error{Errc::Invalid, "“" + std::string(text) + "” is not an address: " + why +
                                        "; write host:port, or [address]:port for IPv6"};
    };
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || (!text.empty() && text.back() == ']'))
        return invalid("it has no port");
    std::string_view host = text.substr(0, colon);
    const std::string_view port = text.substr(colon + 1);
    if (!host.empty() && host.front() == '[') {
        if (host.size() < 3 || host.back() != ']') return invalid("the bracket is not closed");
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
        return invalid("an IPv6 address needs brackets");
    }
    Address address{std::string(host), 0};
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
    if (error != std::errc() || end != port.data() + port.size())
        return invalid("“" + std::string(port) + "” is not a port (0 to 65535)");
    return address;
}

std::uint16_t SocketAddress::port() const {
    if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(storage).sin_port);
    if (family() == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(storage).sin6_port);
    return 0;
}

void SocketAddress::set_port(std::uint16_t port) {
    if (family() == AF_INET) reinterpret_cast<sockaddr_in&>(storage).sin_port = htons(port);
    if (family() == AF_INET6) reinterpret_cast<sockaddr_in6&>(storage).sin6_port = htons(port);
}

std::string SocketAddress::text() const {
    char buffer[INET6_ADDRSTRLEN] = "?";
    if (family() == AF_INET) {
        inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(storage).sin_addr, buffer, sizeof buffer);
    } else if (family() == AF_INET6) {
        const in6_addr& address = reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(&address)) {
            inet_ntop(AF_INET, &address.s6_addr[12], buffer, sizeof buffer);
        } else {
            inet_ntop(AF_INET6, &address, buffer, sizeof buffer);
        }
    }
    return Address{buffer, port()}.text();
}

CompactAddress::CompactAddress(const SocketAddress& address) : port_(address.port()) {
    if (address.family() == AF_INET6) {
        std::memcpy(ip_.data(), &reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_addr,
                    ip_.size());
    } else if (address.family() == AF_INET) {
        ip_[10] = ip_[11] = 0xff;
        std::memcpy(&ip_[12], &reinterpret_cast<const sockaddr_in&>(address.storage).sin_addr, 4);
    }
}

std::string CompactAddress::text() const {
    SocketAddress address;
    address.storage.ss_family = AF_INET6;
    std::memcpy(&reinterpret_cast<sockaddr_in6&>(address.storage).sin6_addr, ip_.data(), ip_.size());
    address.set_port(port_);
    return address.text();
}

bool SocketAddress::operator==(const SocketAddress& other) const {
    if (family() != other.family() || port() != other.port()) return false;
    if (family() == AF_INET) {
        return reinterpret_cast<const sockaddr_in&>(storage).sin_addr.s_addr ==
               reinterpret_cast<const sockaddr_in&>(other.storage).sin_addr.s_addr;
    }
    return family() == AF_INET6 &&
           std::memcmp(&reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr,
                       &reinterpret_cast<const sockaddr_in6&>(other.storage).sin6_addr,
                       sizeof(in6_addr)) == 0;
}

namespace {

template <typename Call>
SocketAddress ask(int fd, Call call) {
    SocketAddress address;
    address.length = sizeof address.storage;
    if (call(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.length) != 0) return {};
    return address;
}

void set_option(int fd, int level, int option, int value) {
    setsockopt(fd, level, option, &value, sizeof value);
}

// Without the port; an IPv4 address is taken as mapped into IPv6.
in6_addr ip_of(const SocketAddress& address) {
    if (address.family() == AF_INET6) return reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_addr;
    in6_addr mapped{};
    mapped.s6_addr[10] = mapped.s6_addr[11] = 0xff;
    std::memcpy(&mapped.s6_addr[12], &reinterpret_cast<const sockaddr_in&>(address.storage).sin_addr, 4);
    return mapped;
}

bool is_inet(const SocketAddress& address) {
    return address.family() == AF_INET || address.family() == AF_INET6;
}

bool is_loopback(const SocketAddress& address) {
    if (!is_inet(address)) return false;
    const in6_addr ip = ip_of(address);
    return IN6_IS_ADDR_LOOPBACK(&ip) || (IN6_IS_ADDR_V4MAPPED(&ip) && ip.s6_addr[12] == 127);
}

void do_not_pace(int fd) {
    std::array<char, 16> name{};
    socklen_t size = name.size();
    if (::getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(), &size) != 0 ||
        !std::string_view(name.data(), size).starts_with("bbr"))
        return;
    static constexpr std::string_view kReno = "reno";
    ::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, kReno.data(), kReno.size());
}

bool is_any(const SocketAddress& address) {
    return address.family() == AF_INET6 &&
           IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_addr);
}

}  // namespace

SocketAddress local_address(int fd) {
    return ask(fd, ::getsockname);
}
SocketAddress remote_address(int fd) {
    return ask(fd, ::getpeername);
}

Result<std::vector<SocketAddress>> resolve(const Address& address, Resolve how) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_protocol = IPPROTO_TCP;
    hints.ai_flags = AI_NUMERICSERV;
    if (how == Resolve::Literal) hints.ai_flags |= AI_NUMERICHOST;
    if (how == Resolve::Passive) hints.ai_flags |= AI_PASSIVE;
    const std::string port = std::to_string(address.port);
    addrinfo* found = nullptr;
    const int failed =
        ::getaddrinfo(address.host.empty() ? nullptr : address.host.c_str(), port.c_str(), &hints, &found);
    if (failed != 0) {
        const std::string why =
            failed == EAI_SYSTEM ? describe_errno(errno) : std::string(gai_strerror(failed));
        const Errc code = failed == EAI_MEMORY || failed == EAI_SYSTEM ? Errc::NoResource : Errc::NotFound;
        return Error{code, "cannot resolve host “" + address.host + "”: " + why};
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
    std::vector<SocketAddress> addresses;
    for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
        if (at->ai_addrlen > sizeof(sockaddr_storage)) continue;
        SocketAddress one;
        std::memcpy(&one.storage, at->ai_addr, at->ai_addrlen);
        one.length = at->ai_addrlen;
        addresses.push_back(one);
    }
    if (addresses.empty())
        return Error{Errc::NotFound, "cannot resolve host “" + address.host + "”: it has no address"};
    if (how == Resolve::Passive) {
        // "::" takes IPv4 along (see listen()), so for "every address" it comes first. Else IPv4 does: who
        // listens on "localhost" is looked for at 127.0.0.1 more often than at ::1.
        std::stable_sort(addresses.begin(), addresses.end(),
                         [](const SocketAddress& a, const SocketAddress& b) {
                             const auto rank = [](const SocketAddress& one) {
                                 return is_any(one) ? 0 : one.family() == AF_INET ? 1 : 2;
                             };
                             return rank(a) < rank(b);
                         });
    }
    return addresses;
}

namespace tcp {

void set_data_options(int fd) {
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, kNotSentLowWater);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 5);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

bool same_machine(const SocketAddress& local, const SocketAddress& remote) {
    if (!is_inet(local) || !is_inet(remote)) return false;
    const in6_addr there = ip_of(remote);
    const in6_addr here = ip_of(local);
    return is_loopback(remote) || std::memcmp(&here, &there, sizeof here) == 0;
}

void set_pacing(int fd, const SocketAddress& remote) {
    if (is_loopback(remote) || same_machine(local_address(fd), remote)) do_not_pace(fd);
}

void set_unsent_limit(int fd, std::uint32_t bytes) {
    set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, static_cast<int>(bytes));
}

LinkInfo link_info(int fd) {
    LinkInfo info;
    int queued = 0;
    if (::ioctl(fd, SIOCOUTQ, &queued) == 0) info.queued = static_cast<std::uint32_t>(queued);
    tcp_info tcp{};
    socklen_t size = sizeof tcp;
    if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &tcp, &size) == 0) info.acked = tcp.tcpi_bytes_acked;
    return info;
}

Result<Fd> listen(const Address& wanted, const std::vector<SocketAddress>& addresses) {
    int error = EADDRNOTAVAIL;
    for (const SocketAddress& address : addresses) {
        Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
        if (!fd) {
            error = errno;
            continue;
        }
        set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
        set_data_options(fd.get());
        if (is_loopback(address)) do_not_pace(fd.get());
        if (address.family() == AF_INET6)
            set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, is_any(address) ? 0 : 1);
        if (::bind(fd.get(), address.get(), address.length) == 0 && ::listen(fd.get(), kBacklog) == 0)
            return fd;
        error = errno;
        // A taken port is the answer; on the next address people would not find what listens there.
        if (error == EADDRINUSE) break;
    }
    const std::string subject = "cannot listen on " + wanted.text() + ": ";
    const std::string system = " (" + describe_errno(error) + ")";
    switch (error) {
        case EADDRINUSE:
            return Error{Errc::AddressInUse,
                         subject + "the port is taken" + system +
                             "; stop the other program or choose another port, 0 lets the system choose"};
        case EACCES:
        case EPERM:
            return Error{Errc::Denied, subject + "not allowed" + system +
                                           "; choose a port from 1024 on, 0 lets the system choose"};
        case EADDRNOTAVAIL:
        case EAFNOSUPPORT:
            return Error{Errc::NotFound, subject + "this machine has no such address" + system +
                                             "; use one of its own, or 0.0.0.0 or :: for all of them"};
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            return Error{Errc::NoResource, subject + "the system has no sockets left" + system +
                                               "; raise the limit (ulimit -n) or close something"};
        default:
            return Error{Errc::Internal, subject + "unexpected failure" + system};
    }
}

Attempt start_connect(const SocketAddress& to) {
    Attempt attempt;
    attempt.fd.reset(::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
    if (!attempt.fd) {
        attempt.error = errno;
        return attempt;
    }
    set_data_options(attempt.fd.get());
    if (is_loopback(to)) do_not_pace(attempt.fd.get());
    if (::connect(attempt.fd.get(), to.get(), to.length) == 0 || errno == EINPROGRESS || errno == EINTR)
        return attempt;
    attempt.error = errno;
    attempt.fd.reset();
    return attempt;
}

Progress connect_progress(int fd, int& error) {
    socklen_t length = sizeof error;
    error = 0;
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
    if (error != 0) return Progress::Failed;
    const SocketAddress remote = remote_address(fd);
    if (remote.length == 0) return Progress::Pending;
    // Connecting to a port of this machine where nobody listens may meet itself, when the system happens to
    // choose that very port for our end (TCP's simultaneous open). It would look connected, and keep the
    // listener off its port.
    if (local_address(fd) == remote) {
        reset_on_close(fd);
        error = ECONNREFUSED;
        return Progress::Failed;
    }
    set_pacing(fd, remote);
    return Progress::Connected;
}

Error connect_error(const Address& wanted, const std::string& tried, int error) {
    const std::string name = wanted.text();
    const std::string subject =
        "cannot connect to " + name + (tried == name ? "" : " (" + tried + ")") + ": ";
    const std::string system = " (" + describe_errno(error) + ")";
    switch (error) {
        case ECONNREFUSED:
            return {Errc::Refused, subject + "nobody listens there" + system};
        case ETIMEDOUT:
            return {Errc::TimedOut, subject + "no answer in time" + system};
        case ENETUNREACH:
        case EHOSTUNREACH:
        case ENETDOWN:
        case EHOSTDOWN:
        case EADDRNOTAVAIL:
        case EAFNOSUPPORT:
            return {Errc::Unreachable, subject + "no way to that address" + system};
        case EACCES:
        case EPERM:
            return {Errc::Denied, subject + "not allowed, perhaps by a firewall" + system};
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            return {Errc::NoResource, subject + "the system has no sockets left" + system};
        case ECONNRESET:
        case ECONNABORTED:
            return {Errc::Closed, subject + "the connection broke at once" + system};
        default:
            return {Errc::Internal, subject + "unexpected failure" + system};
    }
}

namespace {

msghdr message_for(std::span<const iovec> parts) {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(parts.data());
    message.msg_iovlen = std::min<std::size_t>(parts.size(), IOV_MAX);
    return message;
}

bool nothing_asked(std::span<const iovec> parts) {
    return std::all_of(parts.begin(), parts.end(), [](const iovec& part) { return part.iov_len == 0; });
}

IoResult failure(int error) {
    if (error == EAGAIN || error == EWOULDBLOCK) return {IoResult::Status::WouldBlock, 0, 0};
    return {IoResult::Status::Failed, 0, error};
}

}  // namespace

std::size_t size_of(std::span<const iovec> parts) {
    std::size_t size = 0;
    for (const iovec& part : parts.first(std::min<std::size_t>(parts.size(), IOV_MAX))) size += part.iov_len;
    return size;
}

IoResult read(int fd, std::span<const iovec> into) {
    msghdr message = message_for(into);
    for (;;) {
        const ssize_t got = ::recvmsg(fd, &message, 0);
        if (got > 0) return {IoResult::Status::Done, static_cast<std::size_t>(got), 0};
        if (got < 0 && errno == EINTR) continue;
        const int error = got < 0 ? errno : 0;
        if (nothing_asked(into)) return {IoResult::Status::Done, 0, 0};
        if (got == 0) return {IoResult::Status::Closed, 0, 0};
        return failure(error);
    }
}

IoResult write(int fd, std::span<const iovec> from) {
    const msghdr message = message_for(from);
    for (;;) {
        const ssize_t put = ::sendmsg(fd, &message, MSG_NOSIGNAL);
        if (put >= 0) return {IoResult::Status::Done, static_cast<std::size_t>(put), 0};
        if (errno != EINTR) return failure(errno);
    }
}

void reset_on_close(int fd) {
    const linger at_once{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

}  // namespace tcp
}  // namespace hawser::io
