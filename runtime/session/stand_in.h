// Lets a streaming thread read the socket in the reactor's place, so that what arrives goes downstream
// without a hop from thread to thread: a wake costs more than the rest of the way.
//
// Where a subscriber has one track, its reader, when its queue is empty, takes over watching the socket: it
// waits in poll(2), enters the reactor (Reactor::try_enter()), lets the connection read, leaves, and has its
// items. When it does not come back for a while, since downstream blocks, the reactor watches again: PINGs
// want to be answered.
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/base/clock.h"
#include "runtime/io/reactor.h"
#include "runtime/ring/adaptive_spin.h"
#include "runtime/ring/spsc_queue.h"
#include "runtime/session/reader_nap.h"
#include "runtime/session/subscriber.h"

namespace hawser::session {

class StandIn final : private io::Notifiable {
  public:
    class User {
      public:
        // Reads some of what there is into the queue; true where there may be more. In the reactor, on the
        // reader's thread.
        virtual bool read_some() = 0;
        // Part of a large object has come, so that the rest should be near. In the reactor, on the reader's
        // thread.
        virtual bool expects_more() const = 0;
        // Objects that have come so far. In the reactor.
        virtual std::uint64_t objects_read() const = 0;

      protected:
        ~User() = default;
    };
    using Queue = ring::SpscQueue<Item>;

    // `spin`: how long the reader looks for data before it sleeps.
    StandIn(io::Reactor& reactor, User& user, Duration spin) : reactor_(reactor), user_(user), spin_(spin) {}

    // --- Reactor
    // From now on the reader of `queue` may read `stream`…
    void offer(io::Stream& stream, Queue& queue);
    // … and now no more: the reactor does it, or the stream is about to die.
    void withdraw();
    // Before it is destroyed, when no reader is left.
    void forget() {
        withdraw();
        reactor_.forget(*this);
    }

    // --- Reader
    // Waits for an item in `queue`.
    ring::WaitResult wait(Queue& queue);

  private:
    enum class Read : std::uint8_t { All, Part, Some, Busy };

    void on_notified() override;
    bool reads() const { return socket_.load(std::memory_order_relaxed) >= 0; }
    void watch_reader();
    void take_back();
    int take_over();
    Read read(Queue& queue);
    bool spin(int socket, Queue& queue) const;
    bool rest_comes(int socket);
    bool naps();

    // The rest of an object follows its beginning at the speed of the link. Where that is faster than a wake,
    // it is waited for without sleeping.
    static constexpr Duration kRestSpin = std::chrono::microseconds(30);

    io::Reactor& reactor_;
    User& user_;
    const Duration spin_;

    std::atomic<bool> offered_{false};
    std::atomic<int> socket_{-1};         // the reader watches it; written in the reactor
    std::atomic<bool> waiting_{false};    // the reader is at the socket
    std::atomic<bool> give_back_{false};  // it cannot get into the reactor

    // The reactor's
    io::Stream* stream_ = nullptr;
    Queue* queue_ = nullptr;
    std::uint64_t turns_ = 0;  // of the reader
    io::TimerId timer_ = 0;    // looks whether it comes back
    TimePoint not_before_{};   // it did not

    // The reader's
    // What is known of what comes next. A hint: while a second track comes, its reader may look too.
    std::atomic<Read> last_{Read::All};
    ring::AdaptiveSpin rest_spin_{kRestSpin};
    std::atomic<bool> looks_{false};  // one thread at a time
    ReaderNap nap_;                   // whoever has looks_
    std::atomic<std::uint64_t> objects_{0};
};

}  // namespace hawser::session
