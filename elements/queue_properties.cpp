#include "elements/queue_properties.h"

#include <algorithm>

#include "elements/link_properties.h"
#include "elements/queue_stats.h"

namespace hawser::elements {
namespace {

enum : guint {
    kPropCurrentLevelBuffers = 1,
    kPropCurrentLevelBytes,
    kPropCurrentLevelTime,
    kPropMaxSizeBuffers,
    kPropMaxSizeBytes,
    kPropMaxSizeTime,
    kPropMinThresholdBuffers,
    kPropMinThresholdBytes,
    kPropMinThresholdTime,
    kPropLeaky,
    kPropSilent,
    kPropFlushOnEos,
    kPropQueueStats,
};

}  // namespace

GType queue_leaky_type() {
    static const GEnumValue values[] = {
        {static_cast<gint>(QueueLeak::No), "Not leaky", "no"},
        {static_cast<gint>(QueueLeak::Upstream), "Leaky on upstream (new buffers)", "upstream"},
        {static_cast<gint>(QueueLeak::Downstream), "Leaky on downstream (old buffers)", "downstream"},
        {0, nullptr, nullptr},
    };
    static const GType type = g_enum_register_static("HawserQueueLeaky", values);
    return type;
}

bool set_queue_property(QueueCore& core, guint id, const GValue* value) {
    QueueSettings& settings = core.settings;
    switch (id) {
        case kPropMaxSizeBuffers:
            settings.max.buffers = g_value_get_uint(value);
            core.max_changed();
            return true;
        case kPropMaxSizeBytes:
            settings.max.bytes = g_value_get_uint(value);
            core.max_changed();
            return true;
        case kPropMaxSizeTime:
            settings.max.time = g_value_get_uint64(value);
            core.max_changed();
            return true;
        case kPropMinThresholdBuffers:
            settings.min.buffers = g_value_get_uint(value);
            core.min_changed();
            return true;
        case kPropMinThresholdBytes:
            settings.min.bytes = g_value_get_uint(value);
            core.min_changed();
            return true;
        case kPropMinThresholdTime:
            settings.min.time = g_value_get_uint64(value);
            core.min_changed();
            return true;
        case kPropLeaky:
            settings.leaky = static_cast<QueueLeak>(g_value_get_enum(value));
            return true;
        case kPropSilent:
            settings.silent = g_value_get_boolean(value);
            return true;
        case kPropFlushOnEos:
            settings.flush_on_eos = g_value_get_boolean(value);
            return true;
        default:
            return false;
    }
}

bool get_queue_property(const QueueCore& core, guint id, GValue* value) {
    const QueueSettings& settings = core.settings;
    switch (id) {
        case kPropCurrentLevelBuffers:
            g_value_set_uint(value, static_cast<guint>(core.level().items));
            return true;
        case kPropCurrentLevelBytes:
            g_value_set_uint(value,
                             static_cast<guint>(std::min<std::uint64_t>(core.level().bytes, G_MAXUINT)));
            return true;
        case kPropCurrentLevelTime:
            g_value_set_uint64(value, core.level().time);
            return true;
        case kPropMaxSizeBuffers:
            g_value_set_uint(value, settings.max.buffers);
            return true;
        case kPropMaxSizeBytes:
            g_value_set_uint(value, settings.max.bytes);
            return true;
        case kPropMaxSizeTime:
            g_value_set_uint64(value, settings.max.time);
            return true;
        case kPropMinThresholdBuffers:
            g_value_set_uint(value, settings.min.buffers);
            return true;
        case kPropMinThresholdBytes:
            g_value_set_uint(value, settings.min.bytes);
            return true;
        case kPropMinThresholdTime:
            g_value_set_uint64(value, settings.min.time);
            return true;
        case kPropLeaky:
            g_value_set_enum(value, static_cast<gint>(settings.leaky.load()));
            return true;
        case kPropSilent:
            g_value_set_boolean(value, settings.silent);
            return true;
        case kPropFlushOnEos:
            g_value_set_boolean(value, settings.flush_on_eos);
            return true;
        case kPropQueueStats:
            g_value_take_boxed(value, queue_stats(core).release());
            return true;
        default:
            return false;
    }
}

void install_queue_properties(GObjectClass* klass) {
    const auto install = [klass](guint id, GParamSpec* spec) {
        g_object_class_install_property(klass, id, spec);
    };
    install(kPropCurrentLevelBytes,
            g_param_spec_uint("current-level-bytes", "Current level (bytes)",
                              "Current amount of data in the queue (bytes)", 0, G_MAXUINT, 0, kReadOnly));
    install(kPropCurrentLevelBuffers,
            g_param_spec_uint("current-level-buffers", "Current level (buffers)",
                              "Current number of buffers in the queue", 0, G_MAXUINT, 0, kReadOnly));
    install(kPropCurrentLevelTime,
            g_param_spec_uint64("current-level-time", "Current level (ns)",
                                "Current amount of data in the queue (in ns)", 0, G_MAXUINT64, 0, kReadOnly));
    const QueueSettings defaults;
    install(kPropMaxSizeBytes, g_param_spec_uint("max-size-bytes", "Max. size (bytes)",
                                                 "Max. amount of data in the queue (bytes, 0=disable)", 0,
                                                 G_MAXUINT, defaults.max.bytes, kWhilePlaying));
    install(kPropMaxSizeBuffers, g_param_spec_uint("max-size-buffers", "Max. size (buffers)",
                                                   "Max. number of buffers in the queue (0=disable)", 0,
                                                   G_MAXUINT, defaults.max.buffers, kWhilePlaying));
    install(kPropMaxSizeTime, g_param_spec_uint64("max-size-time", "Max. size (ns)",
                                                  "Max. amount of data in the queue (in ns, 0=disable)", 0,
                                                  G_MAXUINT64, defaults.max.time, kWhilePlaying));
    install(kPropMinThresholdBytes,
            g_param_spec_uint("min-threshold-bytes", "Min. threshold (bytes)",
                              "Min. amount of data in the queue to allow reading (bytes, 0=disable)", 0,
                              G_MAXUINT, 0, kWhilePlaying));
    install(kPropMinThresholdBuffers,
            g_param_spec_uint("min-threshold-buffers", "Min. threshold (buffers)",
                              "Min. number of buffers in the queue to allow reading (0=disable)", 0,
                              G_MAXUINT, 0, kWhilePlaying));
    install(kPropMinThresholdTime,
            g_param_spec_uint64("min-threshold-time", "Min. threshold (ns)",
                                "Min. amount of data in the queue to allow reading (in ns, 0=disable)", 0,
                                G_MAXUINT64, 0, kWhilePlaying));
    install(kPropLeaky,
            g_param_spec_enum("leaky", "Leaky", "Where the queue leaks, if at all", queue_leaky_type(),
                              static_cast<gint>(QueueLeak::No), kWhilePlaying));
    install(kPropSilent,
            g_param_spec_boolean("silent", "Silent", "Don't emit queue signals", FALSE, kWhilePlaying));
    install(kPropFlushOnEos,
            g_param_spec_boolean("flush-on-eos", "Flush on EOS",
                                 "Discard all data in the queue when an EOS event is received", FALSE,
                                 kWhilePlaying));
    /**
     * HawserQueue:stats:
     *
     * Counters since the element was made, of all pads and of each.
     *
     * Since: 0.1
     */
    install(kPropQueueStats, g_param_spec_boxed("stats", "Statistics",
                                                "Counters (application/x-hawser-queue-stats): buffers-in, "
                                                "bytes-in, buffers-out, bytes-out, late, dependent, "
                                                "leaked-upstream, leaked-downstream, flushed; pads",
                                                GST_TYPE_STRUCTURE, kReadOnly));
}

std::array<guint, kQueueSignals> install_queue_signals(GType type) {
    std::array<guint, kQueueSignals> ids{};
    const auto install = [&ids, type](QueueSignal which, const char* name) {
        ids[static_cast<std::size_t>(which)] =
            g_signal_new(name, type, G_SIGNAL_RUN_FIRST, 0, nullptr, nullptr, nullptr, G_TYPE_NONE, 0);
    };
    /**
     * HawserQueue::underrun:
     * @queue: the element
     *
     * The queue holds less than the minimum thresholds ask for (by default: it is empty).
     *
     * Since: 0.1
     */
    install(QueueSignal::Underrun, "underrun");
    /**
     * HawserQueue::running:
     * @queue: the element
     *
     * After an underrun there is enough data again, or after an overrun room.
     *
     * Since: 0.1
     */
    install(QueueSignal::Running, "running");
    /**
     * HawserQueue::overrun:
     * @queue: the element
     *
     * A buffer came that did not fit any more: one of the maximum sizes is reached.
     *
     * Since: 0.1
     */
    install(QueueSignal::Overrun, "overrun");
    /**
     * HawserQueue::pushing:
     * @queue: the element
     *
     * After an underrun the queue begins to push again.
     *
     * Since: 0.1
     */
    install(QueueSignal::Pushing, "pushing");
    return ids;
}

}  // namespace hawser::elements
