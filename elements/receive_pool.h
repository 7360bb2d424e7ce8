// The buffers into which hawsersrc receives. They come back when downstream has let them go, so that in the
// steady state nothing is allocated for an object.
//
// Not a GstBufferPool: that takes five locked instructions and a reference to itself for each buffer, on
// lines which the reactor and the streaming thread then fight for, and has one size. Here a buffer comes back
// by its own dispose function; the one that came last goes out first, while it is in the cache.
#pragma once

#include <gst/gst.h>

#include <cstddef>
#include <memory>

namespace hawser::elements {

class ReceivePool {
  public:
    // Keeps a buffer that comes back as long as all of its buffers, those downstream included, have at most
    // `max_bytes`. So what lies idle is never more than that.
    explicit ReceivePool(std::size_t max_bytes);
    // Buffers that are still out are freed when they are let go.
    ~ReceivePool();
    ReceivePool(const ReceivePool&) = delete;
    ReceivePool& operator=(const ReceivePool&) = delete;

    struct Received {
        GstBuffer* buffer = nullptr;  // the caller's reference; null: out of memory
        std::byte* data = nullptr;    // its payload, aligned to 64 bytes
    };
    // A buffer with one writable memory of `size` bytes, without flags and metas; its timestamps are
    // undefined. One thread at a time; buffers may be let go by any.
    Received acquire(std::size_t size);

    // Bytes of all its buffers, and of those that wait for use. Any thread; for tests.
    std::size_t bytes() const;
    std::size_t idle_bytes() const;

    struct Core;

  private:
    Core* const core_;
};

}  // namespace hawser::elements
