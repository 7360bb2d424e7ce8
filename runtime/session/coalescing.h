// How long a reactor rests between its turns, so that what is published meanwhile goes out in one call.
//
// What is published while it rests waits for at most the rest's length; the first object after a quiet time
// waits for nothing. Fixed by the property max-coalesce, or adaptive: nothing while there is time to spare,
// more and more while the reactor cannot keep up. Also a stream of many small objects is worth a moment's
// rest: waking a reactor for each of them would cost its streaming thread more than sending does.
//
// No clock, no reactor; one thread.
#pragma once

#include <cstdint>

#include "runtime/base/clock.h"

namespace hawser::session {

class Coalescing {
  public:
    // `fixed`: negative is adaptive.
    explicit Coalescing(Duration fixed) : fixed_(fixed) {}

    // At the end of a turn: how long to rest. `busy`: time that the reactor has worked so far, ns, ever
    // growing; `published`: objects so far; `comes_again`: the turn was a writer's, who has so much that the
    // next one will be his as well. What he leaves waits for him, and no rest need end for it.
    Duration rest(TimePoint now, std::uint64_t busy, std::uint64_t published, bool comes_again = false);

  private:
    const Duration fixed_;
    Duration load_{};  // what the load asks for
    TimePoint measured_{};
    std::uint64_t busy_ = 0;
    TimePoint last_{};
    std::uint64_t published_ = 0;
    std::uint64_t in_a_row_ = 0;  // objects that came closely one after the other
};

}  // namespace hawser::session
