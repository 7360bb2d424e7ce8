// Whether and when a pipeline that has failed is started again: back-off between tries, and an intensity
// above which it is given up. (The idea of an intensity is Erlang/OTP's: N restarts within a window are
// recovery, more are a fault.)
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "hawser/graph.pb.h"
#include "runtime/base/clock.h"
#include "runtime/base/random.h"
#include "runtime/sched/backoff.h"

namespace hawser::supervise {

class RestartTracker {
  public:
    RestartTracker() = default;
    // Zero figures of the policy mean the defaults: 250 ms … 30 s, 5 restarts within 60 s.
    explicit RestartTracker(const graph::RestartPolicy& policy);

    struct Decision {
        std::optional<Duration> retry_in;  // nothing: give up
        std::string why;  // with nothing: "; not started again by its policy", to append to the cause
    };
    // The pipeline failed at `now`, having been started at `started`. Delays: never below the policy's least,
    // above it jittered up to a ceiling that doubles from try to try; a life of 30 s starts the series anew.
    // A life in which nothing flowed does not count as time of the window, or one that hangs at its start for
    // long would be started again for ever.
    Decision failed(TimePoint now, TimePoint started, bool flowed, Random& random);

    // Restarts decided so far.
    unsigned restarts() const { return restarts_; }

  private:
    graph::RestartPolicy policy_;
    sched::Backoff backoff_;
    std::deque<TimePoint> recent_;  // restarts within the window
    unsigned restarts_ = 0;
};

}  // namespace hawser::supervise
