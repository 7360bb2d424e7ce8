// What the command line of every benchmark says.
#pragma once

#include <string>

namespace hawser::perf {

struct Options {
    unsigned rounds = 5;    // each runs every row once
    double time_scale = 1;  // of every duration a benchmark asks for
    double size_scale = 1;  // of counts of clients
    bool quick = false;     // --quick: fewer rounds, shorter
    bool smoke = false;     // --smoke: one very short round: does it work at all?
    bool check = false;     // --check: exit code 1 where a goal is missed
    std::string rows;       // --rows TEXT: only rows whose name contains it
    std::string tables;     // --tables TEXT: only tables whose title contains it
    std::string out;        // --out DIR: where NAME.json, .md and .svg go
};

// Prints the usage and exits where the arguments are wrong, or are --help.
Options parse_options(const std::string& name, int argc, char** argv);

}  // namespace hawser::perf
