// Small helpers for messages to people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

// The candidate nearest to `word` by edit distance, or "" where none is near enough to be a likely typo
// (distance at most 1 + a third of its length).
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

// "1.5 s", "120 ms", "45 µs".
std::string format_duration(std::int64_t nanoseconds);

// "12.3 MB" (decimal units).
std::string format_bytes(std::uint64_t bytes);

// Bytes for a message: printable ASCII as it is, the rest as \xNN, at most `limit` bytes.
std::string printable(std::string_view bytes, std::size_t limit = 32);

}  // namespace hawser
