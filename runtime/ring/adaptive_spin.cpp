#include "runtime/ring/adaptive_spin.h"

#include <sched.h>
#include <unistd.h>

namespace hawser::ring {

// Of those the process may use, not the calling thread, which may be tied to one: with one, whoever is waited
// for cannot run while we spin.
bool AdaptiveSpin::several_processors() {
    static const bool several = [] {
        cpu_set_t usable;
        CPU_ZERO(&usable);
        return sched_getaffinity(getpid(), sizeof usable, &usable) != 0 || CPU_COUNT(&usable) > 1;
    }();
    return several;
}

}  // namespace hawser::ring
