#include "runtime/base/text.h"

#include <algorithm>
#include <cstdio>

#include "runtime/base/result.h"

namespace hawser {
namespace {

// Edit distance with transpositions of neighbours counted as one (Damerau 1964, restricted form).
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        before.swap(last);
        last.swap(row);
    }
    return last[b.size()];
}

std::string scaled(double value, const char* unit) {
    char text[48];
    std::snprintf(text, sizeof text,
                  value < 10    ? "%.2f %s"
                  : value < 100 ? "%.1f %s"
                                : "%.0f %s",
                  value, unit);
    return text;
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
    std::string best;
    std::size_t least = 2 + word.size() / 3;
    for (const auto& candidate : candidates) {
        const std::size_t distance = edit_distance(word, candidate);
        if (distance < least) {
            least = distance;
            best = candidate;
        }
    }
    return best;
}

std::string format_duration(std::int64_t ns) {
    const double value = static_cast<double>(ns);
    const double size = value < 0 ? -value : value;
    if (size < 1e3) return std::to_string(ns) + " ns";
    if (size < 1e6) return scaled(value / 1e3, "µs");
    if (size < 1e9) return scaled(value / 1e6, "ms");
    return scaled(value / 1e9, "s");
}

std::string format_bytes(std::uint64_t bytes) {
    const double value = static_cast<double>(bytes);
    if (value < 1e3) return std::to_string(bytes) + " B";
    if (value < 1e6) return scaled(value / 1e3, "kB");
    if (value < 1e9) return scaled(value / 1e6, "MB");
    return scaled(value / 1e9, "GB");
}

std::string printable(std::string_view bytes, std::size_t limit) {
    std::string text;
    for (const char c : bytes.substr(0, limit)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f && c != '\\') {
            text += c;
        } else {
            char escaped[8];
            std::snprintf(escaped, sizeof escaped, "\\x%02x", byte);
            text += escaped;
        }
    }
    if (bytes.size() > limit) text += "…";
    return text;
}

const char* to_string(Errc code) {
    switch (code) {
        case Errc::Invalid:
            return "invalid";
        case Errc::NotFound:
            return "not-found";
        case Errc::AddressInUse:
            return "address-in-use";
        case Errc::Refused:
            return "refused";
        case Errc::Unreachable:
            return "unreachable";
        case Errc::TimedOut:
            return "timed-out";
        case Errc::Closed:
            return "closed";
        case Errc::Protocol:
            return "protocol";
        case Errc::Version:
            return "version";
        case Errc::Denied:
            return "denied";
        case Errc::Busy:
            return "busy";
        case Errc::NoResource:
            return "no-resource";
        case Errc::Cancelled:
            return "cancelled";
        case Errc::Internal:
            return "internal";
    }
    return "unknown";
}

}  // namespace hawser
