// Where the characters of a YAML scalar stand in its file. YAML takes indentation, quotes and escapes away
// before anyone sees the value; this finds them again.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "graph/model/diagnostic.h"

namespace hawser::graph {

class Source {
  public:
    Source(std::string file, std::string_view text);

    const std::string& file() const { return file_; }
    std::string_view text() const { return text_; }

    // Line and column (from 0, in bytes) ↔ offset. Out of range: the nearest there is.
    std::size_t offset(std::size_t line, std::size_t column) const;
    // `length` is cut at the line's end.
    Location location(std::size_t offset, std::size_t length = 0) const;

    // For each byte of `value`, the offset in the file of the scalar that begins at `start` (its quote, its
    // "|" or ">", or its first character). Where the two cannot be brought together, the rest points to the
    // last place that could.
    std::vector<std::size_t> align(std::string_view value, std::size_t start) const;

  private:
    std::string file_;
    std::string_view text_;
    std::vector<std::size_t> lines_;  // where each begins
};

}  // namespace hawser::graph
