// What a description need not say.
#pragma once

#include <cstdint>

#include "hawser/graph.pb.h"

namespace hawser::graph {

inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::uint64_t kBackoffMinMs = 250;
inline constexpr std::uint64_t kBackoffMaxMs = 5000;
inline constexpr std::uint32_t kIntensityCount = 5;
inline constexpr std::uint64_t kIntensityWindowMs = 60'000;
inline constexpr std::uint64_t kHealthStartMs = 10'000;
inline constexpr std::uint64_t kHealthStallMs = 5000;
inline constexpr std::uint64_t kResumeMs = 30'000;

// Fills in what is unset (zero) in a pipeline that another program made.
void fill_defaults(Pipeline& pipeline);
void fill_defaults(Graph& graph);

}  // namespace hawser::graph
