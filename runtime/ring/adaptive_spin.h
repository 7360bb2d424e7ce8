// Looks for work a little longer before a thread goes to sleep, for as long as that pays.
#pragma once

#include <cstdint>

#include "runtime/base/clock.h"
#include "runtime/base/fence.h"

namespace hawser::ring {

// To sleep and be woken costs more than it takes a busy other side to come up with the next item, and most of
// that is the waker's. So it pays to spin for as long as a wake would cost; but only where the other side is
// at work on another processor. Whether it is, earlier attempts tell: a few in a row in vain, and there is
// only a rare further try, so a slow stream costs next to nothing. One thread.
class AdaptiveSpin {
  public:
    explicit AdaptiveSpin(Duration limit = kLimit) : limit_(limit) {}

    // Whether `ready()` has become true before the time for it was over.
    template <typename Ready>
    bool spin(Ready&& ready) {
        if (credit_ == 0 && ++skipped_ < kRetry) return false;
        skipped_ = 0;
        if (several_processors()) {
            const TimePoint end = SteadyClock::instance().now() + limit_;
            do {
                for (int i = 0; i < kLooks; ++i) {
                    if (ready()) {
                        if (credit_ != kCredit) credit_ = kCredit;  // others may read this line
                        return true;
                    }
                    cpu_relax();
                }
            } while (SteadyClock::instance().now() < end);
        }
        if (credit_ > 0) --credit_;
        return false;
    }

    // Whether it is worth it, by what it has seen.
    bool pays() const { return credit_ > 0; }

  private:
    static constexpr Duration kLimit{10'000};
    static constexpr int kLooks = 8;            // between two looks at the clock
    static constexpr std::uint8_t kCredit = 4;  // failures until it gives up
    static constexpr std::uint8_t kRetry = 64;  // waits until it tries once more

    static bool several_processors();

    const Duration limit_;
    std::uint8_t credit_ = kCredit;
    std::uint8_t skipped_ = 0;
};

}  // namespace hawser::ring
