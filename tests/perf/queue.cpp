// What hawserqueue costs a buffer, and how soon a buffer is through, against GStreamer's queue and against no
// queue at all.
#include <gst/gst.h>

#include <algorithm>
#include <vector>

#include "tests/perf/bench.h"
#include "tests/perf/process.h"
#include "tests/support/pipeline.h"

namespace hawser::perf {
namespace {

const std::string kNothing = "no queue", kTheirs = "queue", kOurs = "hawserqueue";

std::string in_the_middle(const std::string& row) {
    return row == kNothing ? "" : row + " name=queue ! ";
}

struct Result {
    double seconds = 0, cpu = 0;
    std::size_t delays = 0;
    std::int64_t delay[1 << 14] = {};
    bool good = false;
};

// fakesrc ! X ! fakesink from its preroll to EOS.
int run_through(const std::string& middle, std::size_t size, unsigned buffers, Result& result) {
    test::init_gst();
    const std::string text =
        "fakesrc silent=true sizetype=fixed filltype=nothing sizemax=" + std::to_string(size) +
        " num-buffers=" + std::to_string(buffers) + " ! " + middle + "fakesink silent=true sync=false";
    GstElement* pipeline = gst_parse_launch(text.c_str(), nullptr);
    if (!pipeline) return 2;
    gst_element_set_state(pipeline, GST_STATE_PAUSED);
    gst_element_get_state(pipeline, nullptr, nullptr, 5 * GST_SECOND);
    const std::int64_t start = now_ns();
    const double cpu = own_cpu_seconds();
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    GstBus* bus = gst_element_get_bus(pipeline);
    GstMessage* message = gst_bus_timed_pop_filtered(
        bus, 100 * GST_SECOND, static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
    result.seconds = static_cast<double>(now_ns() - start) / 1e9;
    result.cpu = own_cpu_seconds() - cpu;
    result.good = message && GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS;
    gst_clear_message(&message);
    gst_object_unref(bus);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
    return 0;
}

// A buffer at a time, `rate` a second, each with its time of departure as its PTS.
int run_paced(const std::string& row, unsigned rate, double seconds, Result& result) {
    test::init_gst();
    GstElement* queue = gst_element_factory_make(row == kNothing ? "identity" : row.c_str(), nullptr);
    if (!queue) return 2;
    GstPad* source = gst_pad_new("source", GST_PAD_SRC);
    GstPad* end = gst_pad_new("end", GST_PAD_SINK);
    gst_pad_set_element_private(end, &result);
    gst_pad_set_chain_function(end, [](GstPad* pad, GstObject*, GstBuffer* buffer) {
        auto* into = static_cast<Result*>(gst_pad_get_element_private(pad));
        if (into->delays < std::size(into->delay))
            into->delay[into->delays++] = now_ns() - static_cast<std::int64_t>(GST_BUFFER_PTS(buffer));
        gst_buffer_unref(buffer);
        return GST_FLOW_OK;
    });
    gst_pad_set_event_function(end, [](GstPad*, GstObject*, GstEvent* event) -> gboolean {
        gst_event_unref(event);
        return TRUE;
    });
    GstPad* sink = gst_element_get_static_pad(queue, "sink");
    GstPad* src = gst_element_get_static_pad(queue, "src");
    gst_pad_set_active(end, TRUE);
    gst_pad_set_active(source, TRUE);
    gst_pad_link(src, end);
    gst_pad_link(source, sink);
    gst_element_set_state(queue, GST_STATE_PLAYING);
    gst_pad_push_event(source, gst_event_new_stream_start("perf"));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(source, gst_event_new_segment(&segment));
    const auto count = static_cast<unsigned>(seconds * rate);
    std::int64_t due = now_ns();
    const double cpu = own_cpu_seconds();
    for (unsigned i = 0; i < count; ++i) {
        due += 1'000'000'000 / rate;
        sleep_until(due);
        GstBuffer* buffer = gst_buffer_new_allocate(nullptr, 1316, nullptr);
        GST_BUFFER_PTS(buffer) = static_cast<GstClockTime>(now_ns());
        if (gst_pad_push(source, buffer) != GST_FLOW_OK) return 2;
    }
    result.cpu = own_cpu_seconds() - cpu;
    result.seconds = seconds;
    result.good = wait_until(5, [&] { return result.delays == count; });
    gst_element_set_state(queue, GST_STATE_NULL);
    return 0;
}

Sample through(const std::string& row, std::size_t size, unsigned buffers, double& base) {
    Shared<Result> result;
    Role role([&] { return run_through(in_the_middle(row), size, buffers, *result); });
    role.wait(120);
    if (!result->good) return Sample::failed("did not reach its end");
    const double ns = result->seconds * 1e9 / buffers;
    if (row == kNothing) base = ns;
    return {{"ns", ns}, {"adds", ns - base}, {"cpu", result->cpu * 1e9 / buffers}};
}

Sample paced(const std::string& row, unsigned rate, double seconds) {
    Shared<Result> result;
    Role role([&] { return run_paced(row, rate, seconds, *result); });
    role.wait(seconds + 20);
    if (!result->good || result->delays == 0) return Sample::failed("not all arrived");
    std::sort(result->delay, result->delay + result->delays);
    const auto at = [&](double part) {
        const auto index = static_cast<std::size_t>(part * static_cast<double>(result->delays - 1));
        return static_cast<double>(result->delay[index]) / 1000;
    };
    return {{"p50", at(0.5)}, {"p99", at(0.99)}, {"cpu", result->cpu / result->seconds * 100}};
}

void compare_cost(Bench& bench, const std::string& title, std::size_t size, unsigned buffers) {
    Table& table = bench.table(
        title, {{"ns", "ns/buffer"}, {"adds", "adds, ns"}, {"cpu", "CPU-ns/buffer"}},
        "fakesrc ! X ! fakesink; \"adds\" is the difference to no queue in the same round. With a queue two "
        "threads share the work, so it can be less than nothing.");
    table.ratio("of_theirs", "× queue", "ns", kTheirs);
    if (size == 64) table.at_most(kOurs, "adds", 600);
    if (!bench.wanted(table)) return;
    double base = 0;
    std::vector<Row> rows;
    for (const std::string& row : {kNothing, kTheirs, kOurs})
        rows.push_back({row, [&bench, &base, row, size, buffers] {
                            const double count = bench.seconds(1) * buffers;
                            return through(row, size, std::max(static_cast<unsigned>(count), 1000u), base);
                        }});
    bench.run(table, rows);
}

void compare_delay(Bench& bench, unsigned rate) {
    Table& table = bench.table(std::to_string(rate) + " buffers of 1316 B a second",
                               {{"p50", "p50, µs"}, {"p99", "p99, µs"}, {"cpu", "CPU, % of a core"}},
                               "From the push to the chain function behind it; \"no queue\" is an identity.");
    table.ratio("of_theirs", "p50 × queue", "p50", kTheirs);
    if (!bench.wanted(table)) return;
    std::vector<Row> rows;
    for (const std::string& row : {kNothing, kTheirs, kOurs})
        rows.push_back({row, [&bench, row, rate] {
                            return paced(row, rate, std::min(bench.seconds(2), 16'000.0 / rate));
                        }});
    bench.run(table, rows);
}

}  // namespace
}  // namespace hawser::perf

int main(int argc, char** argv) {
    using namespace hawser::perf;
    Bench bench("queue", "hawserqueue", argc, argv);
    compare_cost(bench, "64 B buffers", 64, 1'000'000);
    compare_cost(bench, "1316 B buffers", 1316, 1'000'000);
    compare_cost(bench, "100 kB buffers", 100'000, 200'000);
    compare_delay(bench, 1000);
    compare_delay(bench, 30'000);
    return bench.finish();
}
