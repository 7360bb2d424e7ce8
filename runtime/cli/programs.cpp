#include "runtime/cli/programs.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace hawser::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPlugin = "libgsthawser.so";

fs::path own_folder() {
    std::error_code failed;
    return fs::read_symlink("/proc/self/exe", failed).parent_path();
}

bool is_program(const fs::path& path) {
    std::error_code failed;
    return fs::is_regular_file(path, failed) && access(path.c_str(), X_OK) == 0;
}

// Build tree: build/PRESET/runtime/cli/hawser, build/PRESET/plugins. Installed: PREFIX/bin/hawser,
// PREFIX/lib/TRIPLET/gstreamer-1.0.
fs::path plugin_folder() {
    std::error_code failed;
    const fs::path here = own_folder();
    std::vector<fs::path> candidates{here.parent_path().parent_path() / "plugins"};
    for (const char* lib : {"lib", "lib64"}) {
        const fs::path root = here.parent_path() / lib;
        candidates.push_back(root / "gstreamer-1.0");
        for (fs::directory_iterator at(root, failed), end; !failed && at != end; at.increment(failed))
            if (at->is_directory(failed)) candidates.push_back(at->path() / "gstreamer-1.0");
    }
    for (const fs::path& folder : candidates)
        if (fs::exists(folder / kPlugin, failed)) return folder;
    return {};
}

}  // namespace

Result<std::string> find_worker() {
    if (const char* named = std::getenv("HAWSER_WORKER"); named && *named) {
        if (is_program(named)) return std::string(named);
        return Error{Errc::NotFound,
                     std::string("HAWSER_WORKER names ") + named + ", which is not a program"};
    }
    const fs::path here = own_folder(), up = here.parent_path();
    for (const fs::path& path :
         {here / "hawser-worker", up / "worker" / "hawser-worker", up / "libexec/hawser/hawser-worker"})
        if (is_program(path)) return path.lexically_normal().string();
    return Error{Errc::NotFound,
                 "cannot find hawser-worker beside " + here.string() +
                     "/hawser nor in ../libexec/hawser; install it there or name it in HAWSER_WORKER"};
}

std::vector<std::pair<std::string, std::string>> worker_environment() {
    std::vector<std::pair<std::string, std::string>> environment;
    if (const fs::path folder = plugin_folder(); !folder.empty()) {
        const char* before = std::getenv("GST_PLUGIN_PATH");
        environment.emplace_back("GST_PLUGIN_PATH",
                                 before && *before ? folder.string() + ":" + before : folder.string());
    }
    return environment;
}

}  // namespace hawser::cli
