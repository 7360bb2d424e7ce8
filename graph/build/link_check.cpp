#include "graph/build/link_check.h"

#include <gst/gst.h>

#include <memory>
#include <set>

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

}  // namespace

std::vector<LinkProblem> check_link(const LinkSide& from, const LaunchCaps* filter, const LinkSide& to) {
    std::vector<LinkProblem> problems;
    Caps gives, takes, wanted;
    if (filter != nullptr) {
        wanted.reset(gst_caps_from_string(filter->text.c_str()));
        if (!wanted)
            problems.push_back({filter->at, "these are no caps: " + quoted(filter->text),
                                "expected media/type, field=value, …: video/x-raw, width=320"});
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
        problems.push_back(
            {filter->at,
             quoted(from.name) + " never gives " + media_types(wanted.get()) + " with these fields",
             "it gives " + media_types(gives.get()) + converter_hint(gives.get(), wanted.get())});
        return problems;
    }
    if (takes && wanted && gst_caps_can_intersect(wanted.get(), takes.get()) == FALSE) {
        problems.push_back(
            {to.at, quoted(to.name) + " never takes " + media_types(wanted.get()) + " with these fields",
             "it takes " + media_types(takes.get()) + converter_hint(wanted.get(), takes.get())});
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
