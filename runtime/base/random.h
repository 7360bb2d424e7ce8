// Randomness is a parameter too: back-off jitter and ids come from here.
#pragma once

#include <cstdint>

namespace hawser {

// A source of uniformly distributed 64-bit numbers. Not thread-safe unless it says so.
class Random {
  public:
    virtual ~Random() = default;
    virtual std::uint64_t next() = 0;
    // Uniform in [0, bound); 0 where bound is 0.
    std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
};

// The system's generator (getrandom). Thread-safe.
class SystemRandom final : public Random {
  public:
    std::uint64_t next() override;
    static SystemRandom& instance();
};

// SplitMix64 from a seed: the same sequence each time, for tests.
class SeededRandom final : public Random {
  public:
    explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() override;

  private:
    std::uint64_t state_;
};

// A random number other than zero, for ids where zero means "none".
std::uint64_t random_id(Random& random);

}  // namespace hawser
