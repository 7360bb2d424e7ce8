#include "runtime/base/random.h"

#include <sys/random.h>

#include <cstdlib>

namespace hawser {

std::uint64_t SystemRandom::next() {
    std::uint64_t value = 0;
    // 8 bytes are never returned in part, and the pool is ready long before a pipeline runs.
    if (getrandom(&value, sizeof value, 0) != sizeof value) std::abort();
    return value;
}

SystemRandom& SystemRandom::instance() {
    static SystemRandom random;
    return random;
}

// Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014.
std::uint64_t SeededRandom::next() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

std::uint64_t random_id(Random& random) {
    for (;;) {
        if (std::uint64_t id = random.next()) return id;
    }
}

}  // namespace hawser
