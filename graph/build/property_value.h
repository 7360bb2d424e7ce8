// Values of properties as gst-launch text gives them. Internal to graph/build.
#pragma once

#include <gst/gst.h>

#include <optional>
#include <string>

namespace hawser::graph {

// What is wrong with a value.
struct ValueProblem {
    std::string message;   // "cannot be "fast""
    std::string expected;  // "one of: …", "a number from 0 to 51"; may be empty
};

// Would the element take `text` for this property? nullopt: it would.
std::optional<ValueProblem> check_value(GParamSpec* property, const std::string& text);

}  // namespace hawser::graph
