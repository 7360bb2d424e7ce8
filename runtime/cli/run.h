// `hawser run`.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/clock.h"

namespace hawser::cli {

struct RunOptions {
    std::vector<std::string> files;
    std::map<std::string, std::string> set;
    bool drill = false;
    bool json = false;
    bool colour = true;  // where stderr and stdout are terminals
    std::string log_level = "info";
    std::optional<Duration> duration;
};

// Exit codes, of every command.
inline constexpr int kFine = 0;
inline constexpr int kFailed =
    1;  // a pipeline was given up, the books do not balance; check: something is wrong
inline constexpr int kBadUsage = 2;   // the command line; run: the description
inline constexpr int kAborted = 130;  // Ctrl-C twice

int run(const RunOptions& options);

}  // namespace hawser::cli
