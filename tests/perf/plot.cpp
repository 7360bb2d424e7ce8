#include "tests/perf/plot.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "tests/perf/table.h"

namespace hawser::perf {
namespace {

constexpr double kWidth = 760, kHeight = 420, kLeft = 76, kRight = 200, kTop = 44, kBottom = 56;
constexpr const char* kColours[] = {"#0b63b0", "#d1520f", "#2a8a3e", "#8a3fa0", "#666666", "#b0900b"};

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text)
        out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
    return out;
}

std::string coordinate(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f", value);
    return text;
}

// One axis: from data to pixels, and where its lines are.
struct Axis {
    bool log = false;
    double low = std::numeric_limits<double>::max(), high = std::numeric_limits<double>::lowest();
    double from = 0, to = 1;  // pixels

    bool shows(double value) const { return std::isfinite(value) && (!log || value > 0); }
    void see(double value) {
        low = std::min(low, value);
        high = std::max(high, value);
    }
    void settle() {
        if (low > high) low = log ? 1 : 0, high = log ? 10 : 1;
        if (log) {
            low = std::pow(10, std::floor(std::log10(low)));
            high = std::pow(10, std::ceil(std::log10(high)));
            if (low == high) high *= 10;
        } else {
            low = std::min(low, 0.0);
            if (low == high) high = low + 1;
            const double step = step_size();
            high = std::ceil(high / step) * step;
        }
    }
    double step_size() const {
        const double rough = (high - low) / 5, ten = std::pow(10, std::floor(std::log10(rough)));
        const double part = rough / ten;
        return ten * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
    }
    double at(double value) const {
        const double part = log ? (std::log10(value) - std::log10(low)) / (std::log10(high) - std::log10(low))
                                : (value - low) / (high - low);
        return from + part * (to - from);
    }
    std::vector<double> ticks() const {
        std::vector<double> found;
        if (log) {
            for (double tick = low; tick <= high * 1.001; tick *= 10) found.push_back(tick);
        } else {
            const double step = step_size();
            for (int i = 0; low + i * step <= high + step / 1000; ++i) found.push_back(low + i * step);
        }
        return found;
    }
};

std::string text_at(double x, double y, const std::string& text, const std::string& more = "") {
    return "<text x=\"" + coordinate(x) + "\" y=\"" + coordinate(y) + "\" " + more + ">" + escaped(text) +
           "</text>\n";
}

std::string line(double x1, double y1, double x2, double y2, const std::string& colour) {
    return "<line x1=\"" + coordinate(x1) + "\" y1=\"" + coordinate(y1) + "\" x2=\"" + coordinate(x2) +
           "\" y2=\"" + coordinate(y2) + "\" stroke=\"" + colour + "\"/>\n";
}

// 0.01, 100, 1k, 10k: short enough for an axis.
std::string tick_text(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value >= 1e6 ? value / 1e6 : value >= 1e4 ? value / 1e3 : value);
    return text + std::string(value >= 1e6 ? "M" : value >= 1e4 ? "k" : "");
}

}  // namespace

std::string svg(const Plot& plot) {
    Axis x{plot.log_x}, y{plot.log_y};
    x.from = kLeft, x.to = kWidth - kRight;
    y.from = kHeight - kBottom, y.to = kTop;
    for (const auto& series : plot.series) {
        for (const auto& [at, value] : series.points) {
            if (!x.shows(at) || !y.shows(value)) continue;
            x.see(at);
            y.see(value);
        }
    }
    x.settle();
    y.settle();
    std::string out =
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 420\" width=\"760\" height=\"420\" "
        "font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"760\" height=\"420\" fill=\"white\"/>\n";
    out += text_at(kLeft, 24, plot.title, "font-size=\"15\" font-weight=\"bold\"");
    for (const double tick : x.ticks()) {
        out += line(x.at(tick), y.from, x.at(tick), y.to, "#dddddd");
        out += text_at(x.at(tick), y.from + 18, tick_text(tick), "text-anchor=\"middle\"");
    }
    for (const double tick : y.ticks()) {
        out += line(x.from, y.at(tick), x.to, y.at(tick), "#dddddd");
        out += text_at(x.from - 8, y.at(tick) + 4, tick_text(tick), "text-anchor=\"end\"");
    }
    out += line(x.from, y.from, x.to, y.from, "#333333") + line(x.from, y.from, x.from, y.to, "#333333");
    out += text_at((x.from + x.to) / 2, kHeight - 14, plot.x_label, "text-anchor=\"middle\"");
    out += text_at(
        18, (y.from + y.to) / 2, plot.y_label,
        "text-anchor=\"middle\" transform=\"rotate(-90 18 " + coordinate((y.from + y.to) / 2) + ")\"");
    double legend = kTop + 8;
    std::size_t index = 0;
    for (const auto& series : plot.series) {
        const std::string colour = kColours[index++ % std::size(kColours)];
        std::string points, marks;
        for (const auto& [at, value] : series.points) {
            if (!x.shows(at) || !y.shows(value)) continue;
            points += coordinate(x.at(at)) + "," + coordinate(y.at(value)) + " ";
            if (series.marks)
                marks += "<circle cx=\"" + coordinate(x.at(at)) + "\" cy=\"" + coordinate(y.at(value)) +
                         "\" r=\"3\" fill=\"" + colour + "\"/>\n";
        }
        out += "<polyline fill=\"none\" stroke=\"" + colour + "\" stroke-width=\"2\" points=\"" + points +
               "\"/>\n" + marks;
        out += "<rect x=\"" + coordinate(kWidth - kRight + 14) + "\" y=\"" + coordinate(legend - 8) +
               "\" width=\"12\" height=\"4\" fill=\"" + colour + "\"/>\n";
        out += text_at(kWidth - kRight + 32, legend, series.name);
        legend += 20;
    }
    return out + "</svg>\n";
}

}  // namespace hawser::perf
