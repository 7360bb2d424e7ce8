#include "runtime/session/congestion.h"

#include <algorithm>
#include <bit>

#include "proto/wire/header.h"
#include "runtime/io/tcp.h"

namespace hawser::session {
namespace {

constexpr Duration kAskAgain = std::chrono::milliseconds(20);
constexpr Duration kSample = std::chrono::milliseconds(100);
// What a frame, and what the kernel holds of data that is not under way yet, may delay the urgent.
constexpr std::uint64_t kDelaysASecond = 50;  // 20 ms
constexpr std::uint64_t kLeastFrame = 4 * 1024;
constexpr std::uint64_t kLeastUnsent = 8 * 1024;

}  // namespace

void Congestion::measure(io::Stream& stream, TimePoint now, bool eager) {
    if (!eager) sampled_ = {};
    if (asked_ != TimePoint{} && now - asked_ < kAskAgain) return;
    const io::tcp::LinkInfo info = io::tcp::link_info(stream.descriptor());
    asked_ = now;
    queued_ = info.queued;
    if (sampled_ == TimePoint{} || info.acked < acked_) {
        sampled_ = now;
        acked_ = info.acked;
        return;
    }
    if (now - sampled_ < kSample) return;
    const auto sample = static_cast<std::uint64_t>(static_cast<double>(info.acked - acked_) * 1e9 /
                                                   static_cast<double>((now - sampled_).count()));
    sampled_ = now;
    acked_ = info.acked;
    rate_ = rate_ == 0 ? sample : (rate_ * 3 + sample) / 4;
    const auto limit = static_cast<std::uint32_t>(
        std::clamp(std::bit_floor(rate_ / kDelaysASecond), kLeastUnsent, std::uint64_t{kMostUnsent}));
    if (limit != unsent_limit_) io::tcp::set_unsent_limit(stream.descriptor(), unsent_limit_ = limit);
}

TimePoint Congestion::arrival(std::uint64_t bytes, TimePoint now) const {
    if (rate_ == 0) return now;
    return now + std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(queued_ + bytes) *
                                                                    1e9 / static_cast<double>(rate_)));
}

std::size_t Congestion::most_a_frame() const {
    if (rate_ == 0) return kLeastUnsent;
    return std::clamp<std::uint64_t>(std::bit_floor(rate_ / kDelaysASecond), kLeastFrame, wire::kMaxFragment);
}

}  // namespace hawser::session
