// From a link of the model to the properties of the elements at its two ends.
#pragma once

#include <cstdint>
#include <string>

#include "hawser/control.pb.h"
#include "hawser/graph.pb.h"

namespace hawser::supervise {

struct LaunchOptions {
    std::string log_level = "info";  // of the workers, spdlog's names
    std::uint64_t drain_ms = 5000;   // how long EOS may take when a worker is stopped
};

// The sending end's address as the links of `sender` say, "127.0.0.1:0" where they say none. The last port
// that the sender had, where it is not 0, replaces a port 0, so that receivers find a restarted sender where
// they left it.
std::string sender_address(const graph::Graph& graph, const std::string& sender, std::uint32_t port);

// A worker's Setup: its launch text and its link ends. `own_port` is the port this pipeline's sender had
// before (0: none yet), `sender_port` that of the pipeline it receives from.
hawser::control::Setup plan(const graph::Graph& graph, const graph::Pipeline& pipeline,
                            std::uint32_t own_port, std::uint32_t sender_port, const LaunchOptions& options);

}  // namespace hawser::supervise
