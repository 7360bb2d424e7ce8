// Ten receivers of one sender, all processes; one is stopped (SIGSTOP) for a while.
#pragma once

#include <chrono>
#include <cstddef>

namespace hawser::test {

struct StoppedRun {
    std::size_t receivers = 10;
    std::chrono::seconds stopped_for{12};
    // 4 MB a second in groups of a quarter of a second; the ring holds two seconds.
    std::size_t buffer_size = 20'000;
    std::size_t per_second = 200;
    std::size_t group = 50;
    std::size_t ring_bytes = 8'000'000;
    // What the sender may use on top of what it had before the first buffer and of the ring's limit.
    std::size_t allowance = 24'000'000;

    // Runs it; every failed expectation fails the test.
    void expect_the_others_unharmed() const;
};

}  // namespace hawser::test
