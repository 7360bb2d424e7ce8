#include "elements/queue_stats.h"

#include <array>

namespace hawser::elements {
namespace {

constexpr std::array<const char*, kQueueLosses> kLossNames = {"late", "dependent", "leaked-upstream",
                                                              "leaked-downstream", "flushed"};

struct Totals {
    std::uint64_t buffers_in = 0, bytes_in = 0, buffers_out = 0, bytes_out = 0;
    std::array<std::uint64_t, kQueueLosses> losses{};

    void add(const QueueInput& input) {
        buffers_out += input.sent_buffers();  // before what came in, so that it never seems more
        bytes_out += input.sent_bytes();
        for (std::size_t i = 0; i < kQueueLosses; ++i) losses[i] += input.lost(static_cast<QueueLoss>(i));
        buffers_in += input.put_buffers();
        bytes_in += input.put_bytes();
    }
    void write(GstStructure* into) const {
        gst_structure_set(into, "buffers-in", G_TYPE_UINT64, buffers_in, "bytes-in", G_TYPE_UINT64, bytes_in,
                          "buffers-out", G_TYPE_UINT64, buffers_out, "bytes-out", G_TYPE_UINT64, bytes_out,
                          nullptr);
        for (std::size_t i = 0; i < kQueueLosses; ++i)
            gst_structure_set(into, kLossNames[i], G_TYPE_UINT64, losses[i], nullptr);
    }
};

}  // namespace

StructurePtr queue_stats(const QueueCore& core) {
    Totals all;
    GValue pads = G_VALUE_INIT;
    gst_value_array_init(&pads, 1);
    for (const auto& input : core.inputs()) {
        Totals own;
        own.add(*input);
        all.add(*input);
        const ring::Fill level = input->level();
        GstStructure* pad = gst_structure_new("application/x-hawser-queue-pad-stats", "name", G_TYPE_STRING,
                                              input->name().c_str(), "priority", G_TYPE_UINT,
                                              static_cast<guint>(input->priority()), "level-buffers",
                                              G_TYPE_UINT64, static_cast<guint64>(level.items), "level-bytes",
                                              G_TYPE_UINT64, static_cast<guint64>(level.bytes), "level-time",
                                              G_TYPE_UINT64, static_cast<guint64>(level.time), nullptr);
        own.write(pad);
        GValue value = G_VALUE_INIT;
        g_value_init(&value, GST_TYPE_STRUCTURE);
        g_value_take_boxed(&value, pad);
        gst_value_array_append_and_take_value(&pads, &value);
    }
    StructurePtr made(gst_structure_new_empty("application/x-hawser-queue-stats"));
    all.write(made.get());
    gst_structure_take_value(made.get(), "pads", &pads);
    return made;
}

}  // namespace hawser::elements
