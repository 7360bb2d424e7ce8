// What is thrown away of a stream whose units have deadlines.
#pragma once

#include <cstdint>
#include <optional>

#include "runtime/base/clock.h"

namespace hawser::sched {

enum class DropReason : std::uint8_t {
    Late,       // its deadline has passed
    Dependent,  // it needs a unit that was dropped
};

// A unit past its deadline goes, and with it the delta units behind it, which cannot be decoded without it,
// up to the next that stands by itself. One thread.
class LateDrop {
  public:
    // Why the unit that is next in the stream is dropped; nothing: it is not.
    std::optional<DropReason> judge(TimePoint now, TimePoint deadline, bool delta) {
        if (delta && broken_) return DropReason::Dependent;
        broken_ = now > deadline;
        if (broken_) return DropReason::Late;
        return std::nullopt;
    }
    void reset() { broken_ = false; }
    bool broken() const { return broken_; }

  private:
    bool broken_ = false;
};

}  // namespace hawser::sched
