// Known content for tests: real media files of Debian packages, and seeded random bytes.
#pragma once

#include <gst/gst.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace hawser::test {

// The webm of gnome-user-docs: VP8, 1024x768, 15 fps, 37 s, 557 frames, no audio. Fails the test where it is
// missing.
std::string webm_file();
// A sound of sound-theme-freedesktop (Vorbis, 48 kHz, stereo): "alarm-clock-elapsed" is the longest, 6.1 s.
std::string ogg_file(const std::string& name = "alarm-clock-elapsed");

// The same bytes for the same seed, on every machine.
std::vector<std::uint8_t> random_bytes(std::size_t size, std::uint64_t seed);
void write_file(const std::string& path, const std::vector<std::uint8_t>& bytes);
std::vector<std::uint8_t> read_file(const std::string& path);

std::string md5(const void* data, std::size_t size);
std::string md5(const std::vector<std::uint8_t>& bytes);
std::string md5(GstBuffer* buffer);
std::string file_md5(const std::string& path);

// One buffer as it passed a pad.
struct BufferInfo {
    std::string md5;
    std::size_t size = 0;
    GstClockTime pts = GST_CLOCK_TIME_NONE, dts = GST_CLOCK_TIME_NONE, duration = GST_CLOCK_TIME_NONE;
    std::uint64_t offset = GST_BUFFER_OFFSET_NONE, offset_end = GST_BUFFER_OFFSET_NONE;
    unsigned flags = 0;  // without TAG_MEMORY, which is about memory of this process only
    unsigned memories = 0;
    GstClockTime running_time = GST_CLOCK_TIME_NONE;  // by the pad's segment; NONE where it has none

    bool delta() const { return (flags & GST_BUFFER_FLAG_DELTA_UNIT) != 0; }
};
BufferInfo describe(GstBuffer* buffer, const GstSegment* segment = nullptr);
std::string to_string(const BufferInfo& buffer);

// Empty where `got` has the same buffers in the same order (md5, size, pts, dts, duration, offsets, flags),
// else what is wrong: counts, first difference, what is missing or doubled.
struct CompareOptions {
    bool offsets = true;
    bool flags = true;
    bool timestamps = true;
    bool ignore_first_discont = false;
};
std::string difference(const std::vector<BufferInfo>& want, const std::vector<BufferInfo>& got,
                       const CompareOptions& options = {});

}  // namespace hawser::test
