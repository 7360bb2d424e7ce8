#include "graph/model/read.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>
#include <string_view>
#include <utility>

#include "graph/model/check.h"
#include "graph/model/dump.h"
#include "graph/model/read_yaml.h"
#include "graph/model/source.h"
#include "graph/model/values.h"

namespace hawser::graph {
namespace {

constexpr std::size_t kMaxFile =
    4 << 20;  // far more than a description has; stops a media file named by mistake

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

std::string read_stream(std::istream& in) {
    std::string text;
    char block[65536];
    while (text.size() <= kMaxFile && (in.read(block, sizeof block) || in.gcount() > 0))
        text.append(block, static_cast<std::size_t>(in.gcount()));
    return text;
}

Location file_only(const std::string& name) {
    Location where;
    where.set_file(name);
    return where;
}

// Reads one file's text into `result`, without check().
void read_one(const std::string& text, const std::string& name, const ReadOptions& options,
              ReadResult& result, std::set<std::string>& known_settings) {
    result.sources[name] = text;
    Diagnostics& diagnostics = result.diagnostics;
    if (text.size() > kMaxFile)
        return add_error(diagnostics, file_only(name), "too large for a description (more than 4 MiB)");
    if (const std::size_t zero = text.find('\0'); zero != std::string::npos)
        return add_error(diagnostics, file_only(name), "not a text file: it holds a zero byte",
                         "a description is YAML, gst-launch text, JSON or textproto");
    if (const std::size_t valid = valid_utf8(text); valid != text.size())
        return add_error(diagnostics, Source(name, text).location(valid, 1), "not valid UTF-8",
                         "save the file as UTF-8");
    Graph graph;
    if (ends_with(name, ".launch"))
        graph = read_launch(text, name, options, diagnostics, known_settings);
    else if (ends_with(name, ".json"))
        graph = from_json(text, name, diagnostics);
    else if (ends_with(name, ".textproto") || ends_with(name, ".txtpb") || ends_with(name, ".pbtxt"))
        graph = from_textproto(text, name, diagnostics);
    else
        graph = read_yaml(text, name, options, diagnostics, known_settings);
    result.graph.MergeFrom(graph);
    result.graph.set_version(1);
}

void finish(const ReadOptions& options, const std::set<std::string>& known_settings, ReadResult& result) {
    std::vector<std::string> names;
    for (const auto& entry : result.graph.vars()) names.push_back(entry.first);
    const bool unread = result.graph.pipelines_size() == 0 && has_errors(result.diagnostics);
    for (const auto& [name, value] : options.set)
        if (!unread && known_settings.count(name) == 0)
            add_error(result.diagnostics, {}, "--set " + name + ": the description has no such variable",
                      did_you_mean(name, names));
    // A file that could not be read at all would only bring "no pipelines" on top.
    if (result.graph.pipelines_size() > 0 || !has_errors(result.diagnostics))
        check(result.graph, result.diagnostics);
    sort_diagnostics(result.diagnostics);
}

}  // namespace

ReadResult read_graphs(const std::vector<std::string>& paths, const ReadOptions& options) {
    ReadResult result;
    std::set<std::string> known_settings;
    for (const std::string& path : paths) {
        if (path == "-") {
            read_one(read_stream(std::cin), "<stdin>", options, result, known_settings);
            continue;
        }
        errno = 0;
        std::ifstream file(path, std::ios::binary);
        std::string text;
        if (file) text = read_stream(file);
        if (!file.is_open() || file.bad() || (text.empty() && errno != 0)) {
            add_error(result.diagnostics, file_only(path),
                      std::string("cannot be read: ") + std::strerror(errno));
            continue;
        }
        read_one(text, path, options, result, known_settings);
    }
    finish(options, known_settings, result);
    return result;
}

ReadResult read_graph(const std::string& path, const ReadOptions& options) {
    return read_graphs({path}, options);
}

ReadResult read_graph_text(const std::string& text, const std::string& name, const ReadOptions& options) {
    ReadResult result;
    std::set<std::string> known_settings;
    read_one(text, name, options, result, known_settings);
    finish(options, known_settings, result);
    return result;
}

}  // namespace hawser::graph
