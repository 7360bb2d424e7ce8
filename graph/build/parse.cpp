#include "graph/build/parse.h"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace hawser::graph {
namespace {

// GStreamer's message names elements, quoted or bare; the last one in the text's order that it names is where
// it went wrong.
std::optional<Span> place_of(const std::string& message, const LaunchText& text) {
    std::optional<Span> at;
    std::string word;
    for (std::size_t i = 0; i <= message.size(); ++i) {
        const char c = i < message.size() ? message[i] : ' ';
        if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-') {
            word += c;
            continue;
        }
        for (const auto& element : text.elements)
            if (!word.empty() && (element.name == word || (element.name.empty() && element.factory == word) ||
                                  automatic_name(text, word) == &element))
                if (!at || element.at.offset > at->offset) at = element.at;
        word.clear();
    }
    return at;
}

}  // namespace

const LaunchElement* automatic_name(const LaunchText& text, const std::string& name) {
    std::size_t digits = name.size();
    while (digits > 0 && std::isdigit(static_cast<unsigned char>(name[digits - 1])) != 0) --digits;
    if (digits == name.size()) return nullptr;
    // The counter is the process's, not the text's, so any number may mean any of them: the first stands for
    // all.
    const std::string_view factory = std::string_view(name).substr(0, digits);
    const auto found = std::find_if(text.elements.begin(), text.elements.end(), [&](const LaunchElement& e) {
        return e.name.empty() && e.factory == factory;
    });
    return found == text.elements.end() ? nullptr : &*found;
}

std::string with_ends(const std::string& launch, bool has_in, bool has_out) {
    const LaunchText text = parse_launch_text(launch);
    std::string ends;
    if (has_in && text.element_named("in") == nullptr) ends += "hawsersrc name=in ";
    if (has_out && text.element_named("out") == nullptr) ends += "hawsersink name=out ";
    return ends + launch;
}

Parsed parse_launch(const std::string& launch, bool has_in, bool has_out) {
    Parsed result;
    const LaunchText text = parse_launch_text(launch);
    // Text that begins with a link would take the end in front of it for the link's source.
    if (!text.problems.empty()) {
        result.problem = text.problems.front().message;
        result.at = text.problems.front().at;
        return result;
    }
    GError* error = nullptr;
    GstElement* made = gst_parse_launch_full(with_ends(launch, has_in, has_out).c_str(), nullptr,
                                             GST_PARSE_FLAG_FATAL_ERRORS, &error);
    if (made != nullptr && error == nullptr) {
        gst_object_ref_sink(made);
        if (GST_IS_PIPELINE(made)) {
            result.pipeline = made;
            return result;
        }
        result.pipeline = GST_ELEMENT(gst_object_ref_sink(gst_pipeline_new(nullptr)));  // a single element
        gst_bin_add(GST_BIN(result.pipeline), made);
        gst_object_unref(made);
        return result;
    }
    if (made != nullptr) gst_object_unref(gst_object_ref_sink(made));
    result.problem = error != nullptr ? error->message : "GStreamer cannot make a pipeline of this text";
    result.missing_element =
        g_error_matches(error, GST_PARSE_ERROR, GST_PARSE_ERROR_NO_SUCH_ELEMENT) != FALSE;
    result.at = place_of(result.problem, text);
    g_clear_error(&error);
    return result;
}

}  // namespace hawser::graph
