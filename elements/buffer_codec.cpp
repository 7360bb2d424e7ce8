#include "elements/buffer_codec.h"

#include <algorithm>

#include "elements/meta_codec.h"
#include "runtime/memory/slab_pool.h"

namespace hawser::elements {
namespace {

// A buffer that the ring keeps by reference.
struct Held {
    GstBuffer* buffer;
    GstMapInfo map;

    static void release(void* owner) {
        auto* held = static_cast<Held*>(owner);
        gst_buffer_unmap(held->buffer, &held->map);
        gst_buffer_unref(held->buffer);
        pool().destroy(held);
    }
    // Of the process, and never destroyed: a ring may let go of a buffer very late.
    static memory::SlabPool<Held>& pool() {
        static auto* const one = new memory::SlabPool<Held>;
        return *one;
    }
};

std::span<const std::byte> bytes_of(const GstMapInfo& map) {
    return {reinterpret_cast<const std::byte*>(map.data), map.size};
}

}  // namespace

bool BufferEncoder::may_hold(GstBuffer* buffer) {
    // Whoever waits for a buffer to come back would wait for our slowest client.
    if (gst_buffer_get_parent_buffer_meta(buffer)) return false;
    if (!buffer->pool) return true;
    if (pool_ != buffer->pool) {
        pool_ = buffer->pool;
        pool_is_bounded_ = true;
        guint most = 1;
        GstStructure* config = gst_buffer_pool_get_config(buffer->pool);
        if (gst_buffer_pool_config_get_params(config, nullptr, nullptr, nullptr, &most))
            pool_is_bounded_ = most != 0;
        gst_structure_free(config);
    }
    return !pool_is_bounded_;
}

std::span<const std::byte> BufferEncoder::encode_extension(GstBuffer* buffer, guint memories) {
    extension_.Clear();
    unknown_metas_ += encode_metas(buffer, extension_);
    if (memories > 1)
        for (guint i = 0; i < memories; ++i)
            extension_.add_memory_sizes(
                gst_memory_get_sizes(gst_buffer_peek_memory(buffer, i), nullptr, nullptr));
    extension_bytes_.clear();
    if (extension_.memory_sizes_size() > 0 || extension_.metas_size() > 0)
        extension_.SerializeToString(&extension_bytes_);
    return std::as_bytes(std::span(extension_bytes_));
}

bool BufferEncoder::begin(GstBuffer* buffer, gsize size, session::ObjectIn& object) {
    wire::ObjectHeader& header = object.header;
    header.pts = GST_BUFFER_PTS(buffer);
    header.dts = GST_BUFFER_DTS(buffer);
    header.duration = GST_BUFFER_DURATION(buffer);
    header.offset = GST_BUFFER_OFFSET(buffer);
    header.offset_end = GST_BUFFER_OFFSET_END(buffer);
    header.gst_flags = GST_BUFFER_FLAGS(buffer) & kBufferFlags;
    object.group_start = !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
    object.droppable = GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DROPPABLE);

    const guint memories = gst_buffer_n_memory(buffer);
    object.extension = {};
    if (gpointer state = nullptr; memories > 1 || gst_buffer_iterate_meta(buffer, &state))
        object.extension = encode_extension(buffer, memories);

    spans_.clear();
    object.held = nullptr;
    if (memories == 1 && size > session::TrackWriter::kCopyBelow && may_hold(buffer)) {
        Held* held = Held::pool().create();
        if (!held) return false;
        if (!gst_buffer_map(buffer, &held->map, GST_MAP_READ)) {
            Held::pool().destroy(held);
            return false;
        }
        held->buffer = gst_buffer_ref(buffer);
        spans_.push_back(bytes_of(held->map));
        held_ = session::HeldBytes({reinterpret_cast<std::byte*>(held->map.data), held->map.size}, held,
                                   Held::release);
        object.held = &held_;
    } else {
        if (memories > kMostMemories) return false;
        for (guint i = 0; i < memories; ++i) {
            if (!gst_memory_map(gst_buffer_peek_memory(buffer, i), &maps_[mapped_], GST_MAP_READ)) {
                end();
                return false;
            }
            spans_.push_back(bytes_of(maps_[mapped_++]));
        }
    }
    object.payload = spans_;
    return true;
}

void BufferEncoder::end() {
    while (mapped_ > 0) {
        GstMapInfo& map = maps_[--mapped_];
        gst_memory_unmap(map.memory, &map);
    }
    held_.reset();  // empty where the ring took it
}

}  // namespace hawser::elements
