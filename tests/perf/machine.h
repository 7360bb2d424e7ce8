// Where figures were measured: without it they mean nothing.
#pragma once

#include <string>

namespace hawser::perf {

struct Machine {
    std::string cpu;
    unsigned cores = 0;
    std::string kernel, congestion, governor;  // "none" where there is no frequency scaling to see
    double load = 0;                           // over the last minute, before the benchmark
    double memory_gb = 0;
    std::string gstreamer, compiler, build, commit;

    std::string line() const;  // for people
    std::string json() const;
};

Machine this_machine();

}  // namespace hawser::perf
