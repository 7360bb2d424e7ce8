// How often values fell where, in a block of memory that may be shared between processes: one writer, any
// number of readers. Each bucket is at most 3 % wide.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace hawser::test {

class Histogram {
  public:
    static constexpr std::size_t kParts = 32;  // of each power of two
    static constexpr std::size_t kBuckets = 60 * kParts;
    using Counts = std::vector<std::uint64_t>;

    // Writer. Values below 0 count as 0.
    void add(std::int64_t value) {
        auto& bucket = buckets_[bucket_of(value)];
        bucket.store(bucket.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }

    Counts counts() const {
        Counts all(kBuckets);
        for (std::size_t i = 0; i < kBuckets; ++i) all[i] = buckets_[i].load(std::memory_order_relaxed);
        return all;
    }
    // What came between two looks.
    static Counts between(const Counts& before, Counts after) {
        for (std::size_t i = 0; i < kBuckets; ++i) after[i] -= before[i];
        return after;
    }
    static std::uint64_t total(const Counts& counts) {
        std::uint64_t sum = 0;
        for (const auto count : counts) sum += count;
        return sum;
    }
    // The value below which `part` (0 … 1) of them are; 0 where there are none.
    static double quantile(const Counts& counts, double part) {
        const double wanted = part * static_cast<double>(total(counts));
        double sum = 0;
        for (std::size_t i = 0; i < counts.size(); ++i) {
            sum += static_cast<double>(counts[i]);
            if (counts[i] > 0 && sum >= wanted) return middle_of(i);
        }
        return 0;
    }
    // (value, part of all at or below it): the distribution's curve.
    static std::vector<std::pair<double, double>> curve(const Counts& counts) {
        std::vector<std::pair<double, double>> points;
        const auto all = static_cast<double>(total(counts));
        double sum = 0;
        for (std::size_t i = 0; i < counts.size(); ++i) {
            if (counts[i] == 0) continue;
            sum += static_cast<double>(counts[i]);
            points.emplace_back(middle_of(i), sum / all);
        }
        return points;
    }

    static std::size_t bucket_of(std::int64_t value) {
        if (value < static_cast<std::int64_t>(kParts)) return value < 0 ? 0 : static_cast<std::size_t>(value);
        const auto bits = static_cast<std::uint64_t>(value);
        const auto power = static_cast<std::size_t>(std::bit_width(bits)) - 1;  // at least 5
        return (power - 4) * kParts + ((bits >> (power - 5)) & (kParts - 1));
    }
    static double middle_of(std::size_t bucket) {
        if (bucket < kParts) return static_cast<double>(bucket);
        const std::size_t power = bucket / kParts + 4;
        const double width = static_cast<double>(std::uint64_t{1} << (power - 5));
        return static_cast<double>(std::uint64_t{1} << power) +
               (static_cast<double>(bucket % kParts) + 0.5) * width;
    }

  private:
    std::array<std::atomic<std::uint64_t>, kBuckets> buckets_{};
};

}  // namespace hawser::test
