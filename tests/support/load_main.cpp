// N receivers of one Hawser stream in one process, which check what they get; for tests and for looking at a
// sender.
//
//   hawser_test_load --port N [--stream /NAME] [--clients N] [--seconds S] [--never-read N] [--at-once]
//   [--raw SIZE]
//                    [--any-content]
//
// Prints what came as "name value" lines; the exit code is 1 where a connection broke a rule or not all were
// served.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "tests/support/load_client.h"

int main(int argc, char** argv) {
    using namespace hawser::test;
    LoadOptions options;
    double seconds = 5;
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--at-once") {
            options.at_a_time = 0;
            continue;
        }
        if (name == "--any-content") {
            options.check_content = false;
            continue;
        }
        if (i + 1 >= argc) {
            std::fprintf(stderr, "%s needs a value\n", name.c_str());
            return 2;
        }
        const std::string value = argv[++i];
        if (name == "--port") {
            options.port = static_cast<std::uint16_t>(std::atoi(value.c_str()));
        } else if (name == "--stream") {
            options.stream = value;
        } else if (name == "--clients") {
            options.clients = static_cast<unsigned>(std::atoi(value.c_str()));
        } else if (name == "--seconds") {
            seconds = std::atof(value.c_str());
        } else if (name == "--never-read") {
            options.never_read = static_cast<unsigned>(std::atoi(value.c_str()));
        } else if (name == "--raw") {
            options.protocol = LoadProtocol::Raw;
            options.object_size = static_cast<std::size_t>(std::atoll(value.c_str()));
        } else {
            std::fprintf(stderr, "unknown option %s\n", name.c_str());
            return 2;
        }
    }
    const auto counters = std::make_unique<LoadCounters>();
    LoadClient client(options, *counters);
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    client.run([&] { return std::chrono::steady_clock::now() >= end; });
    const auto delays = counters->delays.counts();
    std::printf(
        "connected %llu\nserved %llu\nclosed %llu\nfailed %llu\nwrong %llu\nobjects %llu\nlost %llu\nbytes "
        "%llu\n"
        "acks %llu\np50_us %.0f\np99_us %.0f\n",
        static_cast<unsigned long long>(counters->connected),
        static_cast<unsigned long long>(counters->served), static_cast<unsigned long long>(counters->closed),
        static_cast<unsigned long long>(counters->failed), static_cast<unsigned long long>(counters->wrong),
        static_cast<unsigned long long>(counters->objects), static_cast<unsigned long long>(counters->lost),
        static_cast<unsigned long long>(counters->bytes), static_cast<unsigned long long>(counters->acks),
        Histogram::quantile(delays, 0.5) / 1000, Histogram::quantile(delays, 0.99) / 1000);
    if (counters->trouble[0] != 0) std::printf("trouble %s\n", counters->trouble.data());
    return counters->wrong == 0 && counters->served + options.never_read >= options.clients ? 0 : 1;
}
