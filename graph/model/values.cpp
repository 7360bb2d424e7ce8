#include "graph/model/values.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

namespace hawser::graph {
namespace {

bool is_alpha(char c) {
    return std::isalpha(static_cast<unsigned char>(c)) != 0;
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_alnum(char c) {
    return is_alpha(c) || is_digit(c);
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

std::optional<std::uint32_t> parse_count(std::string_view text) {
    std::uint32_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return count;
}

}  // namespace

std::optional<std::uint64_t> parse_duration_ms(std::string_view text) {
    text = trim(text);
    std::size_t digits = 0;
    while (digits < text.size() && (is_digit(text[digits]) || text[digits] == '.')) ++digits;
    if (digits == 0 || digits > 20 || !is_digit(text[0])) return std::nullopt;
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + digits, number);
    if (error != std::errc() || end != text.data() + digits) return std::nullopt;
    const std::string_view unit = trim(text.substr(digits));
    const double factor = unit == "ms"  ? 1
                          : unit == "s" ? 1e3
                          : unit == "m" ? 60e3
                          : unit == "h" ? 3600e3
                                        : 0;
    const double ms = std::round(number * factor);
    if (!(ms >= 1 && ms <= 1000 * 3600e3)) return std::nullopt;
    return static_cast<std::uint64_t>(ms);
}

std::optional<DurationRange> parse_duration_range(std::string_view text) {
    // The range's two points touch a number that may hold a point itself: "1s..2s" splits at the first "..".
    const std::size_t dots = text.find("..");
    const auto min = parse_duration_ms(text.substr(0, dots));
    const auto max = dots == std::string_view::npos ? min : parse_duration_ms(text.substr(dots + 2));
    if (!min || !max || *min > *max) return std::nullopt;
    return DurationRange{*min, *max};
}

std::optional<Intensity> parse_intensity(std::string_view text) {
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const auto count = parse_count(trim(text.substr(0, slash)));
    const auto window = parse_duration_ms(text.substr(slash + 1));
    if (!count || !window) return std::nullopt;
    return Intensity{*count, *window};
}

bool is_address(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return false;
    const auto port = parse_count(text.substr(colon + 1));
    if (!port || *port > 65535) return false;
    const std::string_view host = text.substr(0, colon);
    if (host.front() == '[')
        return host.size() > 3 && host.back() == ']' && host.find(':') != std::string_view::npos &&
               std::all_of(host.begin() + 1, host.end() - 1, [](char c) {
                   return std::isxdigit(static_cast<unsigned char>(c)) != 0 || c == ':' || c == '.' ||
                          c == '%';
               });
    return std::all_of(host.begin(), host.end(),
                       [](char c) { return is_alnum(c) || c == '.' || c == '-' || c == '_'; });
}

bool is_pipeline_name(std::string_view text) {
    return !text.empty() && text.size() <= 100 && is_alnum(text[0]) &&
           std::all_of(text.begin(), text.end(),
                       [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; });
}

bool is_variable_name(std::string_view text) {
    return !text.empty() && (is_alpha(text[0]) || text[0] == '_') &&
           std::all_of(text.begin(), text.end(), [](char c) { return is_alnum(c) || c == '_' || c == '-'; });
}

std::size_t valid_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto lead = static_cast<unsigned char>(text[at]);
        const std::size_t more = lead < 0x80                   ? 0
                                 : lead >= 0xc2 && lead < 0xe0 ? 1
                                 : lead >= 0xe0 && lead < 0xf0 ? 2
                                 : lead >= 0xf0 && lead < 0xf5 ? 3
                                                               : 4;
        if (more == 4 || at + more >= text.size()) return at;
        std::uint32_t code = more == 0 ? lead : lead & (0x3fU >> more);
        for (std::size_t i = 1; i <= more; ++i) {
            const auto next = static_cast<unsigned char>(text[at + i]);
            if ((next & 0xc0) != 0x80) return at;
            code = (code << 6) | (next & 0x3fU);
        }
        const bool overlong = (more == 2 && code < 0x800) || (more == 3 && code < 0x10000);
        if (overlong || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff) return at;
        at += more + 1;
    }
    return text.size();
}

bool is_utf8(std::string_view text) {
    return valid_utf8(text) == text.size();
}

}  // namespace hawser::graph
