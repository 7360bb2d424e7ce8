#include "runtime/state/machine.h"

#include "runtime/base/log.h"

namespace hawser::state {

void report_illegal(const char* name, const char* state, const char* event) {
    log().error("{}: event {} is illegal in state {}; it is a bug, please report it", name, event, state);
}

}  // namespace hawser::state
