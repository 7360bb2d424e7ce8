// Who is to blame when the flow stops. Pure: figures in, names out.
//
// A pipeline stands still for one of three reasons: it hangs itself, it gets nothing from upstream, or
// downstream takes nothing. Only the first is cured by a restart, so the culprit is looked for: a process
// that no longer reports at all; else a receiver that has data waiting and does not take it; else the most
// upstream of those that stand still.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/clock.h"

namespace hawser::supervise {

struct Vitals {
    bool alive = false;    // its process runs and is expected to make progress (STARTING, RUNNING, DEGRADED)
    bool flowing = false;  // it has made progress since its start
    Duration silent{};     // since its last report
    Duration still{};      // since its last progress, or since its start
    Duration start_limit{}, stall_limit{};
    bool has_out = false;                           // it sends on a link,
    std::uint32_t clients = 0;                      // … to so many receivers
    std::uint64_t queued_bytes = 0;                 // arrived on its link, not taken
    bool link_up = true;                            // its receiving end is streaming
    std::vector<std::size_t> upstream, downstream;  // indices into the same vector
};

struct Verdict {
    enum class Kind {
        Fine,
        Excused,  // stands still through no fault of its own: its clock starts anew
        Culprit,  // restart it
    };
    Kind kind = Kind::Fine;
    std::string reason;  // with Culprit
};

// One verdict a pipeline. At most the culprits of this moment are named; their victims are excused.
std::vector<Verdict> judge(const std::vector<Vitals>& pipelines);

}  // namespace hawser::supervise
