// The payload of an object, held rather than copied.
#pragma once

#include "runtime/memory/held_bytes.h"

namespace hawser::session {

using memory::HeldBytes;

}  // namespace hawser::session
