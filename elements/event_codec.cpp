#include "elements/event_codec.h"

#include <cmath>

#include "proto/wire/header.h"

namespace hawser::elements {
namespace {

constexpr std::size_t kRoom = 1024;  // for all of an EVENT frame but its texts

bool named_as_several(GstEventType type) {
    return (gst_event_type_get_flags(type) & GST_EVENT_TYPE_STICKY_MULTI) != 0;
}

void encode_segment(const GstSegment& from, wire::Segment& to) {
    to.set_flags(from.flags);
    to.set_rate(from.rate);
    to.set_applied_rate(from.applied_rate);
    to.set_format(from.format);
    to.set_base(from.base);
    to.set_offset(from.offset);
    to.set_start(from.start);
    to.set_stop(from.stop);
    to.set_time(from.time);
    to.set_position(from.position);
    to.set_duration(from.duration);
}

// Images may make a tag list larger than a frame; without them it is still worth having.
bool encode_tags(GstEvent* event, wire::Event& to) {
    GstTagList* tags = nullptr;
    gst_event_parse_tag(event, &tags);
    GText text(gst_tag_list_to_string(tags));
    if (text && std::char_traits<char>::length(text.get()) > wire::kMaxControl - kRoom) {
        auto fewer = Ptr<GstTagList>::adopt(gst_tag_list_copy(tags));
        gst_tag_list_remove_tag(fewer.get(), GST_TAG_IMAGE);
        gst_tag_list_remove_tag(fewer.get(), GST_TAG_PREVIEW_IMAGE);
        gst_tag_list_remove_tag(fewer.get(), GST_TAG_ATTACHMENT);
        text.reset(gst_tag_list_to_string(fewer.get()));
    }
    if (!text) return false;
    to.set_kind(wire::Event::TAG);
    to.set_text(text.get());
    to.set_flags(gst_tag_list_get_scope(tags));
    return true;
}

bool encode_structure(const GstStructure* structure, wire::Event& to) {
    if (!structure) return true;
    const GText text(gst_structure_to_string(structure));
    if (!text) return false;
    const StructurePtr back(gst_structure_from_string(text.get(), nullptr));
    if (!back || !gst_structure_is_equal(back.get(), structure)) return false;
    to.set_structure(text.get());
    return true;
}

// Serialized events travel, and the application's own that are out of band: these go in front of what comes
// next.
bool travels(GstEventType type) {
    if (type == GST_EVENT_CUSTOM_DOWNSTREAM_OOB) return true;
    const GstEventTypeFlags kind = gst_event_type_get_flags(type);
    return (kind & GST_EVENT_TYPE_SERIALIZED) && (kind & GST_EVENT_TYPE_DOWNSTREAM);
}

StructurePtr read_structure(const std::string& text) {
    if (text.empty()) return nullptr;
    return StructurePtr(gst_structure_from_string(text.c_str(), nullptr));
}

bool sane(const wire::Segment& segment) {
    return segment.format() > GST_FORMAT_UNDEFINED && segment.format() <= GST_FORMAT_PERCENT &&
           std::isfinite(segment.rate()) && segment.rate() != 0.0 && std::isfinite(segment.applied_rate()) &&
           segment.applied_rate() != 0.0 &&
           (segment.stop() == SegmentValues::kUnset || segment.start() <= segment.stop());
}

}  // namespace

std::optional<wire::Event> encode_event(GstEvent* event) {
    const GstEventType type = GST_EVENT_TYPE(event);
    const GstEventTypeFlags kind = gst_event_type_get_flags(type);
    if (!travels(type)) return std::nullopt;
    wire::Event made;
    made.set_sticky((kind & GST_EVENT_TYPE_STICKY) != 0);
    made.set_type(type);
    made.set_running_time_offset(gst_event_get_running_time_offset(event));
    const GstStructure* structure = gst_event_get_structure(event);
    if (structure && (kind & GST_EVENT_TYPE_STICKY_MULTI)) made.set_name(gst_structure_get_name(structure));
    switch (type) {
        case GST_EVENT_STREAM_START: {
            const gchar* id = nullptr;
            GstStreamFlags flags = GST_STREAM_FLAG_NONE;
            guint group = 0;
            gst_event_parse_stream_start(event, &id);
            gst_event_parse_stream_flags(event, &flags);
            if (gst_event_parse_group_id(event, &group)) made.set_group_id(group);
            made.set_kind(wire::Event::STREAM_START);
            made.set_text(id ? id : "");
            made.set_flags(flags);
            break;
        }
        case GST_EVENT_CAPS: {
            GstCaps* caps = nullptr;
            gst_event_parse_caps(event, &caps);
            const GText text(gst_caps_to_string(caps));
            made.set_kind(wire::Event::CAPS);
            made.set_text(text.get());
            break;
        }
        case GST_EVENT_SEGMENT: {
            const GstSegment* segment = nullptr;
            gst_event_parse_segment(event, &segment);
            made.set_kind(wire::Event::SEGMENT);
            encode_segment(*segment, *made.mutable_segment());
            break;
        }
        case GST_EVENT_TAG:
            if (!encode_tags(event, made)) return std::nullopt;
            break;
        case GST_EVENT_EOS:
            made.set_kind(wire::Event::EOS);
            break;
        case GST_EVENT_GAP: {
            GstClockTime timestamp = GST_CLOCK_TIME_NONE;
            GstClockTime duration = GST_CLOCK_TIME_NONE;
            GstGapFlags flags = static_cast<GstGapFlags>(0);
            gst_event_parse_gap(event, &timestamp, &duration);
            gst_event_parse_gap_flags(event, &flags);
            made.set_kind(wire::Event::GAP);
            made.set_timestamp(timestamp);
            made.set_duration(duration);
            made.set_flags(flags);
            break;
        }
        case GST_EVENT_FLUSH_STOP: {
            gboolean reset_time = TRUE;
            gst_event_parse_flush_stop(event, &reset_time);
            made.set_kind(wire::Event::FLUSH);
            made.set_flags(reset_time ? 1 : 0);
            made.set_sticky(false);
            break;
        }
        case GST_EVENT_CUSTOM_DOWNSTREAM:
        case GST_EVENT_CUSTOM_DOWNSTREAM_OOB:
        case GST_EVENT_CUSTOM_DOWNSTREAM_STICKY:
        case GST_EVENT_CUSTOM_BOTH:
            made.set_kind(wire::Event::CUSTOM);
            if (!encode_structure(structure, made)) return std::nullopt;
            break;
        case GST_EVENT_STREAM_GROUP_DONE: {
            guint group = 0;
            gst_event_parse_stream_group_done(event, &group);
            made.set_kind(wire::Event::OTHER);
            made.set_group_id(group);
            break;
        }
        default:
            made.set_kind(wire::Event::OTHER);
            if (!encode_structure(structure, made)) return std::nullopt;
            break;
    }
    if (made.ByteSizeLong() > wire::kMaxControl) return std::nullopt;
    return made;
}

SegmentValues decode_segment(const wire::Segment& from) {
    return {.flags = from.flags(),
            .format = from.format(),
            .rate = from.rate(),
            .applied_rate = from.applied_rate(),
            .base = from.base(),
            .offset = from.offset(),
            .start = from.start(),
            .stop = from.stop(),
            .time = from.time(),
            .position = from.position(),
            .duration = from.duration()};
}

Ptr<GstEvent> make_segment_event(const SegmentValues& values) {
    GstSegment segment;
    gst_segment_init(&segment, static_cast<GstFormat>(values.format));
    segment.flags = static_cast<GstSegmentFlags>(values.flags);
    segment.rate = values.rate;
    segment.applied_rate = values.applied_rate;
    segment.base = values.base;
    segment.offset = values.offset;
    segment.start = values.start;
    segment.stop = values.stop;
    segment.time = values.time;
    segment.position = values.position;
    segment.duration = values.duration;
    return Ptr<GstEvent>::adopt(gst_event_new_segment(&segment));
}

Ptr<GstEvent> decode_event(const wire::Event& event, const GroupIds& group_id) {
    GstEvent* made = nullptr;
    switch (event.kind()) {
        case wire::Event::STREAM_START:
            if (event.text().empty()) return nullptr;
            made = gst_event_new_stream_start(event.text().c_str());
            gst_event_set_stream_flags(made, static_cast<GstStreamFlags>(event.flags()));
            gst_event_set_group_id(made, group_id(event.group_id()));
            break;
        case wire::Event::CAPS: {
            const auto caps = Ptr<GstCaps>::adopt(gst_caps_from_string(event.text().c_str()));
            if (!caps || !gst_caps_is_fixed(caps.get())) return nullptr;
            made = gst_event_new_caps(caps.get());
            break;
        }
        case wire::Event::SEGMENT:
            if (!sane(event.segment())) return nullptr;
            made = make_segment_event(decode_segment(event.segment())).leak();
            break;
        case wire::Event::TAG: {
            GstTagList* tags = gst_tag_list_new_from_string(event.text().c_str());
            if (!tags) return nullptr;
            gst_tag_list_set_scope(
                tags, event.flags() == GST_TAG_SCOPE_GLOBAL ? GST_TAG_SCOPE_GLOBAL : GST_TAG_SCOPE_STREAM);
            made = gst_event_new_tag(tags);
            break;
        }
        case wire::Event::EOS:
            made = gst_event_new_eos();
            break;
        case wire::Event::GAP:
            if (event.timestamp() == GST_CLOCK_TIME_NONE) return nullptr;
            made = gst_event_new_gap(event.timestamp(), event.duration());
            if (event.flags() != 0) gst_event_set_gap_flags(made, static_cast<GstGapFlags>(event.flags()));
            break;
        case wire::Event::CUSTOM:
        case wire::Event::OTHER: {
            const auto type = static_cast<GstEventType>(event.type());
            if (type == GST_EVENT_STREAM_GROUP_DONE) {
                made = gst_event_new_stream_group_done(group_id(event.group_id()));
                break;
            }
            if (!travels(type)) return nullptr;
            // Types with a kind of their own are not to come in by this door.
            if (type == GST_EVENT_FLUSH_STOP || type == GST_EVENT_STREAM_START || type == GST_EVENT_CAPS ||
                type == GST_EVENT_SEGMENT || type == GST_EVENT_TAG || type == GST_EVENT_EOS ||
                type == GST_EVENT_GAP)
                return nullptr;
            StructurePtr structure = read_structure(event.structure());
            if (!structure) return nullptr;
            made = gst_event_new_custom(type, structure.release());
            break;
        }
        default:
            return nullptr;
    }
    if (made && event.running_time_offset() != 0)
        gst_event_set_running_time_offset(made, event.running_time_offset());
    return Ptr<GstEvent>::adopt(made);
}

bool same_event(GstEvent* a, GstEvent* b) {
    if (GST_EVENT_TYPE(a) != GST_EVENT_TYPE(b)) return false;
    switch (GST_EVENT_TYPE(a)) {
        case GST_EVENT_STREAM_START: {
            const gchar* ids[2] = {};
            GstStreamFlags flags[2] = {};
            gst_event_parse_stream_start(a, &ids[0]);
            gst_event_parse_stream_start(b, &ids[1]);
            gst_event_parse_stream_flags(a, &flags[0]);
            gst_event_parse_stream_flags(b, &flags[1]);
            return g_strcmp0(ids[0], ids[1]) == 0 && flags[0] == flags[1];
        }
        case GST_EVENT_CAPS: {
            GstCaps* caps[2] = {};
            gst_event_parse_caps(a, &caps[0]);
            gst_event_parse_caps(b, &caps[1]);
            return gst_caps_is_strictly_equal(caps[0], caps[1]);
        }
        case GST_EVENT_TAG: {
            GstTagList* tags[2] = {};
            gst_event_parse_tag(a, &tags[0]);
            gst_event_parse_tag(b, &tags[1]);
            return gst_tag_list_is_equal(tags[0], tags[1]);
        }
        default: {
            const GstStructure* one = gst_event_get_structure(a);
            const GstStructure* other = gst_event_get_structure(b);
            if (!one || !other) return one == other;
            return gst_structure_is_equal(one, other);
        }
    }
}

Ptr<GstEvent> sticky_counterpart(GstPad* pad, GstEvent* event) {
    const GstEventType type = GST_EVENT_TYPE(event);
    const bool several = named_as_several(type);
    for (guint i = 0;; ++i) {
        auto held = Ptr<GstEvent>::adopt(gst_pad_get_sticky_event(pad, type, i));
        if (!held) return nullptr;
        if (!several) return held;
        const GstStructure* structure = gst_event_get_structure(event);
        if (structure && gst_event_has_name(held.get(), gst_structure_get_name(structure))) return held;
    }
}

}  // namespace hawser::elements
