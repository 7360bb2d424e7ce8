// The faults that a description orders (`drill:`), timed from the moment when every pipeline had been
// RUNNING. Pure bookkeeping.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "hawser/graph.pb.h"
#include "runtime/base/clock.h"

namespace hawser::supervise {

class Drill {
  public:
    Drill() = default;
    explicit Drill(const graph::Graph& graph) : faults_(graph.drill().begin(), graph.drill().end()) {
        std::stable_sort(faults_.begin(), faults_.end(),
                         [](const graph::Fault& a, const graph::Fault& b) { return a.at_ms() < b.at_ms(); });
    }

    void begin(TimePoint now) { began_ = now; }
    bool begun() const { return began_.has_value(); }
    Duration elapsed(TimePoint now) const { return began_ ? now - *began_ : Duration{}; }
    std::size_t planned() const { return faults_.size(); }
    std::size_t done() const { return next_; }
    bool complete() const { return next_ == faults_.size(); }

    std::optional<TimePoint> next_at() const {
        if (!began_ || complete()) return std::nullopt;
        return *began_ + std::chrono::milliseconds(faults_[next_].at_ms());
    }
    // Hands the faults that are due to `carry_out`, in order. One that cannot be done now (false: its
    // pipeline is just being started again) is tried anew at the next call, and those behind it wait.
    void run(TimePoint now, const std::function<bool(const graph::Fault&)>& carry_out) {
        for (auto at = next_at(); at && *at <= now; at = next_at()) {
            if (!carry_out(faults_[next_])) return;
            ++next_;
        }
    }

  private:
    std::vector<graph::Fault> faults_;
    std::optional<TimePoint> began_;
    std::size_t next_ = 0;
};

}  // namespace hawser::supervise
