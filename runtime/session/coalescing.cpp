#include "runtime/session/coalescing.h"

#include <algorithm>

namespace hawser::session {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr Duration kWindow = milliseconds(20);
constexpr Duration kLeast = microseconds(200);
constexpr Duration kMost = milliseconds(50);
// Where a writer comes again, who sends 126 KiB of a dense stream each time: well before this is over.
constexpr Duration kUntilHeComes = microseconds(800);
// Parts of the window in percent: more work than the one lengthens the rest, less than the other shortens it.
// Close to each other, and high: what a client gets late by is a pass over all of them and a rest.
constexpr std::uint64_t kTooBusy = 85;
constexpr std::uint64_t kAtEase = 75;
// A stream with objects closer together than this keeps a reactor awake for each of them.
constexpr Duration kDense = microseconds(50);
// So many of them: where the streaming thread sends by itself, each turn sees one, and so do two tracks whose
// objects come together.
constexpr std::uint64_t kInARow = 8;

}  // namespace

Duration Coalescing::rest(TimePoint now, std::uint64_t busy, std::uint64_t published, bool comes_again) {
    const Duration since = now - last_;
    const std::uint64_t objects = published - published_;
    last_ = now;
    published_ = published;
    if (fixed_ >= Duration::zero()) return fixed_;
    if (now - measured_ >= kWindow) {
        const auto window = static_cast<std::uint64_t>((now - measured_).count());
        const std::uint64_t percent = (busy - busy_) * 100 / window;
        if (percent > kTooBusy) {
            load_ = std::clamp(load_ + load_ / 2, kLeast, kMost);
        } else if (percent < kAtEase) {
            load_ = load_ * 2 / 3;
            if (load_ < kLeast) load_ = {};
        }
        measured_ = now;
        busy_ = busy;
    }
    const bool close = objects > 0 && since < kDense * static_cast<std::int64_t>(objects);
    in_a_row_ = close ? std::min(in_a_row_ + objects, kInARow) : 0;
    const bool dense = close && (objects > 1 || in_a_row_ == kInARow);
    return dense ? std::max(load_, comes_again ? kUntilHeComes : kLeast) : load_;
}

}  // namespace hawser::session
