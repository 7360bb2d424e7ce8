// How full a queue is, in items, bytes and time, counted by both of its ends without a shared write.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>

#include "runtime/base/fence.h"

namespace hawser::ring {

struct Fill {
    std::uint64_t items = 0;
    std::uint64_t bytes = 0;
    std::uint64_t time = 0;  // ns
};

// Whether `fill` has reached one of `bounds`, of which 0 is none.
inline bool reaches(const Fill& fill, const Fill& bounds) {
    return (bounds.items > 0 && fill.items >= bounds.items) ||
           (bounds.bytes > 0 && fill.bytes >= bounds.bytes) || (bounds.time > 0 && fill.time >= bounds.time);
}

// Each end writes counters of its own, on a cache line of its own; the level is their difference. The level
// in time is the difference between the positions in the stream (ns, may go back) of what was put in last and
// of what was taken out last.
class FillMeter {
  public:
    // A position that is not known: the end's position stays.
    static constexpr std::int64_t kNoTime = std::numeric_limits<std::int64_t>::min();

    // Producer, before the items can be seen. `time` is their end.
    void put(std::uint64_t items, std::uint64_t bytes, std::int64_t time) { count(in_, items, bytes, time); }
    // Consumer, after it has taken the items out. The same arguments as put() had for them.
    void taken(std::uint64_t items, std::uint64_t bytes, std::int64_t time) {
        count(out_, items, bytes, time);
    }
    // Who takes out: the position, where nothing has been put in.
    void restart(std::int64_t time) { out_.time.store(time, std::memory_order_release); }
    // Both ends at rest: no position is known.
    void forget_time() {
        in_.time.store(kNoTime, std::memory_order_relaxed);
        out_.time.store(kNoTime, std::memory_order_release);
    }

    // Any thread.
    Fill level() const {
        const End out = read(out_);  // first, so that it never seems ahead of what was put in
        return difference(read(in_), out);
    }
    std::int64_t position_in() const { return in_.time.load(std::memory_order_relaxed); }
    std::int64_t position_out() const { return out_.time.load(std::memory_order_relaxed); }
    std::uint64_t total_in() const { return in_.items.load(std::memory_order_relaxed); }
    std::uint64_t total_bytes_in() const { return in_.bytes.load(std::memory_order_relaxed); }
    std::uint64_t total_out() const { return out_.items.load(std::memory_order_relaxed); }
    std::uint64_t total_bytes_out() const { return out_.bytes.load(std::memory_order_relaxed); }

    // Producer. Whether the level reaches one of `bounds`; looks at the other end only where the copy of its
    // counters says so, or says nothing of the time: positions that have gone back since, as after a flush.
    bool full(const Fill& bounds) {
        const End in = read(in_);
        const bool told = in.time == kNoTime || (out_copy_.time != kNoTime && out_copy_.time <= in.time);
        if (told && !reaches(difference(in, out_copy_), bounds)) return false;
        out_copy_ = read(out_);
        return reaches(difference(in, out_copy_), bounds);
    }

  private:
    struct End {
        std::uint64_t items = 0;
        std::uint64_t bytes = 0;
        std::int64_t time = kNoTime;
    };
    struct alignas(kCacheLine) Counters {
        std::atomic<std::uint64_t> items{0};
        std::atomic<std::uint64_t> bytes{0};
        std::atomic<std::int64_t> time{kNoTime};
    };

    // Single writer: no read-modify-write.
    static void count(Counters& end, std::uint64_t items, std::uint64_t bytes, std::int64_t time) {
        end.bytes.store(end.bytes.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
        if (time != kNoTime) end.time.store(time, std::memory_order_relaxed);
        end.items.store(end.items.load(std::memory_order_relaxed) + items, std::memory_order_release);
    }
    static End read(const Counters& end) {
        return {end.items.load(std::memory_order_acquire), end.bytes.load(std::memory_order_relaxed),
                end.time.load(std::memory_order_relaxed)};
    }
    static Fill difference(const End& in, const End& out) {
        const bool known = in.time != kNoTime && out.time != kNoTime && in.time > out.time;
        return {in.items - std::min(in.items, out.items), in.bytes - std::min(in.bytes, out.bytes),
                known ? static_cast<std::uint64_t>(in.time) - static_cast<std::uint64_t>(out.time) : 0};
    }

    Counters in_;   // producer
    End out_copy_;  // producer
    Counters out_;  // consumer
};

}  // namespace hawser::ring
