#include "graph/model/defaults.h"

#include <algorithm>

namespace hawser::graph {

void fill_defaults(Pipeline& pipeline) {
    RestartPolicy& restart = *pipeline.mutable_restart();
    if (restart.backoff_min_ms() == 0) restart.set_backoff_min_ms(kBackoffMinMs);
    if (restart.backoff_max_ms() == 0)
        restart.set_backoff_max_ms(std::max<std::uint64_t>(kBackoffMaxMs, restart.backoff_min_ms()));
    if (restart.intensity_window_ms() == 0) {  // a count of 0 with a window is a choice: no restart at all
        restart.set_intensity_count(kIntensityCount);
        restart.set_intensity_window_ms(kIntensityWindowMs);
    }
    Health& health = *pipeline.mutable_health();
    if (health.start_ms() == 0) health.set_start_ms(kHealthStartMs);
    if (health.stall_ms() == 0) health.set_stall_ms(kHealthStallMs);
}

void fill_defaults(Graph& graph) {
    if (graph.version() == 0) graph.set_version(kVersion);
    for (auto& pipeline : *graph.mutable_pipelines()) fill_defaults(pipeline);
    for (auto& link : *graph.mutable_links())
        if (link.resume_ms() == 0) link.set_resume_ms(kResumeMs);
}

}  // namespace hawser::graph
