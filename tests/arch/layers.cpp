#include "tests/arch/layers.h"

#include <algorithm>

namespace hawser::arch {
namespace {

// The data plane, bottom first; the folders of one line do not know each other.
const std::vector<std::vector<std::string>> kDataPlane = {
    {"proto/wire"},    {"runtime/base"}, {"runtime/memory"},  {"runtime/ring", "runtime/state"},
    {"runtime/sched"}, {"runtime/io"},   {"runtime/session"}, {"elements"},
    {"plugins"},
};

std::vector<Layer> make_layers() {
    std::vector<Layer> all;
    std::vector<std::string> below;
    for (const auto& rank : kDataPlane) {
        for (const auto& folder : rank) {
            const bool glue = folder == "elements" || folder == "plugins";
            all.push_back({folder, below, glue, true, false});
        }
        below.insert(below.end(), rank.begin(), rank.end());
    }
    // What the programs are made of. The data plane is known to them by its elements' names only.
    const std::vector<std::string> common = {"runtime/base", "runtime/state", "runtime/sched", "runtime/io",
                                             "graph/model"};
    const auto with = [&](std::vector<std::string> more) {
        more.insert(more.end(), common.begin(), common.end());
        return more;
    };
    all.push_back({"graph/model", {"runtime/base"}, false, false, true});
    all.push_back({"graph/build", {"runtime/base", "graph/model"}, true, false, true});
    all.push_back({"runtime/supervise", with({"runtime/sched"}), false, false, true});
    all.push_back({"runtime/control", with({"runtime/supervise"}), false, false, true});
    all.push_back({"runtime/cli", with({"runtime/supervise", "runtime/control"}), false, false, true});
    all.push_back(
        {"runtime/worker", with({"graph/build", "runtime/supervise", "runtime/control"}), true, false, true});
    return all;
}

bool within(std::string_view path, std::string_view folder) {
    return path.substr(0, folder.size()) == folder &&
           (path.size() == folder.size() || path[folder.size()] == '/');
}

}  // namespace

const std::vector<Layer>& layers() {
    static const std::vector<Layer> all = make_layers();
    return all;
}

const Layer* layer_of(std::string_view path) {
    const auto& all = layers();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const Layer& l) { return within(path, l.folder); });
    return found == all.end() ? nullptr : &*found;
}

bool may_use(const Layer& user, const Layer& used) {
    return user.folder == used.folder ||
           std::find(user.may_use.begin(), user.may_use.end(), used.folder) != user.may_use.end();
}

}  // namespace hawser::arch
