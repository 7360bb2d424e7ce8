// Plays a hawser:// URI as any GStreamer application would, and prints what happens to its connection.
//   watch URI [SECONDS]
// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/gst.h>

#include <cstdlib>

// The element behind the URI, once playbin has made it: properties can still be set here.
static void on_source(GstElement*, GstElement* source, gpointer user_data) {
    auto* kept = static_cast<GstElement**>(user_data);
    gst_clear_object(kept);
    *kept = GST_ELEMENT(gst_object_ref(source));
    g_object_set(source, "latency", 200u, nullptr);
}

static gboolean on_message(GstBus*, GstMessage* message, gpointer user_data) {
    auto* loop = static_cast<GMainLoop*>(user_data);
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
        GError* error = nullptr;
        gst_message_parse_error(message, &error, nullptr);
        g_printerr("error: %s\n", error->message);
        g_clear_error(&error);
        g_main_loop_quit(loop);
    } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS) {
        g_print("the stream has ended\n");
        g_main_loop_quit(loop);
    } else if (const GstStructure* what = gst_message_get_structure(message);
               what && g_str_has_prefix(gst_structure_get_name(what), "hawser-")) {
        gchar* text = gst_structure_to_string(what);
        g_print("%s\n", text);
        g_free(text);
    }
    return G_SOURCE_CONTINUE;
}

static gboolean on_time(gpointer loop) {
    g_main_loop_quit(static_cast<GMainLoop*>(loop));
    return G_SOURCE_REMOVE;
}

int main(int argc, char** argv) {
    gst_init(&argc, &argv);
    if (argc < 2) {
        g_printerr("usage: watch URI [SECONDS]\n");
        return EXIT_FAILURE;
    }
    GMainLoop* loop = g_main_loop_new(nullptr, FALSE);
    GstElement* source = nullptr;
    GstElement* player = gst_element_factory_make("playbin", nullptr);
    g_object_set(player, "uri", argv[1], nullptr);
    g_signal_connect(player, "source-setup", G_CALLBACK(on_source), &source);
    GstBus* bus = gst_element_get_bus(player);
    const guint watch = gst_bus_add_watch(bus, on_message, loop);

    gst_element_set_state(player, GST_STATE_PLAYING);
    if (argc > 2) g_timeout_add_seconds(static_cast<guint>(atoi(argv[2])), on_time, loop);
    g_main_loop_run(loop);

    guint64 objects = 0;
    if (source) {
        GstStructure* stats = nullptr;
        g_object_get(source, "stats", &stats, nullptr);
        if (stats) gst_structure_get_uint64(stats, "objects", &objects);
        g_clear_pointer(&stats, gst_structure_free);
    }
    g_print("received %" G_GUINT64_FORMAT " buffers\n", objects);

    gst_element_set_state(player, GST_STATE_NULL);
    g_source_remove(watch);
    gst_clear_object(&source);
    gst_object_unref(bus);
    gst_object_unref(player);
    g_main_loop_unref(loop);
    return objects > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
