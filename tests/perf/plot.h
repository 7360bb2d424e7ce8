// Curves as a stand-alone SVG file.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace hawser::perf {

struct Plot {
    struct Series {
        std::string name;
        std::vector<std::pair<double, double>> points;  // in ascending x
        bool marks = true;                              // a dot at each point
    };
    std::string name;  // of the file: NAME.svg
    std::string title, x_label, y_label;
    bool log_x = false, log_y = false;  // points at or below 0 are left out there
    std::vector<Series> series;
};

std::string svg(const Plot& plot);

}  // namespace hawser::perf
