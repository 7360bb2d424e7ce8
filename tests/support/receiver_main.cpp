// A receiver for tests: plays a hawser:// URI and prints one line for each pad, event, buffer and message.
//
//   hawser_test_receiver URI [PROPERTY=VALUE…]
//
// Lines (fields by one blank, times in ns or "none"):
//   pad NAME | removed NAME | event NAME TYPE TEXT | buffer NAME MD5 SIZE PTS DTS DURATION OFFSET OFFSET_END
//   FLAGS running RUNNING_TIME is the last field of a buffer line | message TYPE TEXT | eos | error TEXT |
//   stats TEXT
// Ends with 0 at EOS, 1 at an error, 2 where it cannot start; prints "stats …" before it ends and on SIGUSR1.
#include <glib-unix.h>
#include <gst/gst.h>
#include <unistd.h>

#include <cstdio>
#include <mutex>
#include <string>

#include "tests/support/media.h"

namespace {

std::mutex output_mutex;

void print(const std::string& line) {
    std::lock_guard lock(output_mutex);
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fputc('\n', stdout);
    std::fflush(stdout);
}

std::string number(guint64 value) {
    return value == G_MAXUINT64 ? "none" : std::to_string(value);
}

std::string text_of(const GstStructure* structure) {
    if (structure == nullptr) return "";
    gchar* raw = gst_structure_to_string(structure);
    std::string text(raw);
    g_free(raw);
    return text;
}

void print_buffer(GstPad* pad, GstBuffer* buffer) {
    GstEvent* event = gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0);
    const GstSegment* segment = nullptr;
    if (event != nullptr) gst_event_parse_segment(event, &segment);
    const auto info = hawser::test::describe(buffer, segment);
    char flags[16];
    g_snprintf(flags, sizeof flags, "%08x", info.flags);
    print(std::string("buffer ") + GST_OBJECT_NAME(pad) + " " + info.md5 + " " + std::to_string(info.size) +
          " " + number(info.pts) + " " + number(info.dts) + " " + number(info.duration) + " " +
          number(info.offset) + " " + number(info.offset_end) + " " + flags + " " +
          number(info.running_time));
    if (event != nullptr) gst_event_unref(event);
}

GstPadProbeReturn on_data(GstPad* pad, GstPadProbeInfo* info, gpointer) {
    if (info->type & GST_PAD_PROBE_TYPE_BUFFER) {
        print_buffer(pad, GST_PAD_PROBE_INFO_BUFFER(info));
    } else if (info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST) {
        GstBufferList* list = GST_PAD_PROBE_INFO_BUFFER_LIST(info);
        for (guint i = 0; i < gst_buffer_list_length(list); ++i)
            print_buffer(pad, gst_buffer_list_get(list, i));
    } else {
        auto* event = GST_EVENT(info->data);
        print(std::string("event ") + GST_OBJECT_NAME(pad) + " " + GST_EVENT_TYPE_NAME(event) + " " +
              text_of(gst_event_get_structure(event)));
    }
    return GST_PAD_PROBE_OK;
}

void on_pad_added(GstElement*, GstPad* pad, gpointer pipeline) {
    print(std::string("pad ") + GST_OBJECT_NAME(pad));
    gst_pad_add_probe(
        pad,
        static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_DATA_DOWNSTREAM | GST_PAD_PROBE_TYPE_EVENT_FLUSH),
        on_data, nullptr, nullptr);
    GstElement* end = gst_element_factory_make("fakesink", nullptr);
    g_object_set(end, "sync", FALSE, "async", FALSE, "enable-last-sample", FALSE, nullptr);
    gst_bin_add(GST_BIN(pipeline), end);
    gst_element_sync_state_with_parent(end);
    GstPad* sink_pad = gst_element_get_static_pad(end, "sink");
    gst_pad_link(pad, sink_pad);
    gst_object_unref(sink_pad);
}

void on_pad_removed(GstElement*, GstPad* pad, gpointer) {
    print(std::string("removed ") + GST_OBJECT_NAME(pad));
}

struct Program {
    GMainLoop* loop = nullptr;
    GstElement* src = nullptr;
    int result = 0;

    void print_stats() const {
        GstStructure* stats = nullptr;
        g_object_get(src, "stats", &stats, nullptr);
        print("stats " + text_of(stats));
        if (stats != nullptr) gst_structure_free(stats);
    }
};

gboolean on_message(GstBus*, GstMessage* message, gpointer data) {
    auto* program = static_cast<Program*>(data);
    switch (GST_MESSAGE_TYPE(message)) {
        case GST_MESSAGE_EOS:
            print("eos");
            g_main_loop_quit(program->loop);
            break;
        case GST_MESSAGE_ERROR: {
            GError* error = nullptr;
            gst_message_parse_error(message, &error, nullptr);
            print(std::string("error ") + error->message);
            g_error_free(error);
            program->result = 1;
            g_main_loop_quit(program->loop);
            break;
        }
        case GST_MESSAGE_WARNING: {
            GError* error = nullptr;
            gst_message_parse_warning(message, &error, nullptr);
            print(std::string("message warning ") + error->message);
            g_error_free(error);
            break;
        }
        case GST_MESSAGE_ELEMENT:
            print("message element " + text_of(gst_message_get_structure(message)));
            break;
        default:
            break;
    }
    return G_SOURCE_CONTINUE;
}

}  // namespace

int main(int argc, char** argv) {
    gst_init(&argc, &argv);
    if (argc < 2) {
        std::fprintf(stderr, "usage: hawser_test_receiver URI [PROPERTY=VALUE...]\n");
        return 2;
    }
    Program program;
    program.src = gst_element_factory_make("hawsersrc", "src");
    if (program.src == nullptr) {
        std::fprintf(stderr, "no element hawsersrc\n");
        return 2;
    }
    GError* error = nullptr;
    if (!gst_uri_handler_set_uri(GST_URI_HANDLER(program.src), argv[1], &error)) {
        print(std::string("error ") + (error != nullptr ? error->message : "bad URI"));
        return 2;
    }
    for (int i = 2; i < argc; ++i) {
        const std::string argument = argv[i];
        const auto equals = argument.find('=');
        gst_util_set_object_arg(G_OBJECT(program.src), argument.substr(0, equals).c_str(),
                                argument.substr(equals + 1).c_str());
    }
    GstElement* pipeline = gst_pipeline_new(nullptr);
    gst_bin_add(GST_BIN(pipeline), program.src);
    g_signal_connect(program.src, "pad-added", G_CALLBACK(on_pad_added), pipeline);
    g_signal_connect(program.src, "pad-removed", G_CALLBACK(on_pad_removed), nullptr);
    program.loop = g_main_loop_new(nullptr, FALSE);
    GstBus* bus = gst_element_get_bus(pipeline);
    const guint watch = gst_bus_add_watch(bus, on_message, &program);
    const guint usr1 = g_unix_signal_add(
        SIGUSR1,
        [](gpointer data) -> gboolean {
            static_cast<Program*>(data)->print_stats();
            return G_SOURCE_CONTINUE;
        },
        &program);
    if (gst_element_set_state(pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) program.result = 1;
    print("started " + std::to_string(getpid()));
    g_main_loop_run(program.loop);
    program.print_stats();
    gst_element_set_state(pipeline, GST_STATE_NULL);
    g_source_remove(usr1);
    g_source_remove(watch);
    gst_object_unref(bus);
    gst_object_unref(pipeline);
    g_main_loop_unref(program.loop);
    return program.result;
}
