// In the steady state hawsersrc allocates nothing for an object, be it small or large: counted.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>

#include "tests/support/pipeline.h"
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

constexpr unsigned kWarmUp = 20'000;
constexpr unsigned kCounted = 10'000;

struct Count {
    std::atomic<unsigned> buffers{0};
    std::atomic<unsigned long> from{0}, to{0};
};

GstPadProbeReturn count(GstPad*, GstPadProbeInfo* info, gpointer data) {
    auto* count = static_cast<Count*>(data);
    unsigned added = 1;
    if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER_LIST)
        added = gst_buffer_list_length(GST_PAD_PROBE_INFO_BUFFER_LIST(info));
    const unsigned before = count->buffers.fetch_add(added);
    if (before < kWarmUp && before + added >= kWarmUp) count->from = allocations.load();
    if (before < kWarmUp + kCounted && before + added >= kWarmUp + kCounted) count->to = allocations.load();
    return GST_PAD_PROBE_OK;
}

class Allocations : public testing::TestWithParam<unsigned> {};

TEST_P(Allocations, NoneForAnObject) {
    if (std::strlen(HAWSER_TEST_SANITIZE) > 0) GTEST_SKIP() << "the sanitizer's malloc is in the way";
    init_gst();
    const std::string uri = "hawser://127.0.0.1:" + std::to_string(free_port()) + "/test";
    Process sender(Process::gst_launch("fakesrc num-buffers=32000 sizetype=fixed filltype=nothing sizemax=" +
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
    EXPECT_EQ(counted.buffers, 32000u);
    ASSERT_GT(counted.to.load(), 0u);
    EXPECT_LT(static_cast<double>(counted.to - counted.from) / kCounted, 0.01)
        << counted.to - counted.from << " allocations for " << kCounted << " objects";
}

INSTANTIATE_TEST_SUITE_P(Sizes, Allocations, testing::Values(64u, 1316u, 40'000u));

}  // namespace
}  // namespace hawser::test
