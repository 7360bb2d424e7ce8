// SIGTERM and SIGINT as a readable descriptor, with a bound: a worker that does not get out within it is
// ended by SIGALRM, so that nothing stays behind when `hawser` is gone.
#pragma once

namespace hawser::worker {

// Installs the handlers. Returns a descriptor (never closed) that becomes readable at the first signal. A
// second signal ends the process at once. From the first on the process has `bound_seconds` to live.
int watch_termination(unsigned bound_seconds);

}  // namespace hawser::worker
