#include "runtime/supervise/launch_plan.h"

#include <algorithm>

namespace hawser::supervise {
namespace {

constexpr std::uint64_t kDefaultResumeMs = 30'000;
constexpr std::uint64_t kLeastBlockMs = 10'000;

// "host:port" → host, port; IPv6 hosts keep their brackets.
std::pair<std::string, std::string> split(const std::string& address) {
    const std::size_t colon = address.rfind(':');
    if (colon == std::string::npos) return {address, "0"};
    return {address.substr(0, colon), address.substr(colon + 1)};
}

// Where a receiver on this machine finds a sender that listens on `host`.
std::string reachable(const std::string& host) {
    if (host.empty() || host == "0.0.0.0" || host == "*") return "127.0.0.1";
    if (host == "[::]") return "[::1]";
    return host;
}

std::string nanoseconds(std::uint64_t ms) {
    return std::to_string(ms * 1'000'000);
}

}  // namespace

std::string sender_address(const graph::Graph& graph, const std::string& sender, std::uint32_t port) {
    std::string address = "127.0.0.1:0";
    for (const graph::Link& link : graph.links())
        if (link.from() == sender && !link.address().empty()) address = link.address();
    auto [host, given] = split(address);
    if (given == "0" && port != 0) given = std::to_string(port);
    return host + ":" + given;
}

hawser::control::Setup plan(const graph::Graph& graph, const graph::Pipeline& pipeline,
                            std::uint32_t own_port, std::uint32_t sender_port, const LaunchOptions& options) {
    hawser::control::Setup setup;
    setup.set_pipeline(pipeline.name());
    setup.set_launch(pipeline.launch());
    setup.set_log_level(options.log_level);
    setup.set_drain_ms(options.drain_ms);

    bool sends = false, lossless = false;
    std::uint64_t resume_ms = 0;
    for (const graph::Link& link : graph.links()) {
        if (link.from() == pipeline.name()) {
            sends = true;
            lossless |= link.mode() == graph::Link::LOSSLESS;
            resume_ms = std::max(resume_ms, link.resume_ms() ? link.resume_ms() : kDefaultResumeMs);
        }
        if (link.to() == pipeline.name()) {
            auto* in = setup.add_ends();
            in->set_element("in");
            const std::string host = reachable(split(sender_address(graph, link.from(), 0)).first);
            in->set_uri("hawser://" + host + ":" + std::to_string(sender_port) + "/" + link.from() +
                        "?mode=caller");
        }
    }
    if (sends) {
        auto* out = setup.add_ends();
        out->set_element("out");
        out->set_uri("hawser://" + sender_address(graph, pipeline.name(), own_port) + "/" + pipeline.name() +
                     "?mode=listener");
        auto& properties = *out->mutable_properties();
        properties["slow-client-policy"] = lossless ? "block" : "drop";
        properties["wait-for-connection"] = lossless ? "true" : "false";
        properties["max-size-time"] = nanoseconds(resume_ms);
        if (lossless) {
            // A receiver that is away counts as one that has fallen behind: the sender waits as long as it
            // may resume.
            properties["max-block"] = nanoseconds(std::max(resume_ms, kLeastBlockMs));
            properties["linger"] = nanoseconds(std::max<std::uint64_t>(resume_ms / 2, 5'000));
        }
    }
    return setup;
}

}  // namespace hawser::supervise
