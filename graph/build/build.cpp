#include "graph/build/build.h"

#include <algorithm>
#include <vector>

#include "graph/build/launch_check.h"
#include "graph/build/parse.h"
#include "graph/build/property_value.h"
#include "graph/model/diagnostic.h"
#include "runtime/base/text.h"

namespace hawser::graph {
namespace {

bool has_end(const control::Setup& setup, const char* name) {
    return std::any_of(setup.ends().begin(), setup.ends().end(),
                       [&](const control::LinkEnd& end) { return end.element() == name; });
}

Result<void> set_property(GstElement* element, const std::string& name, const std::string& text) {
    const std::string what = "property \"" + name + "\" of \"" + GST_OBJECT_NAME(element) + "\"";
    GParamSpec* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), name.c_str());
    if (spec == nullptr)
        return Error{Errc::Invalid,
                     what + " does not exist: the element is a " + G_OBJECT_TYPE_NAME(element)};
    if (const auto problem = check_value(spec, text))
        return Error{Errc::Invalid, what + " " + problem->message +
                                        (problem->expected.empty() ? "" : ": " + problem->expected)};
    gst_util_set_object_arg(G_OBJECT(element), name.c_str(), text.c_str());
    return {};
}

Result<void> set_end(GstElement* pipeline, const control::LinkEnd& end) {
    GstElement* element = gst_bin_get_by_name(GST_BIN(pipeline), end.element().c_str());
    if (element == nullptr)
        return Error{Errc::NotFound,
                     "no element named \"" + end.element() +
                         "\" for the link's end: name it in the launch text, or call it \"in\" or \"out\""};
    Result<void> done;
    // The uri first: its query sets properties too, and what the link asks for goes above it.
    if (!end.uri().empty()) done = set_property(element, "uri", end.uri());
    for (const auto& [name, value] : end.properties())
        if (done) done = set_property(element, name, value);
    gst_object_unref(element);
    return done;
}

// Why the text cannot be parsed, with the best that check_launch() can tell.
Error explain(const control::Setup& setup, const Parsed& parsed) {
    Pipeline pipeline;
    pipeline.set_name(setup.pipeline());
    pipeline.set_launch(setup.launch());
    Diagnostics diagnostics;
    if (parsed.at)
        add_error(diagnostics, locate(pipeline, parsed.at->offset, parsed.at->length), parsed.problem);
    Diagnostics checked;
    check_launch(pipeline, has_end(setup, "in"), has_end(setup, "out"), checked);
    sort_diagnostics(checked);
    if (checked.diagnostics_size() > 0) diagnostics = checked;
    std::string message = parsed.problem;
    if (diagnostics.diagnostics_size() > 0) {
        const Diagnostic& first = diagnostics.diagnostics(0);
        const std::string where = to_string(first.location());
        message = (where.empty() ? "" : where + ": ") + first.message() +
                  (first.hint().empty() ? "" : "; " + first.hint());
    }
    return {parsed.missing_element ? Errc::NotFound : Errc::Invalid, message};
}

}  // namespace

std::string complete_launch(const control::Setup& setup) {
    return with_ends(setup.launch(), has_end(setup, "in"), has_end(setup, "out"));
}

Result<GstElement*> build_pipeline(const control::Setup& setup) {
    Parsed parsed = parse_launch(setup.launch(), has_end(setup, "in"), has_end(setup, "out"));
    if (parsed.pipeline == nullptr) return explain(setup, parsed);
    if (!setup.pipeline().empty()) gst_object_set_name(GST_OBJECT(parsed.pipeline), setup.pipeline().c_str());
    for (const auto& end : setup.ends()) {
        if (auto done = set_end(parsed.pipeline, end); !done) {
            gst_object_unref(parsed.pipeline);
            return done.error();
        }
    }
    return parsed.pipeline;
}

}  // namespace hawser::graph
