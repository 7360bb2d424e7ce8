// When to try again: exponential back-off with full jitter.
//
// M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: of the variants compared there,
// full jitter (uniform between 0 and the ceiling) lets many clients of one server come back with the least
// work in total.
#pragma once

#include <optional>

#include "runtime/base/clock.h"
#include "runtime/base/random.h"

namespace hawser::sched {

struct BackoffParams {
    Duration base =
        std::chrono::milliseconds(100);          // ceiling of the second try's delay; doubles from try to try
    Duration cap = std::chrono::seconds(10);     // the ceiling never grows above it
    Duration stable = std::chrono::seconds(30);  // a connection that lasted so long starts the series anew
};

// One owner; not thread-safe.
class Backoff {
  public:
    explicit Backoff(const BackoffParams& params = {}) : params_(params) {}

    // The delay before the next try: 0 for the first, then uniform in [0, min(cap, base · 2^n)], n = 0, 1, ….
    Duration next(Random& random);

    // The next try is the first again.
    void reset();

    // The connection came up at `now`.
    void stable_since(TimePoint now) { up_ = now; }
    // It was lost at `now`: resets where it had been up for `stable`. Does nothing where none was up.
    void lost(TimePoint now);

    // Tries since the last reset.
    unsigned attempts() const { return attempts_; }

  private:
    BackoffParams params_;
    unsigned attempts_ = 0;
    std::optional<TimePoint> up_;
};

}  // namespace hawser::sched
