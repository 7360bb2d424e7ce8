// hawserqueue's properties and signals.
#pragma once

#include <gst/gst.h>

#include <array>

#include "elements/queue_core.h"

namespace hawser::elements {

// Properties of `core`; false: there is none of that number (for that direction).
bool set_queue_property(QueueCore& core, guint id, const GValue* value);
bool get_queue_property(const QueueCore& core, guint id, GValue* value);
void install_queue_properties(GObjectClass* klass);

// Their ids, by QueueSignal.
std::array<guint, kQueueSignals> install_queue_signals(GType type);

// GEnum of QueueLeak.
GType queue_leaky_type();

}  // namespace hawser::elements
