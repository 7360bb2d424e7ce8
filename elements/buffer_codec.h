// GstBuffer → session objects.
#pragma once

#include <gst/gst.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "elements/gst_ptr.h"
#include "runtime/session/publisher.h"

namespace hawser::elements {

// Those of GST_BUFFER_FLAGS that travel. The lowest bits belong to GstMiniObject.
inline constexpr guint32 kBufferFlags = ~static_cast<guint32>((GST_MINI_OBJECT_FLAG_LAST)-1);

// One pad's encoder, with the scratch it reuses so that a small plain buffer costs no allocation. Streaming
// thread only.
class BufferEncoder {
  public:
    // Maps `buffer`, of `size` bytes, and describes it in `object`, running_time excepted. What `object`
    // points to lives until end(). False: the memory cannot be read.
    bool begin(GstBuffer* buffer, gsize size, session::ObjectIn& object);
    void end();

    // The ALLOCATION may have changed: forget what is known of the pool.
    void forget_pool() { pool_ = nullptr; }
    // Metas that could not travel, so far.
    std::uint64_t unknown_metas() const { return unknown_metas_; }

  private:
    bool may_hold(GstBuffer* buffer);
    std::span<const std::byte> encode_extension(GstBuffer* buffer, guint memories);

    static constexpr std::size_t kMostMemories = 64;  // gst_buffer_get_max_memory() is 16
    std::array<GstMapInfo, kMostMemories> maps_;
    std::size_t mapped_ = 0;
    std::vector<std::span<const std::byte>> spans_;
    session::HeldBytes held_;
    wire::ObjectExtension extension_;
    std::string extension_bytes_;
    const void* pool_ = nullptr;  // identity of the pool seen last, never followed
    bool pool_is_bounded_ = false;
    std::uint64_t unknown_metas_ = 0;
};

}  // namespace hawser::elements
