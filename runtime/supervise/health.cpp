#include "runtime/supervise/health.h"

#include <algorithm>

#include "runtime/base/text.h"

namespace hawser::supervise {
namespace {

// Workers report twice a second; a busy machine may swallow a few of these.
constexpr Duration kLeastSilence = std::chrono::milliseconds(1500);

bool mute(const Vitals& v) {
    return v.alive && v.silent > std::max(v.flowing ? v.stall_limit : v.start_limit, kLeastSilence);
}

bool still(const Vitals& v) {
    return v.alive && v.still > (v.flowing ? v.stall_limit : v.start_limit);
}

bool holds_back(const Vitals& v) {
    return mute(v) || (still(v) && v.queued_bytes > 0);
}

std::string seconds(Duration d) {
    return format_duration(d.count());
}

}  // namespace

std::vector<Verdict> judge(const std::vector<Vitals>& pipelines) {
    using Kind = Verdict::Kind;
    std::vector<Verdict> verdicts(pipelines.size());
    for (std::size_t i = 0; i < pipelines.size(); ++i) {
        const Vitals& v = pipelines[i];
        Verdict& verdict = verdicts[i];
        if (mute(v)) {
            verdict = {Kind::Culprit, "its process has not reported for " + seconds(v.silent)};
            continue;
        }
        if (!still(v)) continue;
        const auto any = [&](const std::vector<std::size_t>& of, auto&& is) {
            return std::any_of(of.begin(), of.end(), [&](std::size_t at) { return is(pipelines[at]); });
        };
        if (v.queued_bytes > 0) {
            if (any(v.downstream, holds_back)) {
                verdict.kind = Kind::Excused;
            } else {
                verdict = {Kind::Culprit, "has " + format_bytes(v.queued_bytes) +
                                              " waiting and has taken none for " + seconds(v.still)};
            }
            continue;
        }
        // Data comes from an upstream that is there, has flow, and moved since this one last did.
        const auto feeds = [&](const Vitals& up) { return up.alive && up.flowing && up.still < v.still / 2; };
        if (!v.upstream.empty() && (!v.link_up || !any(v.upstream, feeds))) {
            verdict.kind = Kind::Excused;
        } else if (v.has_out && (v.clients == 0 || any(v.downstream, holds_back)) && v.flowing) {
            verdict.kind = Kind::Excused;
        } else if (!v.flowing) {
            verdict = {Kind::Culprit,
                       "no buffer has reached its ports " + seconds(v.still) + " after its start"};
        } else {
            verdict = {Kind::Culprit, "no buffer has reached its ports for " + seconds(v.still)};
        }
    }
    return verdicts;
}

}  // namespace hawser::supervise
