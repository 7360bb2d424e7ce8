#include "tests/support/load_end.h"

#include <sys/resource.h>

#include <chrono>
#include <vector>

namespace hawser::test {

GstBuffer* load_buffer(std::size_t size, std::uint64_t index, bool timed) {
    std::vector<std::byte> bytes(size);
    std::int64_t sent = 1;
    if (timed) sent = std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
    write_load_object(bytes, {sent, index});
    GstBuffer* buffer = gst_buffer_new_memdup(bytes.data(), size);
    GST_BUFFER_PTS(buffer) = index * GST_MSECOND;
    return buffer;
}

bool allow_files(std::size_t count) {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
    if (limit.rlim_cur >= count) return true;
    limit.rlim_cur = count;
    return limit.rlim_max >= count && setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

LoadEnd::LoadEnd(const LoadOptions& options)
    : counters_(std::make_unique<LoadCounters>()), thread_([this, options] {
          LoadClient client(options, *counters_);
          client.run([this] { return stop_.load(); });
      }) {}

void LoadEnd::stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
}

bool LoadEnd::wait(Milliseconds bound, const std::function<bool(const LoadCounters&)>& is_it) const {
    const auto end = std::chrono::steady_clock::now() + bound;
    while (!is_it(*counters_)) {
        if (counters_->wrong > 0 || std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    return true;
}

std::string LoadEnd::text() const {
    std::string text;
    for (const auto& [name, value] : {std::pair{"connected", &counters_->connected},
                                      {"subscribed", &counters_->subscribed},
                                      {"served", &counters_->served},
                                      {"closed", &counters_->closed},
                                      {"failed", &counters_->failed},
                                      {"wrong", &counters_->wrong},
                                      {"objects", &counters_->objects},
                                      {"lost", &counters_->lost}})
        text += std::string(name) + " " + std::to_string(value->load()) + ", ";
    return text + counters_->trouble.data();
}

}  // namespace hawser::test
