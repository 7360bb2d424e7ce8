#include "elements/stats.h"

#include "elements/enums.h"

namespace hawser::elements {
namespace {

void take_array(GstStructure* into, const char* field, GValue* array) {
    gst_structure_take_value(into, field, array);
}

void append(GValue* array, GstStructure* item) {
    GValue value = G_VALUE_INIT;
    g_value_init(&value, GST_TYPE_STRUCTURE);
    g_value_take_boxed(&value, item);
    gst_value_array_append_and_take_value(array, &value);
}

GstStructure* track(const session::PublisherTrackStats& stats) {
    return gst_structure_new("application/x-hawser-sink-track-stats", "name", G_TYPE_STRING,
                             stats.name.c_str(), "objects", G_TYPE_UINT64, stats.objects, "bytes",
                             G_TYPE_UINT64, stats.bytes, "ring-bytes", G_TYPE_UINT64, stats.ring_bytes,
                             "ring-objects", G_TYPE_UINT64, stats.ring_objects, "head", G_TYPE_UINT64,
                             stats.head, "tail", G_TYPE_UINT64, stats.tail, nullptr);
}

GstStructure* track(const session::SubscriberTrackStats& stats) {
    return gst_structure_new("application/x-hawser-src-track-stats", "name", G_TYPE_STRING,
                             stats.name.c_str(), "objects", G_TYPE_UINT64, stats.objects, "bytes",
                             G_TYPE_UINT64, stats.bytes, "lost", G_TYPE_UINT64, stats.lost, "next-sequence",
                             G_TYPE_UINT64, stats.next_sequence, nullptr);
}

GstStructure* client(const session::ClientStats& stats) {
    return gst_structure_new("application/x-hawser-client-stats", "id", G_TYPE_UINT64, stats.id, "address",
                             G_TYPE_STRING, stats.address.c_str(), "state", G_TYPE_STRING, stats.state,
                             "objects", G_TYPE_UINT64, stats.objects, "bytes", G_TYPE_UINT64, stats.bytes,
                             "lost", G_TYPE_UINT64, stats.lost, "lag", G_TYPE_UINT64, stats.lag, nullptr);
}

}  // namespace

const char* nick(wire::GapReason reason) {
    switch (reason) {
        case wire::GAP_OVERRUN:
            return "overrun";
        case wire::GAP_SLOW_CLIENT:
            return "slow-client";
        case wire::GAP_DEADLINE:
            return "deadline";
        case wire::GAP_FLUSH:
            return "flush";
        case wire::GAP_NEW_EPOCH:
            return "new-epoch";
        default:
            return "unknown";
    }
}

StructurePtr to_structure(const session::PublisherStats& stats, const CodecStats& codec) {
    std::uint64_t objects = 0;
    std::uint64_t bytes = 0;
    GValue tracks = G_VALUE_INIT;
    GValue clients = G_VALUE_INIT;
    gst_value_array_init(&tracks, static_cast<guint>(stats.tracks.size()));
    gst_value_array_init(&clients, static_cast<guint>(stats.clients.size()));
    for (const session::PublisherTrackStats& each : stats.tracks) {
        objects += each.objects;
        bytes += each.bytes;
        append(&tracks, track(each));
    }
    for (const session::ClientStats& each : stats.clients) append(&clients, client(each));
    StructurePtr made(gst_structure_new(
        "application/x-hawser-sink-stats", "epoch", G_TYPE_UINT64, stats.epoch, "objects", G_TYPE_UINT64,
        objects, "bytes", G_TYPE_UINT64, bytes, "clients", G_TYPE_UINT,
        static_cast<guint>(stats.clients.size()), "clients-total", G_TYPE_UINT64, stats.clients_total,
        "turned-away", G_TYPE_UINT64, stats.turned_away, "reconnects", G_TYPE_UINT64, stats.reconnects,
        "skipped", G_TYPE_UINT64, stats.skipped, "unknown-metas", G_TYPE_UINT64, codec.unknown_metas,
        "skipped-events", G_TYPE_UINT64, codec.skipped_events, nullptr));
    GstStructure* reasons = gst_structure_new_empty("application/x-hawser-skipped");
    for (std::size_t i = 0; i < stats.skipped_by_reason.size(); ++i)
        gst_structure_set(reasons, nick(static_cast<wire::GapReason>(i)), G_TYPE_UINT64,
                          stats.skipped_by_reason[i], nullptr);
    gst_structure_set(made.get(), "skipped-by-reason", GST_TYPE_STRUCTURE, reasons, nullptr);
    gst_structure_free(reasons);
    take_array(made.get(), "tracks", &tracks);
    take_array(made.get(), "client-stats", &clients);
    return made;
}

StructurePtr to_structure(const session::SubscriberStats& stats) {
    GValue tracks = G_VALUE_INIT;
    gst_value_array_init(&tracks, static_cast<guint>(stats.tracks.size()));
    for (const session::SubscriberTrackStats& each : stats.tracks) append(&tracks, track(each));
    StructurePtr made(gst_structure_new(
        "application/x-hawser-src-stats", "epoch", G_TYPE_UINT64, stats.epoch, "epochs", G_TYPE_UINT,
        static_cast<guint>(stats.epochs), "objects", G_TYPE_UINT64, stats.objects, "bytes", G_TYPE_UINT64,
        stats.bytes, "replayed", G_TYPE_UINT64, stats.replayed, "lost", G_TYPE_UINT64, stats.lost, "doubled",
        G_TYPE_UINT64, stats.doubled, "delivered", G_TYPE_UINT64, stats.delivered, "reconnects",
        G_TYPE_UINT64, stats.reconnects, "rtt", G_TYPE_UINT64, stats.rtt, "queued-bytes", G_TYPE_UINT64,
        stats.queued_bytes, nullptr));
    take_array(made.get(), "tracks", &tracks);
    return made;
}

}  // namespace hawser::elements
