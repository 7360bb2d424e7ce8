// What travels through hawserqueue's rings.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <utility>

#include "runtime/base/clock.h"
#include "runtime/ring/fill_meter.h"

namespace hawser::elements {

inline bool is_sticky(GstEvent* event) {
    return gst_event_type_get_flags(GST_EVENT_TYPE(event)) & GST_EVENT_TYPE_STICKY;
}
inline bool is_serialized(GstEvent* event) {
    return gst_event_type_get_flags(GST_EVENT_TYPE(event)) & GST_EVENT_TYPE_SERIALIZED;
}
inline bool is_serialized(GstQuery* query) {
    return gst_query_type_get_flags(GST_QUERY_TYPE(query)) & GST_QUERY_TYPE_SERIALIZED;
}

// A buffer, a list of buffers or an event, owned; or the number of a query, which stays its asker's.
struct QueueItem {
    enum class Kind : std::uint8_t { None, Buffer, List, Event, Query };

    QueueItem() = default;
    // Takes over the caller's reference.
    explicit QueueItem(GstBuffer* buffer);
    explicit QueueItem(GstBufferList* list);
    explicit QueueItem(GstEvent* event) : object(GST_MINI_OBJECT_CAST(event)), kind(Kind::Event) {}
    static QueueItem query(std::uint64_t number);
    QueueItem(QueueItem&& other) noexcept { take(other); }
    QueueItem& operator=(QueueItem&& other) noexcept {
        if (this != &other) {
            reset();
            take(other);
        }
        return *this;
    }
    ~QueueItem() { reset(); }

    void reset() {
        if (object) gst_mini_object_unref(std::exchange(object, nullptr));
        kind = Kind::None;
    }
    bool is_data() const { return kind == Kind::Buffer || kind == Kind::List; }
    GstEvent* event() const { return GST_EVENT_CAST(object); }
    // Its (first) buffer gets the DISCONT flag; copied where somebody else has it, too.
    void mark_discont();

    GstMiniObject* object = nullptr;
    std::int64_t time = ring::FillMeter::kNoTime;  // the stream's position (running time) behind it
    TimePoint deadline = TimePoint::max();
    std::uint64_t bytes = 0;  // of a query: its number
    std::uint32_t buffers = 0;
    Kind kind = Kind::None;
    bool delta = false;  // cannot be decoded without those before it

  private:
    void take(QueueItem& other) {
        object = std::exchange(other.object, nullptr);
        time = other.time;
        deadline = other.deadline;
        bytes = other.bytes;
        buffers = other.buffers;
        kind = std::exchange(other.kind, Kind::None);
        delta = other.delta;
    }
};

}  // namespace hawser::elements
