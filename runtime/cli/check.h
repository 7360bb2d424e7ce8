// `hawser check`.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace hawser::cli {

struct CheckOptions {
    std::vector<std::string> files;
    std::map<std::string, std::string> set;
    std::string log_level = "info";
    bool json = false;
    bool colour = true;  // where stdout is a terminal
};

int check(const CheckOptions& options);

}  // namespace hawser::cli
