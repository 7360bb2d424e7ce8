#include "graph/model/source.h"

#include <algorithm>
#include <utility>

namespace hawser::graph {
namespace {

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

}  // namespace

Source::Source(std::string file, std::string_view text) : file_(std::move(file)), text_(text) {
    lines_.push_back(0);
    for (std::size_t i = 0; i < text_.size(); ++i)
        if (text_[i] == '\n') lines_.push_back(i + 1);
}

std::size_t Source::offset(std::size_t line, std::size_t column) const {
    if (line >= lines_.size()) return text_.size();
    return std::min(lines_[line] + column, text_.size());
}

Location Source::location(std::size_t offset, std::size_t length) const {
    offset = std::min(offset, text_.size());
    const auto line = std::upper_bound(lines_.begin(), lines_.end(), offset) - 1;
    const std::size_t end = std::min(text_.find('\n', offset), text_.size());
    Location where;
    where.set_file(file_);
    where.set_line(static_cast<std::uint32_t>(line - lines_.begin() + 1));
    where.set_column(static_cast<std::uint32_t>(offset - *line + 1));
    where.set_length(static_cast<std::uint32_t>(std::min(length, end - offset)));
    return where;
}

std::vector<std::size_t> Source::align(std::string_view value, std::size_t start) const {
    std::size_t at = std::min(start, text_.size());
    char quote = '\0';
    if (at < text_.size() && (text_[at] == '|' || text_[at] == '>'))
        at = std::min(text_.find('\n', at), text_.size());
    else if (at < text_.size() && (text_[at] == '"' || text_[at] == '\''))
        quote = text_[at++];

    std::vector<std::size_t> offsets(value.size());
    std::size_t last = at;
    bool lost = false;
    for (std::size_t i = 0; i < value.size(); ++i) {
        if (!lost && is_space(value[i])) {
            // A run of white space in the value stands for some run in the file, perhaps of another length.
            last = std::min(at, text_.empty() ? 0 : text_.size() - 1);
            if (at < text_.size() && is_space(text_[at])) ++at;
        } else if (!lost) {
            while (at < text_.size() && is_space(text_[at])) ++at;
            if (quote == '"' && at < text_.size() && text_[at] == '\\') {
                if (at + 1 < text_.size() && text_[at + 1] == '\n') {  // an escaped line end
                    at += 2;
                    while (at < text_.size() && is_space(text_[at])) ++at;
                } else {
                    ++at;
                }
            } else if (quote == '\'' && text_.compare(at, 2, "''") == 0) {
                ++at;
            }
            lost = at >= text_.size() || text_[at] != value[i];
            if (!lost) last = at++;
        }
        offsets[i] = last;
    }
    return offsets;
}

}  // namespace hawser::graph
