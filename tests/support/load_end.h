// The load client in a thread of the test, with what a sender has to push for it.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "tests/support/load_client.h"
#include "tests/support/pipeline.h"

namespace hawser::test {

// Object `index` of a stream for load clients, `index` ms after its start. The stamp's time is the present
// where `timed`.
GstBuffer* load_buffer(std::size_t size, std::uint64_t index, bool timed = false);

// Lets this process open so many files; false where the system does not allow it.
bool allow_files(std::size_t count);

// Runs from construction on.
class LoadEnd {
  public:
    explicit LoadEnd(const LoadOptions& options);
    LoadEnd(const LoadEnd&) = delete;
    LoadEnd& operator=(const LoadEnd&) = delete;
    ~LoadEnd() { stop(); }

    // Closes all connections.
    void stop();
    // True as soon as `is_it`, or false where something is wrong with what was received or `bound` ran out.
    bool wait(Milliseconds bound, const std::function<bool(const LoadCounters&)>& is_it) const;
    // All of `clients` have received an object.
    bool wait_served(unsigned clients, Milliseconds bound) const {
        return wait(bound, [clients](const LoadCounters& all) { return all.served >= clients; });
    }
    LoadCounters& counters() { return *counters_; }
    const LoadCounters& counters() const { return *counters_; }
    LoadCounters* operator->() { return counters_.get(); }
    // The counters as text, for failures.
    std::string text() const;

  private:
    const std::unique_ptr<LoadCounters> counters_;
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

}  // namespace hawser::test
