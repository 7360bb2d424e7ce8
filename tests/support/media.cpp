#include "tests/support/media.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>

namespace hawser::test {
namespace {

std::string existing(const std::string& path, const char* package) {
    EXPECT_TRUE(std::filesystem::exists(path)) << path << " is missing: apt-get install " << package;
    return path;
}

std::string time_text(GstClockTime time) {
    return time == GST_CLOCK_TIME_NONE ? "none" : std::to_string(time);
}

}  // namespace

std::string webm_file() {
    return existing("/usr/share/help/C/gnome-help/figures/display-dual-monitors.webm", "gnome-user-docs");
}

std::string ogg_file(const std::string& name) {
    return existing("/usr/share/sounds/freedesktop/stereo/" + name + ".oga", "sound-theme-freedesktop");
}

std::vector<std::uint8_t> random_bytes(std::size_t size, std::uint64_t seed) {
    std::mt19937_64 engine(seed);
    std::vector<std::uint8_t> bytes(size);
    for (std::size_t i = 0; i < size; i += 8) {
        std::uint64_t word = engine();
        for (std::size_t j = i; j < size && j < i + 8; ++j, word >>= 8)
            bytes[j] = static_cast<std::uint8_t>(word);
    }
    return bytes;
}

void write_file(const std::string& path, const std::vector<std::uint8_t>& bytes) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    EXPECT_TRUE(file.good()) << "cannot write " << path;
}

std::vector<std::uint8_t> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    std::vector<std::uint8_t> bytes(file ? static_cast<std::size_t>(file.tellg()) : 0);
    file.seekg(0);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return bytes;
}

std::string md5(const void* data, std::size_t size) {
    gchar* sum = g_compute_checksum_for_data(G_CHECKSUM_MD5, static_cast<const guchar*>(data), size);
    std::string text(sum);
    g_free(sum);
    return text;
}

std::string md5(const std::vector<std::uint8_t>& bytes) {
    return md5(bytes.data(), bytes.size());
}

std::string md5(GstBuffer* buffer) {
    GChecksum* sum = g_checksum_new(G_CHECKSUM_MD5);
    for (guint i = 0; i < gst_buffer_n_memory(buffer); ++i) {
        GstMapInfo map;
        GstMemory* memory = gst_buffer_peek_memory(buffer, i);
        if (!gst_memory_map(memory, &map, GST_MAP_READ)) continue;
        g_checksum_update(sum, map.data, static_cast<gssize>(map.size));
        gst_memory_unmap(memory, &map);
    }
    std::string text(g_checksum_get_string(sum));
    g_checksum_free(sum);
    return text;
}

std::string file_md5(const std::string& path) {
    return md5(read_file(path));
}

// GstMiniObject's own bits, and the one about memory of this process.
constexpr unsigned kPrivateFlags = 0xfu | static_cast<unsigned>(GST_BUFFER_FLAG_TAG_MEMORY);

BufferInfo describe(GstBuffer* buffer, const GstSegment* segment) {
    BufferInfo info;
    info.md5 = md5(buffer);
    info.size = gst_buffer_get_size(buffer);
    info.pts = GST_BUFFER_PTS(buffer);
    info.dts = GST_BUFFER_DTS(buffer);
    info.duration = GST_BUFFER_DURATION(buffer);
    info.offset = GST_BUFFER_OFFSET(buffer);
    info.offset_end = GST_BUFFER_OFFSET_END(buffer);
    info.flags = GST_BUFFER_FLAGS(buffer) & ~kPrivateFlags;
    info.memories = gst_buffer_n_memory(buffer);
    if (segment != nullptr && segment->format == GST_FORMAT_TIME && info.pts != GST_CLOCK_TIME_NONE) {
        info.running_time = gst_segment_to_running_time(segment, GST_FORMAT_TIME, info.pts);
    }
    return info;
}

std::string to_string(const BufferInfo& buffer) {
    char flags[16];
    g_snprintf(flags, sizeof flags, "%08x", buffer.flags);
    return buffer.md5 + " size=" + std::to_string(buffer.size) + " pts=" + time_text(buffer.pts) +
           " dts=" + time_text(buffer.dts) + " duration=" + time_text(buffer.duration) +
           " offset=" + time_text(buffer.offset) + ".." + time_text(buffer.offset_end) + " flags=" + flags +
           " memories=" + std::to_string(buffer.memories);
}

namespace {

// What must be equal, as one string.
std::string key(const BufferInfo& buffer, std::size_t index, const CompareOptions& options) {
    std::string text = buffer.md5 + "/" + std::to_string(buffer.size);
    if (options.timestamps) {
        text += "/" + time_text(buffer.pts) + "/" + time_text(buffer.dts) + "/" + time_text(buffer.duration);
    }
    if (options.offsets) text += "/" + time_text(buffer.offset) + "/" + time_text(buffer.offset_end);
    if (options.flags) {
        unsigned flags = buffer.flags;
        if (options.ignore_first_discont && index == 0)
            flags &= ~static_cast<unsigned>(GST_BUFFER_FLAG_DISCONT);
        text += "/" + std::to_string(flags);
    }
    return text;
}

}  // namespace

std::string difference(const std::vector<BufferInfo>& want, const std::vector<BufferInfo>& got,
                       const CompareOptions& options) {
    std::string text;
    std::map<std::string, int> balance;
    for (std::size_t i = 0; i < want.size(); ++i) ++balance[key(want[i], i, options)];
    for (std::size_t i = 0; i < got.size(); ++i) --balance[key(got[i], i, options)];
    std::size_t missing = 0, extra = 0;
    for (const auto& [ignored, count] : balance) {
        if (count > 0) missing += static_cast<std::size_t>(count);
        if (count < 0) extra += static_cast<std::size_t>(-count);
    }
    std::size_t first = 0;
    while (first < want.size() && first < got.size() &&
           key(want[first], first, options) == key(got[first], first, options)) {
        ++first;
    }
    if (first == want.size() && first == got.size()) return text;
    text = "want " + std::to_string(want.size()) + " buffers, got " + std::to_string(got.size()) + "; " +
           std::to_string(missing) + " missing, " + std::to_string(extra) +
           " doubled or changed; first difference at buffer " + std::to_string(first) + ":\n";
    text += "  want " + (first < want.size() ? to_string(want[first]) : "nothing") + "\n";
    text += "  got  " + (first < got.size() ? to_string(got[first]) : "nothing") + "\n";
    return text;
}

}  // namespace hawser::test
