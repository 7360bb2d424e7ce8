// Reads a source tree and a list of what its targets link, and tells what breaks the rules of the house.
#pragma once

#include <filesystem>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::arch {

struct Violation {
    std::string where;  // "runtime/ring/history.h:12", or a target
    std::string what;   // a whole sentence

    bool operator==(const Violation&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Violation& violation);

constexpr std::size_t kMaxLines = 600;

// Includes of all C++ files below `root`: layers, GStreamer and GLib, generated messages, paths from the
// root.
std::vector<Violation> check_includes(const std::filesystem::path& root);

// Every text file below `root`: length of sources, unfinished work, paths and hosts of somebody's machine.
std::vector<Violation> check_texts(const std::filesystem::path& root);

// `links`: a line a target, as tests/arch/CMakeLists.txt writes it: "folder target library library …".
std::vector<Violation> check_links(std::string_view links);

}  // namespace hawser::arch
