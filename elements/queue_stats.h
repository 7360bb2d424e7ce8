// hawserqueue's `stats`.
#pragma once

#include "elements/gst_ptr.h"
#include "elements/queue_core.h"

namespace hawser::elements {

StructurePtr queue_stats(const QueueCore& core);

}  // namespace hawser::elements
