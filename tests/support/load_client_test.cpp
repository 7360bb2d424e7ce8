// The load client against a real hawsersink: it understands it, and counts what it sends.
#include "tests/support/load_client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

#include "tests/support/link.h"

namespace hawser::test {
namespace {

GstBuffer* make(std::size_t size, std::uint64_t index) {
    std::vector<std::byte> bytes(size);
    write_load_object(bytes, {1, index});
    GstBuffer* buffer = gst_buffer_new_memdup(bytes.data(), size);
    GST_BUFFER_PTS(buffer) = index * GST_MSECOND;
    return buffer;
}

template <class Condition>
bool soon(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + kLong;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::yield();
    }
    return true;
}

TEST(LoadClient, ReceivesTheSameInEachConnection) {
    Sender sender("uri=hawser://127.0.0.1:0/load wait-for-connection=false slow-client-policy=block");
    auto& pad = sender.pad("sink_0");
    sender.play();
    pad.start();
    pad.push(make(100, 0));
    LoadOptions options;
    options.port = static_cast<std::uint16_t>(sender.port());
    options.stream = "/load";
    options.clients = 20;
    options.at_a_time = 0;
    const auto counters = std::make_unique<LoadCounters>();
    std::atomic<bool> stop{false};
    std::thread thread([&] {
        LoadClient client(options, *counters);
        client.run([&] { return stop.load(); });
    });
    EXPECT_TRUE(soon([&] { return counters->subscribed == options.clients; }));
    constexpr std::uint64_t kObjects = 50;
    for (std::uint64_t i = 1; i < kObjects; ++i)
        pad.push(make(i * 3000 + 16, i));  // several fragments as well
    EXPECT_TRUE(soon([&] { return counters->objects >= options.clients * kObjects || counters->wrong > 0; }));
    stop = true;
    thread.join();
    EXPECT_EQ(counters->wrong, 0U) << counters->trouble.data();
    EXPECT_EQ(counters->closed, 0U);
    EXPECT_EQ(counters->lost, 0U);
    for (unsigned i = 0; i < options.clients; ++i) {
        EXPECT_EQ(counters->connections[i].objects, kObjects);
        EXPECT_EQ(counters->connections[i].last_index, kObjects - 1);
    }
}

}  // namespace
}  // namespace hawser::test
