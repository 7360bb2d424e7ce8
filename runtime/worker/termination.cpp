#include "runtime/worker/termination.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>

namespace hawser::worker {
namespace {

int wake[2] = {-1, -1};
volatile std::sig_atomic_t signals = 0;
unsigned bound = 10;

void on_signal(int number) {
    if (signals != 0) {
        signal(number, SIG_DFL);
        raise(number);  // taken when the handler returns
        return;
    }
    signals = 1;
    alarm(bound);
    const char byte = 1;
    [[maybe_unused]] const ssize_t wrote = write(wake[1], &byte, 1);
}

}  // namespace

int watch_termination(unsigned bound_seconds) {
    bound = bound_seconds;
    if (wake[0] < 0 && pipe2(wake, O_CLOEXEC | O_NONBLOCK) != 0) return -1;
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
    signal(SIGALRM, SIG_DFL);
    return wake[0];
}

}  // namespace hawser::worker
