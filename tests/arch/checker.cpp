#include "tests/arch/checker.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>

#include "tests/arch/layers.h"

namespace fs = std::filesystem;

namespace hawser::arch {
namespace {

// Spelt in two parts each, or this file would break its own rules.
constexpr std::array kUnfinished = {
    "TO"
    "DO",
    "FIX"
    "ME",
    "XX"
    "X",
    "not imple"
    "mented",
    "unimple"
    "mented",
    "st"
    "ub"};
constexpr std::array kMachinePaths = {
    "/ho"
    "me/",
    "/ro"
    "ot/",
    "/wo"
    "rk/",
    "/fa"
    "rm/",
    "/Us"
    "ers/",
    "/tmp/haw"
    "ser/"};
constexpr std::array kMachineHosts = {
    "//de"
    "b.",
    "//regis"
    "try."};

constexpr std::array kForeignPrefixes = {"gst/", "glib", "gobject/", "gio/", "gmodule", "libsoup/"};

bool starts_with_any(std::string_view text, const auto& prefixes) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](std::string_view p) { return text.starts_with(p); });
}

bool is_source(const fs::path& path) {
    return path.extension() == ".cpp" || path.extension() == ".h";
}

using LineVisitor = std::function<void(const std::string& path, std::size_t line, const std::string& text)>;

// Calls `visit` for each line of each text file below `root`, build trees and version control excepted.
void each_line(const fs::path& root, const std::function<bool(const fs::path&)>& wanted,
               const LineVisitor& visit) {
    std::vector<fs::path> files;
    for (auto it = fs::recursive_directory_iterator(root); it != fs::recursive_directory_iterator(); ++it) {
        const std::string name = it->path().filename();
        if (name == ".git" || name == ".cache" || (name == "build" && it.depth() == 0)) {
            if (it->is_directory()) it.disable_recursion_pending();
        } else if (it->is_regular_file() && wanted(it->path())) {
            files.push_back(it->path());
        }
    }
    std::sort(files.begin(), files.end());
    for (const auto& file : files) {
        std::ostringstream content;
        content << std::ifstream(file).rdbuf();
        if (content.view().find('\0') != std::string_view::npos) continue;  // not a text
        std::istringstream lines(content.str());
        const std::string path = file.lexically_relative(root);
        std::size_t number = 0;
        for (std::string line; std::getline(lines, line);) visit(path, ++number, line);
    }
}

struct Include {
    bool quoted = false;
    std::string path;
};

std::optional<Include> parse_include(std::string_view line) {
    const auto skip_blanks = [&] {
        while (!line.empty() && std::isspace(static_cast<unsigned char>(line.front()))) line.remove_prefix(1);
    };
    skip_blanks();
    if (!line.starts_with('#')) return std::nullopt;
    line.remove_prefix(1);
    skip_blanks();
    if (!line.starts_with("include")) return std::nullopt;
    line.remove_prefix(7);
    skip_blanks();
    if (line.empty() || (line.front() != '"' && line.front() != '<')) return std::nullopt;
    const bool quoted = line.front() == '"';
    const auto end = line.find(quoted ? '"' : '>', 1);
    if (end == std::string_view::npos) return std::nullopt;
    return Include{quoted, std::string(line.substr(1, end - 1))};
}

// What is wrong with `include` in a file of `user` (null: in a test), or "".
std::string judge_include(const fs::path& root, const Layer* user, const Include& include) {
    const std::string& path = include.path;
    if (starts_with_any(path, kForeignPrefixes)) {
        if (user && !user->gstreamer)
            return user->folder + " must not know GStreamer or GLib, but includes " + path;
        return "";
    }
    if (path.starts_with("hawser/") && path.ends_with(".pb.h")) {
        if (!user) return "";
        const bool wire = path == "hawser/wire.pb.h";
        if (wire ? user->wire_messages : user->graph_messages) return "";
        return user->folder + " must not know the messages of " + path;
    }
    const Layer* used = layer_of(path);
    if (!include.quoted) {
        if (used && fs::exists(root / path)) return "our own headers go in quotation marks: \"" + path + "\"";
        return "";
    }
    if (!fs::exists(root / path)) return "\"" + path + "\" is not a path from the root of the tree";
    if (!user) return "";
    if (!used) return user->folder + " must not include " + path + ", which belongs to no layer";
    if (!may_use(*user, *used))
        return user->folder + " must not include " + path + ": " + used->folder + " is not below it";
    return "";
}

bool word_at(std::string_view line, std::size_t position, std::size_t length) {
    const auto word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
    const std::size_t end = position + length;
    return (position == 0 || !word(line[position - 1])) && (end >= line.size() || !word(line[end]));
}

bool path_starts_at(std::string_view line, std::size_t position) {
    if (position == 0) return true;
    const char before = line[position - 1];
    return !std::isalnum(static_cast<unsigned char>(before)) &&
           std::string_view("_.-$}~").find(before) == std::string_view::npos;
}

std::vector<std::string> words_of(const std::string& line) {
    std::istringstream stream(line);
    return {std::istream_iterator<std::string>(stream), {}};
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Violation& violation) {
    return out << violation.where << ": " << violation.what;
}

std::vector<Violation> check_includes(const fs::path& root) {
    std::vector<Violation> found;
    each_line(root, is_source, [&](const std::string& path, std::size_t line, const std::string& text) {
        const Layer* user = layer_of(path);
        const std::string where = path + ":" + std::to_string(line);
        if (path.starts_with("docs/")) return;  // examples: code of users
        if (!user && !path.starts_with("tests/")) {
            if (line == 1)
                found.push_back(
                    {where, "this folder is in no layer; give it a place in tests/arch/layers.cpp"});
            return;
        }
        const auto include = parse_include(text);
        if (!include) return;
        if (std::string wrong = judge_include(root, user, *include); !wrong.empty())
            found.push_back({where, wrong});
    });
    return found;
}

std::vector<Violation> check_texts(const fs::path& root) {
    std::vector<Violation> found;
    const auto any_file = [](const fs::path&) { return true; };
    each_line(root, any_file, [&](const std::string& path, std::size_t line, const std::string& text) {
        const auto report = [&](const std::string& what) {
            found.push_back({path + ":" + std::to_string(line), what});
        };
        const auto extension = fs::path(path).extension();
        if (line == kMaxLines + 1 && (is_source(path) || extension == ".proto" || extension == ".sh"))
            report("this file is longer than " + std::to_string(kMaxLines) +
                   " lines; is it one room with one purpose?");
        for (std::string_view word : kUnfinished) {
            const auto at = text.find(word);
            if (at != std::string::npos && word_at(text, at, word.size()))
                report("unfinished: \"" + std::string(word) + "\"");
        }
        for (std::string_view folder : kMachinePaths) {
            const auto at = text.find(folder);
            if (at != std::string::npos && path_starts_at(text, at))
                report("a path of somebody's machine: " + std::string(folder));
        }
        for (std::string_view host : kMachineHosts)
            if (text.find(host) != std::string::npos)
                report("a host of somebody's network: " + std::string(host));
    });
    return found;
}

std::vector<Violation> check_links(std::string_view links) {
    std::vector<std::vector<std::string>> targets;  // folder, name, libraries
    std::map<std::string, std::string> folder_of;
    std::istringstream lines{std::string(links)};
    for (std::string line; std::getline(lines, line);) {
        auto words = words_of(line);
        if (words.size() < 2) continue;
        folder_of[words[1]] = words[1] == "hawser_wire" ? "proto/wire" : words[0];
        targets.push_back(std::move(words));
    }
    std::vector<Violation> found;
    for (const auto& words : targets) {
        const std::string& target = words[1];
        const Layer* user = layer_of(folder_of[target]);
        if (!user) continue;  // tests, and what protoc generates
        for (std::size_t i = 2; i < words.size(); ++i) {
            const std::string& library = words[i];
            const auto refuse = [&] {
                found.push_back({target, user->folder + " must not link " + library});
            };
            const auto own = folder_of.find(library);
            if (library == "hawser_proto") {
                if (!user->wire_messages) refuse();
            } else if (library == "hawser_proto_graph") {
                if (!user->graph_messages) refuse();
            } else if (own != folder_of.end()) {
                const Layer* used = layer_of(own->second);
                if (used ? !may_use(*user, *used) : own->second.starts_with("tests")) refuse();
            } else {
                std::string name = library.starts_with("PkgConfig::") ? library.substr(11) : library;
                std::transform(name.begin(), name.end(), name.begin(),
                               [](unsigned char c) { return std::tolower(c); });
                if (!user->gstreamer &&
                    starts_with_any(name, std::array{"gst", "glib", "gobject", "gio", "soup"}))
                    refuse();
            }
        }
    }
    return found;
}

}  // namespace hawser::arch
