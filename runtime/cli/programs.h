// Where our other program and the plugin are: beside us, in the build tree, or where they were installed.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "runtime/base/result.h"

namespace hawser::cli {

// $HAWSER_WORKER; else hawser-worker beside this executable, in ../worker (build tree), in ../libexec/hawser.
Result<std::string> find_worker();

// What a worker's environment needs besides ours: GST_PLUGIN_PATH with the folder of our plugin in front,
// where it can be found.
std::vector<std::pair<std::string, std::string>> worker_environment();

}  // namespace hawser::cli
