#include "elements/queue_item.h"

namespace hawser::elements {
namespace {

bool is_delta(GstBuffer* buffer) {
    return GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
}

gboolean mark_first(GstBuffer** buffer, guint, gpointer) {
    *buffer = gst_buffer_make_writable(*buffer);
    GST_BUFFER_FLAG_SET(*buffer, GST_BUFFER_FLAG_DISCONT);
    return FALSE;
}

}  // namespace

QueueItem::QueueItem(GstBuffer* buffer)
    : object(GST_MINI_OBJECT_CAST(buffer)),
      bytes(gst_buffer_get_size(buffer)),
      buffers(1),
      kind(Kind::Buffer),
      delta(is_delta(buffer)) {}

// A list is kept or dropped as a whole, so it is one that stands by itself only where its beginning does.
QueueItem::QueueItem(GstBufferList* list)
    : object(GST_MINI_OBJECT_CAST(list)),
      bytes(gst_buffer_list_calculate_size(list)),
      buffers(gst_buffer_list_length(list)),
      kind(Kind::List),
      delta(buffers > 0 && is_delta(gst_buffer_list_get(list, 0))) {}

QueueItem QueueItem::query(std::uint64_t number) {
    QueueItem item;
    item.bytes = number;
    item.kind = Kind::Query;
    return item;
}

void QueueItem::mark_discont() {
    if (kind == Kind::Buffer) {
        GstBuffer* buffer = gst_buffer_make_writable(GST_BUFFER_CAST(object));
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
        object = GST_MINI_OBJECT_CAST(buffer);
    } else if (kind == Kind::List) {
        GstBufferList* list = gst_buffer_list_make_writable(GST_BUFFER_LIST_CAST(object));
        gst_buffer_list_foreach(list, mark_first, nullptr);
        object = GST_MINI_OBJECT_CAST(list);
    }
}

}  // namespace hawser::elements
