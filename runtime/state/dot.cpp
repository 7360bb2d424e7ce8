#include "runtime/state/dot.h"

namespace hawser::state {
namespace {

// Labels hold "\n" escapes of our own, so quotes are all that is left to escape.
std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"') out += '\\';
        out += c;
    }
    return out + '"';
}

}  // namespace

DotWriter::DotWriter(std::string_view name, std::string_view initial) {
    text_ = "digraph " + quoted(name) +
            " {\n"
            "    rankdir=LR;\n"
            "    node [shape=box, style=rounded, fontname=\"sans-serif\"];\n"
            "    edge [fontname=\"sans-serif\", fontsize=10];\n"
            "    start [shape=point, label=\"\"];\n"
            "    start -> " +
            quoted(initial) + ";\n";
}

void DotWriter::state(std::string_view name, bool terminal) {
    text_ += "    " + quoted(name) + (terminal ? " [peripheries=2];\n" : ";\n");
}

void DotWriter::arrow(std::string_view from, std::string_view to, std::string_view label) {
    text_ += "    " + quoted(from) + " -> " + quoted(to) + " [label=" + quoted(label) + "];\n";
}

std::string DotWriter::finish() && {
    text_ += "}\n";
    return std::move(text_);
}

}  // namespace hawser::state
