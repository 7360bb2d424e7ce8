#include "graph/build/property_value.h"

#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <vector>

#include "runtime/base/text.h"

namespace hawser::graph {
namespace {

template <typename Number>
std::string from_to(Number least, Number most, const char* what) {
    std::ostringstream text;
    text << what << " from " << least << " to " << most;
    return text.str();
}

std::string enum_names(GParamSpec* property, const std::string& given) {
    auto* type = static_cast<GEnumClass*>(g_type_class_ref(property->value_type));
    std::vector<std::string> names;
    for (guint i = 0; i < type->n_values; ++i) names.emplace_back(type->values[i].value_nick);
    g_type_class_unref(type);
    const std::string near = nearest(given, names);
    if (!near.empty()) return "did you mean \"" + near + "\"?";
    std::string text = "one of:";
    for (std::size_t i = 0; i < names.size() && i < 24; ++i) text += " " + names[i];
    return names.size() > 24 ? text + " …" : text;
}

std::string flag_names(GParamSpec* property) {
    auto* type = static_cast<GFlagsClass*>(g_type_class_ref(property->value_type));
    std::string text = "some of, joined by \"+\":";
    for (guint i = 0; i < type->n_values && i < 24; ++i)
        text += std::string(" ") + type->values[i].value_nick;
    g_type_class_unref(type);
    return text;
}

std::string expected(GParamSpec* property, const std::string& given) {
    if (G_IS_PARAM_SPEC_ENUM(property)) return enum_names(property, given);
    if (G_IS_PARAM_SPEC_FLAGS(property)) return flag_names(property);
    if (G_IS_PARAM_SPEC_BOOLEAN(property)) return "expected true or false";
    if (G_IS_PARAM_SPEC_INT(property))
        return from_to(G_PARAM_SPEC_INT(property)->minimum, G_PARAM_SPEC_INT(property)->maximum,
                       "expected a number");
    if (G_IS_PARAM_SPEC_UINT(property))
        return from_to(G_PARAM_SPEC_UINT(property)->minimum, G_PARAM_SPEC_UINT(property)->maximum,
                       "expected a number");
    if (G_IS_PARAM_SPEC_INT64(property))
        return from_to(G_PARAM_SPEC_INT64(property)->minimum, G_PARAM_SPEC_INT64(property)->maximum,
                       "expected a number");
    if (G_IS_PARAM_SPEC_UINT64(property))
        return from_to(G_PARAM_SPEC_UINT64(property)->minimum, G_PARAM_SPEC_UINT64(property)->maximum,
                       "expected a number");
    if (G_IS_PARAM_SPEC_DOUBLE(property))
        return from_to(G_PARAM_SPEC_DOUBLE(property)->minimum, G_PARAM_SPEC_DOUBLE(property)->maximum,
                       "expected a number");
    if (G_IS_PARAM_SPEC_FLOAT(property))
        return from_to(G_PARAM_SPEC_FLOAT(property)->minimum, G_PARAM_SPEC_FLOAT(property)->maximum,
                       "expected a number");
    if (GST_IS_PARAM_SPEC_FRACTION(property)) return "expected a fraction: 30/1";
    if (property->value_type == GST_TYPE_CAPS) return "expected caps: video/x-raw,width=320";
    return std::string("expected a ") + g_type_name(property->value_type);
}

bool is_number(GParamSpec* property) {
    return G_IS_PARAM_SPEC_INT(property) || G_IS_PARAM_SPEC_UINT(property) ||
           G_IS_PARAM_SPEC_INT64(property) || G_IS_PARAM_SPEC_UINT64(property) ||
           G_IS_PARAM_SPEC_DOUBLE(property) || G_IS_PARAM_SPEC_FLOAT(property);
}

// A whole number beyond the property's bounds, which GStreamer would cut to its type's width.
bool out_of_range(GParamSpec* property, const std::string& text) {
    char* end = nullptr;
    errno = 0;
    const long long value = std::strtoll(text.c_str(), &end, 0);
    if (end == text.c_str() || *end != '\0') return false;
    const bool beyond = errno == ERANGE;
    if (G_IS_PARAM_SPEC_INT(property))
        return beyond || value < G_PARAM_SPEC_INT(property)->minimum ||
               value > G_PARAM_SPEC_INT(property)->maximum;
    // −1 is a custom for the highest there is.
    if (G_IS_PARAM_SPEC_UINT(property)) return beyond || value > G_PARAM_SPEC_UINT(property)->maximum;
    return false;
}

}  // namespace

std::optional<ValueProblem> check_value(GParamSpec* property, const std::string& text) {
    if ((property->flags & G_PARAM_WRITABLE) == 0) return ValueProblem{"is read-only", {}};
    // Another pipeline as a value ("video-sink=…"): gst_parse_launch() itself checks that.
    if (g_type_is_a(property->value_type, GST_TYPE_ELEMENT)) return std::nullopt;
    GValue value = G_VALUE_INIT;
    g_value_init(&value, property->value_type);
    bool fits = gst_value_deserialize_with_pspec(&value, text.c_str(), property) != FALSE;
    // Out of its range a number would be bent silently.
    if (fits && is_number(property)) fits = g_param_value_validate(property, &value) == FALSE;
    fits = fits && !out_of_range(property, text);
    g_value_unset(&value);
    if (fits) return std::nullopt;
    return ValueProblem{"cannot be \"" + text + "\"", expected(property, text)};
}

}  // namespace hawser::graph
