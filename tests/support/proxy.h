// A TCP proxy that misbehaves when told to: it stands between a caller and a listener on the loopback.
//
// One thread of its own does all the work; every method may be called from any thread and takes effect before
// it returns.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace hawser::test {

class Proxy {
  public:
    // Listens on a free port of 127.0.0.1 and forwards to `target_host` (a numeric address): `target_port`.
    explicit Proxy(int target_port, const std::string& target_host = "127.0.0.1");
    Proxy(const Proxy&) = delete;
    Proxy& operator=(const Proxy&) = delete;
    ~Proxy();

    int port() const;

    // Resets (RST) every connection on both sides; what is under way is lost. Returns how many there were.
    std::size_t cut();
    // Cuts by itself, `times` times, each after `bytes` more bytes went from target to caller (`down`) or the
    // other way.
    void cut_every(std::size_t bytes, std::size_t times, bool down = true);
    // While true, nobody listens: new callers are refused by the kernel. Connections that exist go on.
    void refuse(bool on);
    // While true, nothing is forwarded, but nothing is closed either; new callers are accepted and hear
    // nothing.
    void freeze(bool on);
    // Bytes a second in each direction, 0 for no limit.
    void limit(std::size_t bytes_per_second);
    // As limit(), as a line with a short queue in front: connections made from now on hold no more than about
    // `queue` bytes between target and caller.
    void narrow(std::size_t bytes_per_second, std::size_t queue);
    // Each byte arrives so much later.
    void delay(std::chrono::milliseconds by);

    std::size_t open() const;        // connections at this moment
    std::size_t accepted() const;    // ever
    std::size_t cuts() const;        // connections that were reset, ever
    std::size_t bytes_down() const;  // target → caller
    std::size_t bytes_up() const;    // caller → target

    // True as soon as so many connections were accepted; false when `bound` ran out.
    bool wait_accepted(std::size_t count, std::chrono::milliseconds bound) const;
    bool wait_cuts(std::size_t count, std::chrono::milliseconds bound) const;
    bool wait_bytes_down(std::size_t count, std::chrono::milliseconds bound) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// A peer that speaks another protocol: accepts, sends `greeting` (may be empty) and keeps quiet afterwards;
// closes after the greeting where `hang_up`.
class ForeignServer {
  public:
    ForeignServer(std::string greeting, bool hang_up);
    ForeignServer(const ForeignServer&) = delete;
    ForeignServer& operator=(const ForeignServer&) = delete;
    ~ForeignServer();
    int port() const;
    std::size_t accepted() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace hawser::test
