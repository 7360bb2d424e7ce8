#include "graph/build/link_check.h"

#include <gst/gst.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "runtime/base/text.h"

namespace hawser::graph {
namespace {

struct UnrefCaps {
    void operator()(GstCaps* caps) const { gst_caps_unref(caps); }
};
using Caps = std::unique_ptr<GstCaps, UnrefCaps>;

std::string quoted(const std::string& text) {
    return "\"" + text + "\"";
}

// All that pads of these templates may carry.
Caps joined(const std::vector<GstStaticPadTemplate*>& templates) {
    Caps all(gst_caps_new_empty());
    for (auto* pad : templates) {
        GstCaps* caps = gst_static_pad_template_get_caps(pad);
        all.reset(gst_caps_merge(all.release(), caps));
    }
    return all;
}

std::string media_types(const GstCaps* caps) {
    if (gst_caps_is_any(caps) != FALSE) return "anything";
    std::set<std::string> types;
    std::string text;
    for (guint i = 0; i < gst_caps_get_size(caps); ++i) {
        const std::string type = gst_structure_get_name(gst_caps_get_structure(caps, i));
        if (!types.insert(type).second) continue;
        if (types.size() > 6) return text + ", …";
        text += (text.empty() ? "" : ", ") + type;
    }
    return text.empty() ? "nothing" : text;
}

bool same_types(const GstCaps* one, const GstCaps* other) {
    return media_types(one) == media_types(other);
}

// Raw media of one kind that differ in format only need a converter.
std::string converter_hint(const GstCaps* gives, const GstCaps* takes) {
    if (!same_types(gives, takes)) return {};
    const std::string type = media_types(gives);
    if (type == "video/x-raw") return "; \"videoconvert\" or \"videoscale\" between them may help";
    if (type == "audio/x-raw") return "; \"audioconvert\" or \"audioresample\" between them may help";
    return {};
}

// What is wrong with a filter that does not go together with what its neighbour gives or takes: each field
// that cannot be, or the media type, and what was probably meant.
std::vector<LinkProblem> explain(const std::string& who, const char* never, const char* does,
                                 const LaunchCaps& filter, const GstCaps* wanted, const GstCaps* known,
                                 const std::optional<Span>& blamed) {
    const GstStructure* fields = gst_caps_get_structure(wanted, 0);
    const std::string type = gst_structure_get_name(fields);
    std::vector<std::string> types, near_types;
    for (guint i = 0; i < gst_caps_get_size(known); ++i)
        types.emplace_back(gst_structure_get_name(gst_caps_get_structure(known, i)));
    const bool type_known = std::find(types.begin(), types.end(), type) != types.end();
    std::vector<LinkProblem> problems;
    for (gint i = 0; type_known && gst_caps_get_size(wanted) == 1 && i < gst_structure_n_fields(fields);
         ++i) {
        const std::string field = gst_structure_nth_field_name(fields, static_cast<guint>(i));
        const GValue* value = gst_structure_get_value(fields, field.c_str());
        const Caps alone(gst_caps_new_empty_simple(type.c_str()));
        gst_caps_set_value(alone.get(), field.c_str(), value);
        gst_caps_set_features(alone.get(), 0, gst_caps_features_copy(gst_caps_get_features(wanted, 0)));
        const std::size_t at = filter.text.find(field);
        if (gst_caps_can_intersect(alone.get(), known) != FALSE || at == std::string::npos) continue;
        gchar* text = gst_value_serialize(value);
        const std::string given = text != nullptr ? text : "";
        g_free(text);
        std::string hint;
        if (G_VALUE_HOLDS_INT(value) && (field == "framerate" || field == "pixel-aspect-ratio"))
            hint = field + " is a fraction: " + field + "=" + given + "/1";
        else if (const std::string converter = converter_hint(known, wanted); !converter.empty())
            hint = converter.substr(2);
        problems.push_back({Span{filter.at.offset + at, field.size()},
                            quoted(who) + " " + never + " " + type + " with " + field + "=" + given, hint});
    }
    if (!problems.empty()) return problems;
    // "audio/x-raw" is near "video/x-raw", and not what was meant by it.
    const std::string kind = type.substr(0, type.find('/') + 1);
    const bool kind_known =
        kind == "video/" || kind == "audio/" || kind == "image/" || kind == "text/" || kind == "application/";
    for (const std::string& candidate : types)
        if (!kind_known || candidate.starts_with(kind)) near_types.push_back(candidate);
    const std::string near = type_known ? std::string() : nearest(type, near_types);
    if (blamed)
        return {{*blamed, quoted(who) + " " + never + " " + media_types(wanted) + " with these fields",
                 std::string("it ") + does + " " + media_types(known) + converter_hint(known, wanted)}};
    if (!near.empty())
        return {{Span{filter.at.offset, std::min(type.size(), filter.at.length)},
                 quoted(who) + " " + never + " " + media_types(wanted), "did you mean \"" + near + "\"?"}};
    return {{filter.at, quoted(who) + " " + never + " " + media_types(wanted) + " with these fields",
             std::string("it ") + does + " " + media_types(known) + converter_hint(known, wanted)}};
}

// Fields of raw media that are near a known one: caps may have any field, so a misspelt one would only have
// no effect.
void find_misspelt(const LaunchCaps& filter, const GstCaps* wanted, std::vector<LinkProblem>& problems) {
    static const std::vector<std::string> kVideo{
        "format",          "width",       "height",      "framerate",     "pixel-aspect-ratio",
        "interlace-mode",  "colorimetry", "chroma-site", "max-framerate", "multiview-mode",
        "multiview-flags", "field-order", "views"};
    static const std::vector<std::string> kAudio{"format", "rate", "channels", "layout", "channel-mask"};
    for (guint i = 0; i < gst_caps_get_size(wanted); ++i) {
        const GstStructure* fields = gst_caps_get_structure(wanted, i);
        const std::string type = gst_structure_get_name(fields);
        if (type != "video/x-raw" && type != "audio/x-raw") continue;
        const std::vector<std::string>& known = type == "video/x-raw" ? kVideo : kAudio;
        for (gint n = 0; n < gst_structure_n_fields(fields); ++n) {
            const std::string field = gst_structure_nth_field_name(fields, static_cast<guint>(n));
            const std::size_t at = filter.text.find(field);
            if (std::find(known.begin(), known.end(), field) != known.end() || at == std::string::npos)
                continue;
            if (const std::string near = nearest(field, known); !near.empty())
                problems.push_back({Span{filter.at.offset + at, field.size()},
                                    type + " has no field " + quoted(field) + ": it has no effect",
                                    "did you mean \"" + near + "\"?", true});
        }
    }
}

}  // namespace

std::vector<LinkProblem> check_link(const LinkSide& from, const LaunchCaps* filter, const LinkSide& to) {
    std::vector<LinkProblem> problems;
    Caps gives, takes, wanted;
    if (filter != nullptr) {
        wanted.reset(gst_caps_from_string(filter->text.c_str()));
        if (!wanted)
            problems.push_back({filter->at, "these are no caps: " + quoted(filter->text),
                                "expected media/type, field=value, …: video/x-raw, width=320"});
        else
            find_misspelt(*filter, wanted.get(), problems);
    }
    if (from.factory != nullptr) {
        if (from.factory->templates(GST_PAD_SRC).empty())
            problems.push_back({from.at, quoted(from.name) + " has no output: nothing can follow it", {}});
        else
            gives = joined(from.factory->templates(GST_PAD_SRC, from.pad));
    }
    if (to.factory != nullptr) {
        if (to.factory->templates(GST_PAD_SINK).empty())
            problems.push_back({to.at, quoted(to.name) + " has no input: nothing can be linked to it", {}});
        else
            takes = joined(to.factory->templates(GST_PAD_SINK, to.pad));
    }
    // A pad that is not there was reported where it is named.
    if (gives && gst_caps_is_empty(gives.get()) != FALSE && !from.pad.empty()) gives.reset();
    if (takes && gst_caps_is_empty(takes.get()) != FALSE && !to.pad.empty()) takes.reset();

    if (gives && wanted && gst_caps_can_intersect(gives.get(), wanted.get()) == FALSE) {
        for (auto& problem :
             explain(from.name, "never gives", "gives", *filter, wanted.get(), gives.get(), std::nullopt))
            problems.push_back(std::move(problem));
        return problems;
    }
    if (takes && wanted && gst_caps_can_intersect(wanted.get(), takes.get()) == FALSE) {
        for (auto& problem : explain(to.name, "never takes", "takes", *filter, wanted.get(), takes.get(),
                                     gives ? std::optional<Span>(to.at) : std::nullopt))
            problems.push_back(std::move(problem));
        return problems;
    }
    if (!gives || !takes) return problems;
    const Caps between(wanted ? gst_caps_intersect(gives.get(), wanted.get()) : gst_caps_ref(gives.get()));
    if (gst_caps_can_intersect(between.get(), takes.get()) == FALSE)
        problems.push_back({to.at, quoted(from.name) + " can never be linked to " + quoted(to.name),
                            quoted(from.name) + " gives " + media_types(gives.get()) + ", " +
                                quoted(to.name) + " takes " + media_types(takes.get()) +
                                converter_hint(gives.get(), takes.get())});
    return problems;
}

}  // namespace hawser::graph
