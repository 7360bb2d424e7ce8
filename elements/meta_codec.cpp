#include "elements/meta_codec.h"

#include <gst/audio/audio.h>
#include <gst/video/video.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "elements/gst_ptr.h"
#include "elements/packing.h"

namespace hawser::elements {
namespace {

constexpr std::uint32_t kMostRegionParams = 64;

// Whether the peer's number means anything in this version of the library.
bool is_value(GType type, int value) {
    auto* klass = static_cast<GEnumClass*>(g_type_class_ref(type));
    const bool found = g_enum_get_value(klass, value) != nullptr;
    g_type_class_unref(klass);
    return found;
}

// ---- GstVideoMeta

void encode_video(const GstVideoMeta* meta, Packer& out) {
    out.u32(meta->flags)
        .u32(meta->format)
        .i32(meta->id)
        .u32(meta->width)
        .u32(meta->height)
        .u32(meta->n_planes);
    for (guint i = 0; i < meta->n_planes; ++i) out.u64(meta->offset[i]).i32(meta->stride[i]);
    const GstVideoAlignment& alignment = meta->alignment;
    out.u32(alignment.padding_top).u32(alignment.padding_bottom);
    out.u32(alignment.padding_left).u32(alignment.padding_right);
    for (const guint align : alignment.stride_align) out.u32(align);
}

// Whoever maps a frame trusts offsets and strides, so they have to lie within the payload.
bool planes_fit(GstVideoFormat format, guint width, guint height, guint planes, const gsize* offset,
                const gint* stride, gsize size) {
    if (!is_value(GST_TYPE_VIDEO_FORMAT, format)) return false;
    const GstVideoFormatInfo* info = gst_video_format_get_info(format);
    // Tiled, packed-in-blocks and encoded formats have no rows to check.
    if (format == GST_VIDEO_FORMAT_ENCODED || format == GST_VIDEO_FORMAT_UNKNOWN) return planes <= 1;
    if (planes != GST_VIDEO_FORMAT_INFO_N_PLANES(info)) return false;
    for (guint plane = 0; plane < planes; ++plane) {
        gint component[GST_VIDEO_MAX_COMPONENTS];
        gst_video_format_info_component(info, plane, component);
        if (component[0] < 0 || offset[plane] >= size) return false;
        if (GST_VIDEO_FORMAT_INFO_IS_TILED(info)) continue;
        const auto rows = static_cast<gsize>(GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT(info, component[0], height));
        const auto columns = static_cast<gsize>(GST_VIDEO_FORMAT_INFO_SCALE_WIDTH(info, component[0], width));
        const gsize row = columns * static_cast<gsize>(GST_VIDEO_FORMAT_INFO_PSTRIDE(info, component[0]));
        const auto step = static_cast<gsize>(stride[plane]);
        if (stride[plane] < 0 || step < row) return false;
        if (rows == 0 || (rows - 1) > (size - offset[plane]) / std::max<gsize>(step, 1)) return false;
        if (offset[plane] + (rows - 1) * step + row > size) return false;
    }
    return true;
}

bool decode_video(Unpacker& in, GstBuffer* buffer) {
    const std::uint32_t flags = in.u32();
    const auto format = static_cast<GstVideoFormat>(in.u32());
    const std::int32_t id = in.i32();
    const std::uint32_t width = in.u32();
    const std::uint32_t height = in.u32();
    const std::uint32_t planes = in.u32();
    if (!in.ok() || planes > GST_VIDEO_MAX_PLANES || width > G_MAXUINT16 || height > G_MAXUINT16)
        return false;
    gsize offset[GST_VIDEO_MAX_PLANES] = {};
    gint stride[GST_VIDEO_MAX_PLANES] = {};
    for (std::uint32_t i = 0; i < planes; ++i) {
        offset[i] = in.u64();
        stride[i] = in.i32();
    }
    GstVideoAlignment alignment;
    gst_video_alignment_reset(&alignment);
    alignment.padding_top = in.u32();
    alignment.padding_bottom = in.u32();
    alignment.padding_left = in.u32();
    alignment.padding_right = in.u32();
    for (guint& align : alignment.stride_align) align = in.u32();
    if (!in.complete() ||
        !planes_fit(format, width, height, planes, offset, stride, gst_buffer_get_size(buffer)))
        return false;
    GstVideoMeta* meta = gst_buffer_add_video_meta_full(buffer, static_cast<GstVideoFrameFlags>(flags),
                                                        format, width, height, planes, offset, stride);
    if (!meta) return false;
    meta->id = id;
    meta->alignment = alignment;
    return true;
}

// ---- GstVideoCropMeta

void encode_crop(const GstVideoCropMeta* meta, Packer& out) {
    out.u32(meta->x).u32(meta->y).u32(meta->width).u32(meta->height);
}

bool decode_crop(Unpacker& in, GstBuffer* buffer) {
    const std::uint32_t x = in.u32();
    const std::uint32_t y = in.u32();
    const std::uint32_t width = in.u32();
    const std::uint32_t height = in.u32();
    if (!in.complete()) return false;
    // Whoever crops trusts this as well.
    if (const GstVideoMeta* video = gst_buffer_get_video_meta(buffer))
        if (x > video->width || y > video->height || width > video->width - x || height > video->height - y)
            return false;
    GstVideoCropMeta* meta = gst_buffer_add_video_crop_meta(buffer);
    meta->x = x;
    meta->y = y;
    meta->width = width;
    meta->height = height;
    return true;
}

// ---- GstVideoRegionOfInterestMeta

void encode_region(const GstVideoRegionOfInterestMeta* meta, Packer& out) {
    out.string(g_quark_to_string(meta->roi_type)).i32(meta->id).i32(meta->parent_id);
    out.u32(meta->x).u32(meta->y).u32(meta->w).u32(meta->h);
    const auto count = std::min<guint>(g_list_length(meta->params), kMostRegionParams);
    out.u32(count);
    GList* param = meta->params;
    for (guint i = 0; i < count; ++i, param = param->next) {
        const GText text(gst_structure_to_string(static_cast<GstStructure*>(param->data)));
        out.string(text.get());
    }
}

bool decode_region(Unpacker& in, GstBuffer* buffer) {
    const std::string type = in.string();
    const std::int32_t id = in.i32();
    const std::int32_t parent = in.i32();
    const std::uint32_t x = in.u32();
    const std::uint32_t y = in.u32();
    const std::uint32_t w = in.u32();
    const std::uint32_t h = in.u32();
    const std::uint32_t count = in.u32();
    if (!in.ok() || count > kMostRegionParams) return false;
    std::vector<StructurePtr> params;
    for (std::uint32_t i = 0; i < count; ++i) {
        StructurePtr param(gst_structure_from_string(in.string().c_str(), nullptr));
        if (!in.ok() || !param) return false;
        params.push_back(std::move(param));
    }
    if (!in.complete()) return false;
    auto* meta = gst_buffer_add_video_region_of_interest_meta(buffer, type.c_str(), x, y, w, h);
    meta->id = id;
    meta->parent_id = parent;
    for (StructurePtr& param : params) gst_video_region_of_interest_meta_add_param(meta, param.release());
    return true;
}

// ---- GstVideoTimeCodeMeta

void encode_time_code(const GstVideoTimeCodeMeta* meta, Packer& out) {
    const GstVideoTimeCode& code = meta->tc;
    out.u32(code.config.fps_n).u32(code.config.fps_d).u32(code.config.flags);
    out.u32(code.hours).u32(code.minutes).u32(code.seconds).u32(code.frames).u32(code.field_count);
    const GText jam(code.config.latest_daily_jam ? g_date_time_format_iso8601(code.config.latest_daily_jam)
                                                 : nullptr);
    out.string(jam ? jam.get() : "");
}

bool decode_time_code(Unpacker& in, GstBuffer* buffer) {
    std::array<std::uint32_t, 8> n{};
    for (std::uint32_t& value : n) value = in.u32();
    const std::string jam_text = in.string();
    if (!in.complete() || n[1] == 0) return false;
    GDateTime* jam = jam_text.empty() ? nullptr : g_date_time_new_from_iso8601(jam_text.c_str(), nullptr);
    GstVideoTimeCode* code = gst_video_time_code_new(
        n[0], n[1], jam, static_cast<GstVideoTimeCodeFlags>(n[2]), n[3], n[4], n[5], n[6], n[7]);
    if (jam) g_date_time_unref(jam);
    const bool valid =
        gst_video_time_code_is_valid(code) && gst_buffer_add_video_time_code_meta(buffer, code) != nullptr;
    gst_video_time_code_free(code);
    return valid;
}

// ---- GstReferenceTimestampMeta

void encode_reference(const GstReferenceTimestampMeta* meta, Packer& out) {
    const GText caps(gst_caps_to_string(meta->reference));
    out.string(caps.get()).u64(meta->timestamp).u64(meta->duration);
}

bool decode_reference(Unpacker& in, GstBuffer* buffer) {
    const std::string text = in.string();
    const std::uint64_t timestamp = in.u64();
    const std::uint64_t duration = in.u64();
    if (!in.complete() || timestamp == GST_CLOCK_TIME_NONE) return false;
    const auto caps = Ptr<GstCaps>::adopt(gst_caps_from_string(text.c_str()));
    return caps &&
           gst_buffer_add_reference_timestamp_meta(buffer, caps.get(), timestamp, duration) != nullptr;
}

// ---- GstAudioMeta

void encode_audio(const GstAudioMeta* meta, Packer& out) {
    const GstAudioInfo& info = meta->info;
    out.u32(GST_AUDIO_INFO_FORMAT(&info)).u32(info.layout).u32(info.flags);
    out.u32(static_cast<std::uint32_t>(info.rate)).u32(static_cast<std::uint32_t>(info.channels));
    const gint named = std::min(info.channels, 64);
    for (gint i = 0; i < named; ++i) out.i32(info.position[i]);
    out.u64(meta->samples);
    const gint planes = meta->offsets && info.layout == GST_AUDIO_LAYOUT_NON_INTERLEAVED ? info.channels : 0;
    out.u32(static_cast<std::uint32_t>(planes));
    for (gint i = 0; i < planes; ++i) out.u64(meta->offsets[i]);
}

bool decode_audio(Unpacker& in, GstBuffer* buffer) {
    const std::uint32_t format = in.u32();
    const std::uint32_t layout = in.u32();
    const std::uint32_t flags = in.u32();
    const std::uint32_t rate = in.u32();
    const std::uint32_t channels = in.u32();
    if (!in.ok() || format <= GST_AUDIO_FORMAT_ENCODED || format > GST_AUDIO_FORMAT_F64BE ||
        layout > GST_AUDIO_LAYOUT_NON_INTERLEAVED || rate == 0 || rate > G_MAXINT || channels == 0 ||
        channels > 1024)
        return false;
    std::array<GstAudioChannelPosition, 64> position{};
    for (std::uint32_t i = 0; i < std::min(channels, 64u); ++i) {
        const std::int32_t at = in.i32();
        if (at < GST_AUDIO_CHANNEL_POSITION_NONE || at > GST_AUDIO_CHANNEL_POSITION_SURROUND_RIGHT)
            return false;
        position[i] = static_cast<GstAudioChannelPosition>(at);
    }
    const std::uint64_t samples = in.u64();
    const std::uint32_t planes = in.u32();
    if (!in.ok() || (planes != 0 && planes != channels)) return false;
    std::vector<gsize> offsets(planes);
    for (gsize& offset : offsets) offset = in.u64();
    if (!in.complete()) return false;

    GstAudioInfo info;
    gst_audio_info_init(&info);
    gst_audio_info_set_format(&info, static_cast<GstAudioFormat>(format), static_cast<gint>(rate),
                              static_cast<gint>(channels), nullptr);
    info.layout = static_cast<GstAudioLayout>(layout);
    info.flags = static_cast<GstAudioFlags>(flags);
    std::copy(position.begin(), position.end(), info.position);

    const gsize size = gst_buffer_get_size(buffer);
    const auto sample = static_cast<gsize>(std::max(GST_AUDIO_INFO_BPS(&info), 1));
    const bool planar = info.layout == GST_AUDIO_LAYOUT_NON_INTERLEAVED;
    const gsize unit = planar ? sample : sample * channels;
    if (samples > size / unit) return false;
    const gsize length = samples * unit;
    if (planar && planes == 0 && samples > size / (sample * channels)) return false;
    for (const gsize offset : offsets)
        if (offset > size || length > size - offset) return false;
    return gst_buffer_add_audio_meta(buffer, &info, samples, planes ? offsets.data() : nullptr) != nullptr;
}

// Whether a meta says nothing about the media that has to travel.
bool stays_here(const GstMeta* meta) {
    if (GST_META_FLAG_IS_SET(meta, GST_META_FLAG_POOLED)) return true;
    const GType api = meta->info->api;
    if (api == GST_PARENT_BUFFER_META_API_TYPE) return true;
    static const GQuark memory = g_quark_from_static_string(GST_META_TAG_MEMORY_STR);
    static const GQuark reference = g_quark_from_static_string(GST_META_TAG_MEMORY_REFERENCE_STR);
    return gst_meta_api_type_has_tag(api, memory) || gst_meta_api_type_has_tag(api, reference);
}

template <typename Meta>
const Meta* as(const GstMeta* meta) {
    return reinterpret_cast<const Meta*>(meta);
}

}  // namespace

std::uint64_t encode_metas(GstBuffer* buffer, wire::ObjectExtension& into) {
    std::uint64_t left_out = 0;
    gpointer state = nullptr;
    while (const GstMeta* meta = gst_buffer_iterate_meta(buffer, &state)) {
        const GType api = meta->info->api;
        const auto add = [&](const char* name, auto encode, const auto* typed) {
            wire::Meta* made = into.add_metas();
            made->set_api(name);
            Packer packer(*made->mutable_data());
            encode(typed, packer);
        };
        if (api == GST_VIDEO_META_API_TYPE)
            add("GstVideoMeta", encode_video, as<GstVideoMeta>(meta));
        else if (api == GST_VIDEO_CROP_META_API_TYPE)
            add("GstVideoCropMeta", encode_crop, as<GstVideoCropMeta>(meta));
        else if (api == GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE)
            add("GstVideoRegionOfInterestMeta", encode_region, as<GstVideoRegionOfInterestMeta>(meta));
        else if (api == GST_VIDEO_TIME_CODE_META_API_TYPE)
            add("GstVideoTimeCodeMeta", encode_time_code, as<GstVideoTimeCodeMeta>(meta));
        else if (api == GST_REFERENCE_TIMESTAMP_META_API_TYPE)
            add("GstReferenceTimestampMeta", encode_reference, as<GstReferenceTimestampMeta>(meta));
        else if (api == GST_AUDIO_META_API_TYPE)
            add("GstAudioMeta", encode_audio, as<GstAudioMeta>(meta));
        else if (!stays_here(meta))
            ++left_out;
    }
    return left_out;
}

bool decode_meta(const wire::Meta& meta, GstBuffer* buffer) {
    Unpacker in(meta.data());
    const std::string& api = meta.api();
    if (api == "GstVideoMeta") return decode_video(in, buffer);
    if (api == "GstVideoCropMeta") return decode_crop(in, buffer);
    if (api == "GstVideoRegionOfInterestMeta") return decode_region(in, buffer);
    if (api == "GstVideoTimeCodeMeta") return decode_time_code(in, buffer);
    if (api == "GstReferenceTimestampMeta") return decode_reference(in, buffer);
    if (api == "GstAudioMeta") return decode_audio(in, buffer);
    return false;
}

}  // namespace hawser::elements
