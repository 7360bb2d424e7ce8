// The small languages inside a description: durations, ranges, rates, addresses, names.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace hawser::graph {

// "250ms", "2s", "1.5m", "1h" → milliseconds, rounded; more than 0 and at most 1000 h. nullopt: something
// else.
std::optional<std::uint64_t> parse_duration_ms(std::string_view text);

struct DurationRange {
    std::uint64_t min_ms;
    std::uint64_t max_ms;
};
// "250ms..30s", or one duration for both.
std::optional<DurationRange> parse_duration_range(std::string_view text);

struct Intensity {
    std::uint32_t count;
    std::uint64_t window_ms;
};
// "5/60s".
std::optional<Intensity> parse_intensity(std::string_view text);

// "host:port", "[::1]:7000"; the port 0 … 65535.
bool is_address(std::string_view text);

// Of a pipeline: letters, digits and "_.-", the first a letter or digit, so that it can be a stream's path
// and a file's name.
bool is_pipeline_name(std::string_view text);

// Of a variable: letters, digits and "_-", the first a letter or "_".
bool is_variable_name(std::string_view text);

// Protobuf's strings must be valid UTF-8 or the message is refused at the other end.
bool is_utf8(std::string_view text);
// Length of the valid beginning; text.size() where all is valid.
std::size_t valid_utf8(std::string_view text);

}  // namespace hawser::graph
