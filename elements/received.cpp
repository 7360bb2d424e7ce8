#include "elements/received.h"

#include <algorithm>

#include "elements/buffer_codec.h"
#include "elements/meta_codec.h"

namespace hawser::elements {
namespace {

void set_flags(GstBuffer* buffer, guint32 flags) {
    GST_BUFFER_FLAGS(buffer) = (GST_BUFFER_FLAGS(buffer) & ~kBufferFlags) | (flags & kBufferFlags);
}

// The same in as many memories as it was sent in.
Ptr<GstBuffer> split(const Ptr<GstBuffer>& whole, const wire::ObjectExtension& extension) {
    auto parts = Ptr<GstBuffer>::adopt(gst_buffer_new());
    gst_buffer_copy_into(parts.get(), whole.get(),
                         static_cast<GstBufferCopyFlags>(GST_BUFFER_COPY_FLAGS | GST_BUFFER_COPY_TIMESTAMPS),
                         0, -1);
    GstMemory* memory = gst_buffer_peek_memory(whole.get(), 0);
    const std::size_t size = gst_buffer_get_size(whole.get());
    std::size_t done = 0;
    for (const std::uint64_t part : extension.memory_sizes()) {
        const std::size_t length = std::min<std::size_t>(part, size - done);
        gst_buffer_append_memory(
            parts.get(), gst_memory_share(memory, static_cast<gssize>(done), static_cast<gssize>(length)));
        done += length;
    }
    return parts;
}

Ptr<GstBuffer> extended(Ptr<GstBuffer> buffer, std::string_view encoded) {
    wire::ObjectExtension extension;
    if (!extension.ParseFromArray(encoded.data(), static_cast<int>(encoded.size()))) return buffer;
    const guint32 flags = GST_BUFFER_FLAGS(buffer.get());
    if (extension.memory_sizes_size() > 1 && gst_buffer_n_memory(buffer.get()) == 1 &&
        static_cast<guint>(extension.memory_sizes_size()) <= gst_buffer_get_max_memory())
        buffer = split(buffer, extension);
    for (const wire::Meta& meta : extension.metas()) decode_meta(meta, buffer.get());
    // Last: appending memory and metas leaves flags behind.
    set_flags(buffer.get(), flags);
    return buffer;
}

}  // namespace

session::HeldBytes land(ReceivePool& pool, const wire::ObjectHeader& header) {
    ReceivePool::Received received;
    if (header.payload_length > 0)
        received = pool.acquire(header.payload_length);
    else
        received.buffer = gst_buffer_new();
    GstBuffer* buffer = received.buffer;
    if (!buffer) return {};
    GST_BUFFER_PTS(buffer) = header.pts;
    GST_BUFFER_DTS(buffer) = header.dts;
    GST_BUFFER_DURATION(buffer) = header.duration;
    GST_BUFFER_OFFSET(buffer) = header.offset;
    GST_BUFFER_OFFSET_END(buffer) = header.offset_end;
    set_flags(buffer, header.gst_flags);
    return {{received.data, header.payload_length}, buffer, [](void* owner) {
                gst_buffer_unref(static_cast<GstBuffer*>(owner));
            }};
}

Ptr<GstBuffer> take_buffer(session::Item& item) {
    auto buffer = Ptr<GstBuffer>::adopt(static_cast<GstBuffer*>(item.object.take()));
    const std::string_view extension = item.extension();
    return extension.empty() ? std::move(buffer) : extended(std::move(buffer), extension);
}

}  // namespace hawser::elements
