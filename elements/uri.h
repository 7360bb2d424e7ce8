// hawser://host:port/stream?key=value, where each key is a property of the element.
#pragma once

#include <gst/gst.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "elements/link_properties.h"
#include "runtime/base/result.h"

namespace hawser::elements {

struct Uri {
    std::string host;  // without brackets; empty where the URI has none (a listener on all interfaces)
    std::optional<std::uint16_t> port;
    std::string path;                                        // begins with "/"
    std::vector<std::pair<std::string, std::string>> query;  // decoded, in no particular order

    static Result<Uri> parse(const char* text);
};

// Checks the whole of `text` against the properties of `element` and then sets them: all or nothing.
// Properties that the URI before it had set go back to their defaults. For GstURIHandler::set_uri and the
// property `uri`; `settings` are the element's own.
bool apply_uri(GstElement* element, LinkSettings& settings, const char* text, GError** error);

// The URI that stands for the element's present properties; those with a default value are left out.
std::string current_uri(GstElement* element, const LinkSettings& settings);

}  // namespace hawser::elements
