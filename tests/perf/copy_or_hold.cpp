// From what size on is it cheaper to hold a payload by reference than to copy it?
// (docs/design/0011-copy-or-hold.md)
//
// A streaming thread takes a buffer from its pool, fills it, and publishes it into a track's ring: copied
// into the ring's segments, whereupon the buffer goes back at once, or held, until the ring has let go of it.
// A second thread sends what is in the ring through a TCP connection of the loopback, in calls of at most 128
// KiB; another process throws it away. All of that is as in a publisher with one client, without GStreamer
// around it.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/base/fd.h"
#include "runtime/memory/held_bytes.h"
#include "runtime/memory/segment_pool.h"
#include "runtime/ring/blocking_consumer.h"
#include "runtime/ring/history.h"
#include "tests/perf/bench.h"
#include "tests/perf/handoff.h"

namespace hawser::perf {
namespace {

constexpr std::size_t kHeadSize = 104;      // of an object on the wire
constexpr std::uint64_t kAhead = 8u << 20;  // what the streaming thread may be ahead of the sending one
constexpr std::size_t kCall = 128 * 1024;   // bytes a call
constexpr std::size_t kParts = 64;

// What an upstream element does: buffers of one size, counted references, a free list that any thread may
// give to.
class Upstream {
  public:
    struct Buffer {
        Upstream* pool;
        std::atomic<int> references{1};
        std::vector<std::byte> bytes;
        void drop() {
            if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) pool->give(this);
        }
    };
    explicit Upstream(std::size_t size) : size_(size) {}
    ~Upstream() {
        for (Buffer* buffer : free_) delete buffer;
    }
    Buffer* take() {
        {
            const std::lock_guard lock(mutex_);
            if (!free_.empty()) {
                Buffer* buffer = free_.back();
                free_.pop_back();
                buffer->references.store(1, std::memory_order_relaxed);
                return buffer;
            }
        }
        return new Buffer{this, {1}, std::vector<std::byte>(size_)};
    }

  private:
    void give(Buffer* buffer) {
        const std::lock_guard lock(mutex_);
        free_.push_back(buffer);
    }
    const std::size_t size_;
    std::mutex mutex_;
    std::vector<Buffer*> free_;
};

struct Connection {
    Fd sending, receiving;
};

Connection connect_loopback() {
    const Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    Connection made;
    if (bind(listener.get(), any, size) != 0 || listen(listener.get(), 1) != 0 ||
        getsockname(listener.get(), any, &size) != 0)
        return made;
    Fd sending(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(sending.get(), any, size) != 0) return made;
    made.receiving = Fd(accept(listener.get(), nullptr, nullptr));
    made.sending = std::move(sending);
    return made;
}

class Publishing {
  public:
    Publishing(std::size_t size, bool hold, bool fill, int socket)
        : size_(size), hold_(hold), fill_(fill), socket_(socket), upstream_(size), writer_(pool_) {}

    // CPU seconds of both threads and wall seconds, for `seconds` of publishing.
    struct Cost {
        double cpu = 0, wall = 0, bytes = 0;
    };
    Cost run(double seconds) {
        Cost cost;
        std::thread sender([this] { send_all(); });
        std::thread([&] {
            pin_thread(0);
            publish_for(seconds / 4 + 0.05);  // the ring and the pools fill first
            const double cpu = own_cpu_seconds();
            const std::int64_t begin = now_ns();
            const std::uint64_t before = published_bytes_;
            publish_for(seconds);
            cost = {own_cpu_seconds() - cpu, static_cast<double>(now_ns() - begin) / 1e9,
                    static_cast<double>(published_bytes_ - before)};
        }).join();
        done_.store(true);
        readable_.notify();
        sender.join();
        return cost;
    }
    bool failed() const { return failed_.load(); }

  private:
    void publish_for(double seconds) {
        const std::int64_t end = now_ns() + static_cast<std::int64_t>(seconds * 1e9);
        while (now_ns() < end && !failed_) publish();
    }

    void publish() {
        const auto room = [this] {
            return published_bytes_ - sent_bytes_.load(std::memory_order_acquire) < kAhead || failed_;
        };
        if (!room()) room_.wait(room);
        Upstream::Buffer* buffer = upstream_.take();
        if (fill_) std::memset(buffer->bytes.data(), static_cast<int>(ring_.head()), size_);
        auto space = writer_.allocate(kHeadSize + (hold_ ? 0 : size_));
        if (!space) {
            failed_ = true;
            buffer->drop();
            return;
        }
        std::memset(space.bytes.data(), 0, kHeadSize);
        ring::HistoryEntry entry;
        if (hold_) {
            buffer->references.fetch_add(1, std::memory_order_relaxed);
            entry.held = memory::HeldBytes(
                buffer->bytes, buffer, [](void* owner) { static_cast<Upstream::Buffer*>(owner)->drop(); });
            entry.tail = entry.held.bytes();
        } else {
            std::memcpy(space.bytes.data() + kHeadSize, buffer->bytes.data(), size_);
        }
        buffer->drop();  // upstream's own
        entry.head = space.bytes;
        entry.segment = std::move(space.segment);
        entry.head_size = kHeadSize;
        entry.object = entry.group_start = true;
        ring_.append(std::move(entry));
        published_bytes_ += size_;
        readable_.notify();
    }

    void send_all() {
        pin_thread(1);
        std::uint64_t next = 0;
        std::uint64_t offset = 0;  // of entry `next`, head and tail
        for (;;) {
            readable_.wait([&] { return ring_.head() > next || done_; });
            if (ring_.head() == next) return;
            while (ring_.head() > next)
                if (!send_some(next, offset)) {
                    failed_ = true;
                    room_.notify();
                    return;
                }
        }
    }

    bool send_some(std::uint64_t& next, std::uint64_t& offset) {
        const ring::HistoryRing::ReadScope scope(ring_);
        std::array<iovec, kParts> parts;
        std::size_t count = 0, bytes = 0;
        const auto add = [&](std::span<const std::byte> piece) {
            piece = piece.first(std::min(piece.size(), kCall - bytes));
            if (piece.empty()) return;
            bytes += piece.size();
            if (count > 0 &&
                static_cast<std::byte*>(parts[count - 1].iov_base) + parts[count - 1].iov_len == piece.data())
                parts[count - 1].iov_len += piece.size();
            else
                parts[count++] = {const_cast<std::byte*>(piece.data()), piece.size()};
        };
        std::uint64_t skip = offset;
        for (std::uint64_t at = next; at < scope.head() && bytes < kCall && count + 2 <= kParts; ++at) {
            const auto& entry = scope[at];
            add(entry.head.subspan(std::min<std::size_t>(skip, entry.head.size())));
            add(entry.tail.subspan(skip > entry.head.size() ? skip - entry.head.size() : 0));
            skip = 0;
        }
        msghdr message{};
        message.msg_iov = parts.data();
        message.msg_iovlen = count;
        const ssize_t sent = sendmsg(socket_, &message, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        offset += static_cast<std::uint64_t>(sent);
        std::uint64_t whole = 0;
        while (next < scope.head() && offset >= scope[next].bytes()) {
            offset -= scope[next++].bytes();
            whole += size_;
        }
        sent_bytes_.fetch_add(whole, std::memory_order_release);
        room_.notify();
        return true;
    }

    const std::size_t size_;
    const bool hold_;
    const bool fill_;
    const int socket_;
    Upstream upstream_;
    memory::SegmentPool pool_{{.max_bytes = 160u << 20}};
    memory::SegmentWriter writer_;
    ring::HistoryRing ring_{{}};  // as a track's: 64 MiB
    std::uint64_t published_bytes_ = 0;
    std::atomic<std::uint64_t> sent_bytes_{0};
    std::atomic<bool> done_{false};
    std::atomic<bool> failed_{false};
    ring::BlockingConsumer readable_, room_;
};

bool measure(std::size_t size, bool hold, bool fill, double seconds, const std::string& key, Sample& sample) {
    Connection connection = connect_loopback();
    if (!connection.receiving) return false;
    const Role receiver([&] {
        connection.sending.reset();
        std::vector<char> bytes(256 * 1024);
        while (recv(connection.receiving.get(), bytes.data(), bytes.size(), MSG_TRUNC) > 0) {
        }
        return 0;
    });
    Publishing publishing(size, hold, fill, connection.sending.get());
    const auto cost = publishing.run(seconds);
    if (publishing.failed() || cost.bytes == 0) return false;
    sample.values[key + "-cpu"] = cost.cpu / (cost.bytes / 1e9);
    sample.values[key + "-rate"] = cost.bytes / 1e6 / cost.wall;
    return true;
}

std::string size_text(std::size_t size) {
    return size >= 1 << 20 ? std::to_string(size >> 20) + " MiB" : std::to_string(size >> 10) + " KiB";
}

}  // namespace
}  // namespace hawser::perf

int main(int argc, char** argv) {
    using namespace hawser::perf;
    Bench bench("copy_or_hold", "Copy a payload into the ring, or hold it by reference?", argc, argv);
    const auto compare = [&](const std::string& title, bool fill, const std::string& notes) {
        Table& table = bench.table(title,
                                   {{"copy-cpu", "copied: CPU-s/GB"},
                                    {"hold-cpu", "held: CPU-s/GB"},
                                    {"cpu", "held ÷ copied"},
                                    {"copy-rate", "copied: MB/s"},
                                    {"hold-rate", "held: MB/s"}},
                                   notes);
        std::vector<Row> rows;
        for (std::size_t size = 1024; size <= 1 << 20; size *= 2)
            rows.push_back({size_text(size), [&bench, size, fill] {
                                Sample sample;
                                if (!measure(size, false, fill, bench.seconds(0.5), "copy", sample) ||
                                    !measure(size, true, fill, bench.seconds(0.5), "hold", sample))
                                    return Sample::failed("the connection or the pool failed");
                                sample.values["cpu"] = sample.values["hold-cpu"] / sample.values["copy-cpu"];
                                return sample;
                            }});
        bench.run(table, rows);
    };
    compare("One client on the loopback; upstream writes each buffer", true,
            "CPU of the publishing process, streaming and sending thread, each on a CPU of its own; what "
            "upstream "
            "does is in it.");
    compare("One client on the loopback; upstream's buffers come as they are", false,
            "As if a device had written them: what holding can save at most.");
    return bench.finish();
}
