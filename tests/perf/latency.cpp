// Latency of small objects over TCP, ours against GStreamer's own elements, in the same run.
//
//   perf_latency [--objects N] [--rounds N] [--size BYTES] [--rate PER_SECOND] [--check]
//
// A sending process publishes objects of 1316 bytes, 1000 a second, each with its time of departure in its
// first bytes; a receiving process takes the time when each has arrived whole at its sink's pad.
// hawsersink/hawsersrc and tcpserversink/tcpclientsrc (with gdppay/gdpdepay where they are installed; without
// them the stream is cut up again by counting bytes, which is less work for the peer) take turns. Prints each
// round, then medians and spread of the rounds. With --check the exit code is 1 where our median p99 is not
// below 1 ms.
#include <gst/gst.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/pipeline.h"
#include "tests/support/process.h"

namespace {

using hawser::test::free_port;
using hawser::test::init_gst;

struct Options {
    unsigned objects = 3000, rounds = 5, size = 1316, rate = 1000;
    bool check = false;
};

constexpr unsigned kWarmUp = 100;  // objects that are sent, but not counted: the connection's first steps

std::int64_t now_ns() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

// Cuts the received bytes into objects and notes how long each was under way.
struct Arrivals {
    std::size_t object_size;
    std::vector<std::uint8_t> partial;
    std::vector<std::int64_t> latencies;

    void take(const std::uint8_t* data, std::size_t size) {
        const std::int64_t now = now_ns();
        partial.insert(partial.end(), data, data + size);
        std::size_t at = 0;
        for (; partial.size() - at >= object_size; at += object_size) {
            std::int64_t sent;
            std::memcpy(&sent, partial.data() + at, sizeof sent);
            latencies.push_back(now - sent);
        }
        partial.erase(partial.begin(), partial.begin() + static_cast<std::ptrdiff_t>(at));
    }
};

GstPadProbeReturn on_buffer(GstPad*, GstPadProbeInfo* info, gpointer data) {
    GstMapInfo map;
    GstBuffer* buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    if (gst_buffer_map(buffer, &map, GST_MAP_READ)) {
        static_cast<Arrivals*>(data)->take(map.data, map.size);
        gst_buffer_unmap(buffer, &map);
    }
    return GST_PAD_PROBE_OK;
}

GstMessage* wait_end(GstElement* pipeline) {
    GstBus* bus = gst_element_get_bus(pipeline);
    GstMessage* message = gst_bus_timed_pop_filtered(
        bus, 60 * GST_SECOND, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
    gst_object_unref(bus);
    return message;
}

// The child: receives until EOS, writes its latencies (int64 each) into `out`.
int receive(const std::string& description, const Options& options, int out) {
    init_gst();
    GstElement* pipeline = gst_parse_launch(description.c_str(), nullptr);
    if (pipeline == nullptr) return 2;
    Arrivals arrivals{options.size, {}, {}};
    GstElement* end = gst_bin_get_by_name(GST_BIN(pipeline), "end");
    GstPad* pad = gst_element_get_static_pad(end, "sink");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_buffer, &arrivals, nullptr);
    // tcpclientsrc does not wait for its server; it is started again until the server is there.
    bool good = false;
    for (int attempt = 0; attempt < 500 && !good; ++attempt) {
        gst_element_set_state(pipeline, GST_STATE_PLAYING);
        GstMessage* message = wait_end(pipeline);
        good = message != nullptr && GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS;
        if (message != nullptr) gst_message_unref(message);
        gst_element_set_state(pipeline, GST_STATE_NULL);
        if (!arrivals.latencies.empty()) break;
        usleep(10'000);
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pad);
    gst_object_unref(end);
    gst_object_unref(pipeline);
    const auto* bytes = reinterpret_cast<const char*>(arrivals.latencies.data());
    std::size_t left = arrivals.latencies.size() * sizeof(std::int64_t);
    while (left > 0) {
        const ssize_t written = write(out, bytes, left);
        if (written <= 0) return 2;
        bytes += written;
        left -= static_cast<std::size_t>(written);
    }
    return good ? 0 : 1;
}

GstBuffer* make_object(std::size_t size, unsigned index, unsigned rate) {
    GstBuffer* buffer = gst_buffer_new_allocate(nullptr, size, nullptr);
    gst_buffer_memset(buffer, 0, static_cast<guint8>(index), size);
    GST_BUFFER_PTS(buffer) = index * (GST_SECOND / rate);
    const std::int64_t now = now_ns();
    gst_buffer_fill(buffer, 0, &now, sizeof now);
    return buffer;
}

// The child: sends as fast as the rate says, once a receiver is there.
int send(const std::string& description, const Options& options) {
    init_gst();
    GstElement* pipeline = gst_parse_launch(description.c_str(), nullptr);
    if (pipeline == nullptr) return 2;
    GstElement* begin = gst_bin_get_by_name(GST_BIN(pipeline), "begin");
    GstElement* sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    GstPad* peer = gst_element_get_static_pad(begin, "sink");
    GstPad* pad = gst_pad_new("src", GST_PAD_SRC);
    gst_object_ref_sink(pad);
    gst_pad_set_active(pad, TRUE);
    gst_pad_link(pad, peer);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    const bool ours = g_object_class_find_property(G_OBJECT_GET_CLASS(sink), "num-clients") != nullptr;
    for (guint handles = 0; handles == 0; usleep(1000)) {
        g_object_get(sink, ours ? "num-clients" : "num-handles", &handles, nullptr);
    }
    gst_pad_push_event(pad, gst_event_new_stream_start("latency"));
    GstCaps* caps = gst_caps_new_empty_simple("application/x-test");
    gst_pad_push_event(pad, gst_event_new_caps(caps));
    gst_caps_unref(caps);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(pad, gst_event_new_segment(&segment));
    timespec due{};
    clock_gettime(CLOCK_MONOTONIC, &due);
    const long step = 1'000'000'000 / static_cast<long>(options.rate);
    GstFlowReturn flow = GST_FLOW_OK;
    for (unsigned i = 0; i < options.objects + kWarmUp && flow == GST_FLOW_OK; ++i) {
        due.tv_nsec += step;
        if (due.tv_nsec >= 1'000'000'000) {
            due.tv_nsec -= 1'000'000'000;
            ++due.tv_sec;
        }
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, nullptr);
        flow = gst_pad_push(pad, make_object(options.size, i, options.rate));
    }
    gst_pad_push_event(pad, gst_event_new_eos());
    GstMessage* message = wait_end(pipeline);
    if (message != nullptr) gst_message_unref(message);
    gst_pad_set_active(pad, FALSE);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(peer);
    gst_object_unref(pad);
    gst_object_unref(begin);
    gst_object_unref(sink);
    gst_object_unref(pipeline);
    return flow == GST_FLOW_OK ? 0 : 1;
}

struct Round {
    bool good = false;
    double p50 = 0, p99 = 0, worst = 0;  // µs
    std::size_t objects = 0;
};

template <class Work>
pid_t in_child(Work work) {
    const pid_t pid = fork();
    if (pid != 0) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(work());
}

// Both processes are forked before this one touches GStreamer.
Round run(const std::string& sender, const std::string& receiver, const Options& options) {
    int results[2];
    if (pipe(results) != 0) return {};
    const pid_t sending = in_child([&] { return send(sender, options); });
    const pid_t receiving = in_child([&] { return receive(receiver, options, results[1]); });
    close(results[1]);
    std::vector<std::int64_t> latencies(options.objects + kWarmUp);
    std::size_t have = 0;
    while (have < latencies.size() * sizeof(std::int64_t)) {
        const ssize_t got = read(results[0], reinterpret_cast<char*>(latencies.data()) + have,
                                 latencies.size() * sizeof(std::int64_t) - have);
        if (got <= 0) break;
        have += static_cast<std::size_t>(got);
    }
    close(results[0]);
    int receive_status = 0, send_status = 0;
    waitpid(receiving, &receive_status, 0);
    waitpid(sending, &send_status, 0);
    latencies.resize(have / sizeof(std::int64_t));
    Round round;
    if (latencies.size() <= kWarmUp) return round;
    latencies.erase(latencies.begin(), latencies.begin() + kWarmUp);
    std::sort(latencies.begin(), latencies.end());
    const auto at = [&](double part) {
        return static_cast<double>(
                   latencies[static_cast<std::size_t>(part * static_cast<double>(latencies.size() - 1))]) /
               1000;
    };
    round.good = receive_status == 0 && send_status == 0 && latencies.size() == options.objects;
    round.objects = latencies.size();
    round.p50 = at(0.5);
    round.p99 = at(0.99);
    round.worst = at(1);
    return round;
}

struct Summary {
    double median = 0, low = 0, high = 0;
};

Summary summarize(const std::vector<Round>& rounds, double Round::*what) {
    std::vector<double> values;
    for (const auto& round : rounds) values.push_back(round.*what);
    std::sort(values.begin(), values.end());
    return {values[values.size() / 2], values.front(), values.back()};
}

void print_summary(const char* name, const std::vector<Round>& rounds) {
    const auto p50 = summarize(rounds, &Round::p50), p99 = summarize(rounds, &Round::p99);
    const auto worst = summarize(rounds, &Round::worst);
    std::printf("%-22s p50 %8.0f µs (%.0f…%.0f)  p99 %8.0f µs (%.0f…%.0f)  max %8.0f µs (%.0f…%.0f)\n", name,
                p50.median, p50.low, p50.high, p99.median, p99.low, p99.high, worst.median, worst.low,
                worst.high);
}

bool parse(int argc, char** argv, Options* options) {
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--check") {
            options->check = true;
            continue;
        }
        if (i + 1 >= argc) return false;
        const auto value = static_cast<unsigned>(std::strtoul(argv[++i], nullptr, 10));
        if (name == "--objects")
            options->objects = value;
        else if (name == "--rounds")
            options->rounds = value;
        else if (name == "--size")
            options->size = value;
        else if (name == "--rate")
            options->rate = value;
        else
            return false;
    }
    return options->objects > 0 && options->rounds > 0 && options->size >= 8 && options->rate > 0;
}

bool have_gdp() {
    // Asked in a child, so that this process stays without GStreamer's threads.
    const pid_t pid = in_child([] {
        init_gst();
        GstElementFactory* factory = gst_element_factory_find("gdppay");
        return factory != nullptr ? 0 : 1;
    });
    int status = 0;
    waitpid(pid, &status, 0);
    return status == 0;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    if (!parse(argc, argv, &options)) {
        std::fprintf(
            stderr,
            "usage: perf_latency [--objects N] [--rounds N] [--size BYTES] [--rate PER_SECOND] [--check]\n");
        return 2;
    }
    const bool gdp = have_gdp();
    std::printf("%u objects of %u bytes, %u a second, %u rounds in turn\n", options.objects, options.size,
                options.rate, options.rounds);
    std::vector<Round> ours, theirs;
    for (unsigned i = 0; i < options.rounds; ++i) {
        const std::string port = std::to_string(free_port());
        const std::string uri = "hawser://127.0.0.1:" + port + "/latency";
        ours.push_back(run("identity name=begin silent=true ! hawsersink name=sink uri=" + uri,
                           "hawsersrc uri=" + uri + " ! fakesink name=end sync=false async=false", options));
        const std::string tcp = std::to_string(free_port());
        theirs.push_back(run(std::string("identity name=begin silent=true ! ") + (gdp ? "gdppay ! " : "") +
                                 "tcpserversink name=sink sync=false host=127.0.0.1 port=" + tcp,
                             "tcpclientsrc host=127.0.0.1 port=" + tcp + (gdp ? " ! gdpdepay" : "") +
                                 " ! fakesink name=end sync=false async=false",
                             options));
        for (const auto& [name, rounds] : {std::pair{"hawser", &ours}, std::pair{"tcpserversink", &theirs}}) {
            const Round& round = rounds->back();
            const std::string incomplete = "  (" + std::to_string(round.objects) + " arrived)";
            std::printf("round %u  %-14s p50 %8.0f µs  p99 %8.0f µs  max %8.0f µs%s\n", i + 1, name,
                        round.p50, round.p99, round.worst, round.good ? "" : incomplete.c_str());
            std::fflush(stdout);
        }
        if (!ours.back().good) {
            std::fprintf(stderr, "hawser: only %zu of %u objects arrived\n", ours.back().objects,
                         options.objects);
            return 2;
        }
    }
    std::printf("\nmedian of the rounds (lowest…highest)\n");
    print_summary("hawser", ours);
    print_summary(gdp ? "tcpserversink + gdp" : "tcpserversink (bytes)", theirs);
    const double p99 = summarize(ours, &Round::p99).median;
    std::printf("p99: %.2f times the peer's; target < 1000 µs: %s\n",
                p99 / summarize(theirs, &Round::p99).median, p99 < 1000 ? "met" : "MISSED");
    return options.check && p99 >= 1000 ? 1 : 0;
}
