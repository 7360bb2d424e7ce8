#include "runtime/session/congestion.h"

#include <algorithm>
#include <bit>

#include "proto/wire/header.h"

namespace hawser::session {
namespace {

constexpr Duration kAskAgain = std::chrono::milliseconds(20);
constexpr Duration kSample = std::chrono::milliseconds(100);
constexpr std::uint64_t kPlenty = 4 << 20;  // bytes that tell earlier what the link can do
// What a frame, and what the kernel holds of data that is not under way yet, may delay the urgent.
constexpr std::uint64_t kDelaysASecond = 50;  // 20 ms
constexpr std::uint64_t kLeastFrame = 4 * 1024;
constexpr std::uint64_t kLeastUnsent = 8 * 1024;

}  // namespace

void Congestion::measure(io::Stream& stream, TimePoint now, bool eager) {
    set_eager(eager);
    if (asked_ != TimePoint{} && now - asked_ < kAskAgain) return;
    asked_ = now;
    const std::size_t before = most_unsent_;
    sample(io::tcp::link_info(stream.descriptor()), now);
    if (most_unsent_ != before)
        io::tcp::set_unsent_limit(stream.descriptor(), static_cast<std::uint32_t>(most_unsent_));
}

void Congestion::sample(const io::tcp::LinkInfo& info, TimePoint now) {
    queued_ = info.queued;
    if (began_ != TimePoint{} && info.acked >= acked_) {
        const std::uint64_t bytes = info.acked - acked_;
        if (now - began_ < (bytes < kPlenty ? kSample : kAskAgain)) return;
        const auto carried = static_cast<std::uint64_t>(static_cast<double>(bytes) * 1e9 /
                                                        static_cast<double>((now - began_).count()));
        if (eager_)
            rate_ = rate_ == 0 ? carried : (rate_ * 3 + carried) / 4;
        else if (rate_ > 0)
            rate_ = std::max(rate_, carried);
        const std::uint64_t part = std::bit_floor(std::max(rate_, carried) / kDelaysASecond);
        const bool known = rate_ > 0;
        most_a_frame_ =
            std::clamp<std::uint64_t>(part, known ? kLeastFrame : kFirstFrame, wire::kUsualFragment);
        most_unsent_ = std::clamp<std::uint64_t>(part, known ? kLeastUnsent : kFirstUnsent, kMostUnsent);
    }
    began_ = now;
    acked_ = info.acked;
    eager_ = true;
}

TimePoint Congestion::arrival(std::uint64_t bytes, TimePoint now) const {
    if (rate_ == 0) return now;
    return now + std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(queued_ + bytes) *
                                                                    1e9 / static_cast<double>(rate_)));
}

}  // namespace hawser::session
