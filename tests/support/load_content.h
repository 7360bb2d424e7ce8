// Objects whose content says when they left and which they are, and can be checked to the last byte wherever
// it is cut: 8 bytes time of departure (CLOCK_MONOTONIC, ns), 8 bytes index, then a word of its own over and
// over.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace hawser::test {

struct LoadStamp {
    std::int64_t sent = 0;
    std::uint64_t index = 0;
};

inline std::uint64_t load_word(std::uint64_t index) {
    return (index + 1) * 0x9e3779b97f4a7c15U;
}

inline void write_load_object(std::span<std::byte> into, const LoadStamp& stamp) {
    std::memcpy(into.data(), &stamp, sizeof stamp);
    const std::uint64_t word = load_word(stamp.index);
    for (std::size_t at = sizeof stamp; at < into.size(); at += sizeof word)
        std::memcpy(&into[at], &word, std::min(sizeof word, into.size() - at));
}

inline LoadStamp read_load_stamp(std::span<const std::byte> object) {
    LoadStamp stamp;
    std::memcpy(&stamp, object.data(), sizeof stamp);
    return stamp;
}

// Whether `part` is what stands in object `index` from `offset` on, behind the stamp. `offset` is a multiple
// of 8.
inline bool check_load_part(std::span<const std::byte> part, std::uint64_t index, std::size_t offset) {
    const std::uint64_t word = load_word(index);
    std::size_t at = offset == 0 ? sizeof(LoadStamp) : 0;
    std::uint64_t wrong = 0;
    for (; at + sizeof word <= part.size(); at += sizeof word) {
        std::uint64_t found;
        std::memcpy(&found, &part[at], sizeof found);
        wrong |= found ^ word;
    }
    return wrong == 0 && (at >= part.size() || std::memcmp(&part[at], &word, part.size() - at) == 0);
}

}  // namespace hawser::test
