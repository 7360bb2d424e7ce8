// GstMeta ↔ wire::Meta.
//
// `api` is the name of the meta's API type without "API"; `data` are little-endian integers, strings as u32
// length and bytes:
//   GstVideoMeta               u32 flags, format, id, width, height, planes; planes × (u64 offset, i32
//   stride);
//                              u32 alignment: top, bottom, left, right; 4 × u32 stride alignment
//   GstVideoCropMeta           u32 x, y, width, height
//   GstVideoRegionOfInterestMeta  string type; i32 id, parent; u32 x, y, w, h; u32 n; n × string structure
//   GstVideoTimeCodeMeta       u32 fps_n, fps_d, flags, hours, minutes, seconds, frames, field count;
//                              string latest daily jam (ISO 8601, empty: none)
//   GstReferenceTimestampMeta  string caps; u64 timestamp, duration
//   GstAudioMeta               u32 format, layout, flags, rate, channels; channels × i32 position; u64
//   samples;
//                              u32 n; n × u64 offset
#pragma once

#include <gst/gst.h>

#include <cstdint>

#include "hawser/wire.pb.h"

namespace hawser::elements {

// Appends the metas of `buffer` that can travel. Returns how many could not, and would have mattered: those
// bound to a pool or to the memory itself, or which only keep something alive, do not.
std::uint64_t encode_metas(GstBuffer* buffer, wire::ObjectExtension& into);

// Adds what `meta` describes to a buffer that has its payload already. False: unknown here, malformed, or
// pointing outside the payload.
bool decode_meta(const wire::Meta& meta, GstBuffer* buffer);

}  // namespace hawser::elements
