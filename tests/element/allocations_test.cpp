// In the steady state hawsersrc allocates nothing for an object, be it small or large: counted.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <utility>

#include "tests/support/pipeline.h"
#include "tests/support/port.h"
#include "tests/support/process.h"

namespace {

// What malloc() and its like were called, in the whole process; the sender is another one.
std::atomic<unsigned long> allocations{0};

}  // namespace

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// glibc's own, under the names that are there for whoever replaces them.
extern "C" {
void* __libc_malloc(size_t size);                      // NOLINT
void* __libc_calloc(size_t count, size_t size);        // NOLINT
void* __libc_realloc(void* memory, size_t size);       // NOLINT
void* __libc_memalign(size_t alignment, size_t size);  // NOLINT

void* malloc(size_t size) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    return __libc_calloc(count, size);
}
void* realloc(void* memory, size_t size) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    return __libc_realloc(memory, size);
}
void* memalign(size_t alignment, size_t size) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    return __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
    return memalign(alignment, size);
}
int posix_memalign(void** memory, size_t alignment, size_t size) {
    *memory = memalign(alignment, size);
    return *memory ? 0 : ENOMEM;
}
}
#endif

namespace hawser::test {
namespace {

constexpr unsigned kObjects = 32'000;
constexpr unsigned kWarmUp = 12'000;
constexpr unsigned kWindow = 1000;
constexpr unsigned kWindows = (kObjects - kWarmUp) / kWindow;

// What had been allocated when the object arrived that begins a window, and at the end of the last.
struct Count {
    unsigned buffers = 0;                          // the streaming thread's until EOS
    std::array<unsigned long, kWindows + 1> at{};  // likewise
};

GstPadProbeReturn count(GstPad*, GstPadProbeInfo* info, gpointer data) {
    auto* count = static_cast<Count*>(data);
    unsigned added = 1;
    if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER_LIST)
        added = gst_buffer_list_length(GST_PAD_PROBE_INFO_BUFFER_LIST(info));
    const unsigned before = std::exchange(count->buffers, count->buffers + added);
    for (unsigned window = 0; window <= kWindows; ++window) {
        const unsigned begin = kWarmUp + window * kWindow;
        if (before < begin && before + added >= begin) count->at[window] = allocations.load();
    }
    return GST_PAD_PROBE_OK;
}

class Allocations : public testing::TestWithParam<unsigned> {};

TEST_P(Allocations, NoneForAnObject) {
    if (std::strlen(HAWSER_TEST_SANITIZE) > 0) GTEST_SKIP() << "the sanitizer's malloc is in the way";
    init_gst();
    const std::string uri = "hawser://127.0.0.1:" + std::to_string(free_port()) + "/test";
    Process sender(Process::gst_launch("fakesrc num-buffers=" + std::to_string(kObjects) +
                                       " sizetype=fixed filltype=nothing sizemax=" +
                                       std::to_string(GetParam()) + " ! hawsersink uri=" + uri));
    Pipeline pipeline("hawsersrc uri=" + uri + " ! fakesink name=end");
    Count counted;
    GstPad* pad = gst_element_get_static_pad(pipeline.get("end"), "sink");
    gst_pad_add_probe(
        pad, static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST), count,
        &counted, nullptr);
    pipeline.play();
    ASSERT_TRUE(pipeline.wait_eos(kLong)) << pipeline.log() << sender.output();
    pipeline.stop();
    gst_object_unref(pad);
    EXPECT_EQ(counted.buffers, kObjects);
    // The pool grows whenever the queue gets longer than it ever was, and the scheduler decides when: that is
    // seen in some windows, in most on a busy machine. What an object costs is seen in all of them.
    std::array<unsigned long, kWindows> windows;
    for (unsigned window = 0; window < kWindows; ++window)
        windows[window] = counted.at[window + 1] - counted.at[window];
    std::sort(windows.begin(), windows.end());
    EXPECT_LT(windows[kWindows / 4], kWindow / 100)
        << "allocations for " << kWindow << " objects: " << testing::PrintToString(windows);
}

INSTANTIATE_TEST_SUITE_P(Sizes, Allocations, testing::Values(64u, 1316u, 40'000u));

}  // namespace
}  // namespace hawser::test
