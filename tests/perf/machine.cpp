#include "tests/perf/machine.h"

#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "tests/perf/table.h"

namespace hawser::perf {
namespace {

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

std::string cpu_model() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
    }
    return "unknown CPU";
}

std::string output_of(const char* command) {
    std::string text;
    FILE* pipe = popen(command, "r");
    if (pipe == nullptr) return text;
    char part[128];
    while (std::fgets(part, sizeof part, pipe) != nullptr) text += part;
    pclose(pipe);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

}  // namespace

Machine this_machine() {
    Machine machine;
    machine.cpu = cpu_model();
    machine.cores = std::thread::hardware_concurrency();
    utsname name{};
    uname(&name);
    machine.kernel = std::string(name.sysname) + " " + name.release;
    machine.congestion = first_line("/proc/sys/net/ipv4/tcp_congestion_control");
    machine.governor = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    if (machine.governor.empty()) machine.governor = "none";
    getloadavg(&machine.load, 1);
    struct sysinfo info {};
    sysinfo(&info);
    machine.memory_gb = static_cast<double>(info.totalram) * info.mem_unit / 1e9;
    machine.gstreamer = HAWSER_PERF_GSTREAMER;
    machine.compiler = "g++ " __VERSION__;
    machine.build = HAWSER_PERF_BUILD_TYPE;
    machine.commit = output_of("git -C '" HAWSER_PERF_SOURCE_DIR "' describe --always --dirty=+ 2>/dev/null");
    return machine;
}

std::string Machine::line() const {
    return cpu + ", " + std::to_string(cores) + " cores, " + number(memory_gb) + " GB, " + kernel + ", TCP " +
           congestion + ", governor " + governor + ", load " + number(load) + "; GStreamer " + gstreamer +
           ", " + compiler + ", " + build + (commit.empty() ? "" : ", commit " + commit);
}

std::string Machine::json() const {
    return "{\"cpu\": " + json_text(cpu) + ", \"cores\": " + std::to_string(cores) +
           ", \"memory_gb\": " + json_number(memory_gb) + ", \"kernel\": " + json_text(kernel) +
           ", \"congestion_control\": " + json_text(congestion) + ", \"governor\": " + json_text(governor) +
           ", \"load\": " + json_number(load) + ", \"gstreamer\": " + json_text(gstreamer) +
           ", \"compiler\": " + json_text(compiler) + ", \"build\": " + json_text(build) +
           ", \"commit\": " + json_text(commit) + "}";
}

}  // namespace hawser::perf
