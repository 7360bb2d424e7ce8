#include "graph/model/launch_marks.h"

#include <utility>

#include "graph/model/launch_text.h"

namespace hawser::graph {

void set_launch(Pipeline& pipeline, std::string_view raw, const Source& source, std::size_t start,
                Variables& variables) {
    const std::vector<std::size_t> offsets = source.align(raw, start);
    const auto where = [&](std::size_t offset, std::size_t length) {
        return source.location(offset < offsets.size() ? offsets[offset] : start, length);
    };
    const std::string text = blank_comments(raw);
    Expanded expanded = variables.expand(text, where, true);

    const auto mark = [&](std::size_t offset, std::size_t from, std::size_t length) {
        const Location location = where(from, length);
        SourceMark* added = pipeline.add_launch_marks();
        added->set_offset(static_cast<std::uint32_t>(offset));
        added->set_line(location.line());
        added->set_column(location.column());
        added->set_length(static_cast<std::uint32_t>(length));
    };
    for (std::size_t i = 0; i < expanded.runs.size(); ++i) {
        const auto& run = expanded.runs[i];
        if (run.length > 0) {
            mark(run.offset, run.source, run.length);
            continue;
        }
        const std::size_t end =
            i + 1 < expanded.runs.size() ? expanded.runs[i + 1].offset : expanded.text.size();
        for (std::size_t at = run.offset; at < end; ++at) {
            const std::size_t from = run.source + (at - run.offset);
            const bool goes_on =
                at > run.offset && offsets[from] == offsets[from - 1] + 1 && text[from - 1] != '\n';
            if (!goes_on) mark(at, from, 0);
        }
    }
    // The first thing that is not blank, for reports on the text as a whole.
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    *pipeline.mutable_launch_location() =
        first == std::string::npos ? source.location(start) : where(first, 1);
    pipeline.set_launch(std::move(expanded.text));
}

}  // namespace hawser::graph
