// Reading descriptions and checking them, GStreamer's part included.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/model/read.h"

namespace hawser::cli {

struct LoadOptions {
    std::vector<std::string> files;
    std::map<std::string, std::string> set;
    bool verbose = false;  // let through what plugins print while they load
};

// All that is wrong, from the readers and from `hawser-worker --check`, in one result.
graph::ReadResult load(const LoadOptions& options);

}  // namespace hawser::cli
