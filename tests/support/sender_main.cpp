// A sender for tests: publishes buffers whose content is known from their number, so that a receiver
// elsewhere can tell each from all others.
//
//   hawser_test_sender PROPERTIES [--count N] [--size BYTES] [--interval-us N] [--group N] [--clients N]
//   [--pad NAME]
//
// PROPERTIES are those of the hawsersink, as in gst-launch. Buffer i has random_bytes(size, i), PTS i ×
// interval, and is a delta unit unless i % group == 0. Waits for --clients receivers before the first one.
// Prints: listening PORT | pushing | sent N (each hundredth) | client-removed REASON | pushed N | eos | error
// TEXT | stats TEXT. Ends with 0 after EOS, 1 at an error.
#include <gst/gst.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "tests/support/media.h"

namespace {

struct Options {
    std::string properties;
    std::string pad = "sink_0";
    unsigned long count = 1000, size = 1316, interval_us = 1000, group = 50, clients = 0;
};

bool parse(int argc, char** argv, Options* options) {
    if (argc < 2) return false;
    options->properties = argv[1];
    for (int i = 2; i + 1 < argc; i += 2) {
        const std::string name = argv[i];
        if (name == "--pad") {
            options->pad = argv[i + 1];
            continue;
        }
        const unsigned long value = std::strtoul(argv[i + 1], nullptr, 10);
        if (name == "--count")
            options->count = value;
        else if (name == "--size")
            options->size = value;
        else if (name == "--interval-us")
            options->interval_us = value;
        else if (name == "--group")
            options->group = value;
        else if (name == "--clients")
            options->clients = value;
        else
            return false;
    }
    return true;
}

void say(const char* format, const std::string& text) {
    std::printf(format, text.c_str());
    std::putchar('\n');
    std::fflush(stdout);
}

GstFlowReturn push_one(GstPad* pad, const Options& options, unsigned long index) {
    const auto bytes = hawser::test::random_bytes(options.size, index);
    GstBuffer* buffer = gst_buffer_new_memdup(bytes.data(), bytes.size());
    GST_BUFFER_PTS(buffer) = index * options.interval_us * GST_USECOND;
    GST_BUFFER_DURATION(buffer) = options.interval_us * GST_USECOND;
    if (index % options.group != 0) GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
    return gst_pad_push(pad, buffer);
}

void push_all(GstPad* pad, GstElement* sink, const Options& options) {
    gst_pad_push_event(pad, gst_event_new_stream_start("hawser-test-sender"));
    GstCaps* caps = gst_caps_new_empty_simple("application/x-test");
    gst_pad_push_event(pad, gst_event_new_caps(caps));
    gst_caps_unref(caps);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(pad, gst_event_new_segment(&segment));

    guint clients = 0;
    while (clients < options.clients) {
        g_object_get(sink, "num-clients", &clients, nullptr);
        if (clients < options.clients) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    say("pushing%s", "");
    // Paced by absolute times, so that a late buffer does not delay the rest.
    auto due = std::chrono::steady_clock::now();
    unsigned long index = 0;
    for (; index < options.count; ++index) {
        const GstFlowReturn flow = push_one(pad, options, index);
        if (flow != GST_FLOW_OK) {
            say("flow %s", gst_flow_get_name(flow));
            break;
        }
        if (index % 100 == 0) say("sent %s", std::to_string(index));
        due += std::chrono::microseconds(options.interval_us);
        std::this_thread::sleep_until(due);
    }
    say("pushed %s", std::to_string(index));
    gst_pad_push_event(pad, gst_event_new_eos());
}

}  // namespace

int main(int argc, char** argv) {
    gst_init(&argc, &argv);
    Options options;
    if (!parse(argc, argv, &options)) {
        std::fprintf(stderr,
                     "usage: hawser_test_sender PROPERTIES [--count N] [--size N] [--interval-us N] ...\n");
        return 2;
    }
    GError* error = nullptr;
    GstElement* sink = gst_parse_launch(("hawsersink name=sink " + options.properties).c_str(), &error);
    if (error != nullptr) {
        say("error %s", error->message);
        return 2;
    }
    GstElement* pipeline = gst_pipeline_new(nullptr);
    gst_bin_add(GST_BIN(pipeline), sink);
    g_signal_connect(sink, "client-removed",
                     G_CALLBACK(+[](GstElement*, guint64, const gchar* reason, gpointer) {
                         say("client-removed %s", reason);
                     }),
                     nullptr);
    GstPad* peer = gst_element_request_pad_simple(sink, options.pad.c_str());
    GstPad* pad = gst_pad_new("src", GST_PAD_SRC);
    gst_object_ref_sink(pad);
    gst_pad_set_query_function(
        pad, +[](GstPad* self, GstObject* parent, GstQuery* query) -> gboolean {
            if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY) return gst_pad_query_default(self, parent, query);
            gst_query_set_latency(query, TRUE, 0, GST_CLOCK_TIME_NONE);
            return TRUE;
        });
    gst_pad_set_active(pad, TRUE);
    gst_pad_link(pad, peer);

    int result = 0;
    if (gst_element_set_state(pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) result = 1;
    guint port = 0;
    g_object_get(sink, "current-port", &port, nullptr);
    say("listening %s", std::to_string(port));
    std::thread pushing;
    if (result == 0) pushing = std::thread([&] { push_all(pad, sink, options); });

    GstBus* bus = gst_element_get_bus(pipeline);
    GstMessage* message = gst_bus_timed_pop_filtered(
        bus, GST_CLOCK_TIME_NONE, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
        gst_message_parse_error(message, &error, nullptr);
        say("error %s", error->message);
        g_error_free(error);
        result = 1;
    } else {
        say("eos%s", "");
    }
    gst_message_unref(message);
    GstStructure* stats = nullptr;
    g_object_get(sink, "stats", &stats, nullptr);
    gchar* text = stats != nullptr ? gst_structure_to_string(stats) : g_strdup("");
    say("stats %s", text);
    g_free(text);
    if (stats != nullptr) gst_structure_free(stats);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_pad_set_active(pad, FALSE);
    if (pushing.joinable()) pushing.join();
    gst_pad_unlink(pad, peer);
    gst_element_release_request_pad(sink, peer);
    gst_object_unref(peer);
    gst_object_unref(pad);
    gst_object_unref(bus);
    gst_object_unref(pipeline);
    return result;
}
