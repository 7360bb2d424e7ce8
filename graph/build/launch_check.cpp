#include "graph/build/launch_check.h"

#include <gst/gst.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "graph/build/factories.h"
#include "graph/build/link_check.h"
#include "graph/build/parse.h"
#include "graph/build/property_value.h"
#include "graph/model/launch_text.h"
#include "graph/model/variables.h"

namespace hawser::graph {
namespace {

std::string quoted(const std::string& text) {
    return "\"" + text + "\"";
}

class LaunchCheck {
  public:
    LaunchCheck(const Pipeline& pipeline, bool has_in, bool has_out, Diagnostics& diagnostics)
        : pipeline_(pipeline), diagnostics_(diagnostics), text_(parse_launch_text(pipeline.launch())) {
        if (has_in) ends_.insert("in");
        if (has_out) ends_.insert("out");
    }

    void run() {
        if (text_.nodes.empty()) return;  // check() has said so
        const int before = diagnostics_.diagnostics_size();
        for (const auto& element : text_.elements) check_element(element);
        check_ends();
        check_names();
        for (const auto& reference : text_.references) check_reference(reference);
        for (const Span& uri : text_.uris) check_uri(uri);
        const bool sound = diagnostics_.diagnostics_size() == before && text_.problems.empty();
        check_links();
        if (sound && diagnostics_.diagnostics_size() == before && complete()) try_parse();
        check_loose_ends();
    }

  private:
    void error(const Span& at, std::string message, std::string hint = {}, bool warning = false) {
        if (is_unset(std::string_view(pipeline_.launch()).substr(at.offset, at.length))) return;
        (warning ? add_warning : add_error)(diagnostics_, locate(pipeline_, at.offset, at.length),
                                            std::move(message), std::move(hint));
    }

    const Factory& factory(const std::string& name) {
        return factories_.try_emplace(name, name).first->second;
    }

    void check_element(const LaunchElement& element) {
        const Factory& made = factory(element.factory);
        if (!made.exists()) {
            std::string hint = element.factory == "in" || element.factory == "out"
                                   ? "the link's end is written with a point: \"" + element.factory + ".\""
                                   : did_you_mean(element.factory, element_names());
            if (hint.empty())
                hint = "is its plugin installed? `gst-inspect-1.0` lists the elements there are";
            return error(element.at, "no element " + quoted(element.factory), hint);
        }
        if (!made.loaded())
            return error(element.at, "the plugin of element " + quoted(element.factory) + " does not load",
                         "`gst-inspect-1.0 " + element.factory + "` may tell why");
        for (const auto& property : element.properties) check_property(element, made, property);
    }

    void check_property(const LaunchElement& element, const Factory& made, const LaunchProperty& property) {
        // A child's property: the child comes into being later.
        if (property.name.find("::") != std::string::npos && made.is_child_proxy()) return;
        GParamSpec* spec = made.property(property.name);
        if (spec == nullptr) {
            std::string hint = did_you_mean(property.name, made.property_names());
            if (hint.empty()) hint = "`gst-inspect-1.0 " + element.factory + "` lists its properties";
            return error(property.name_at,
                         quoted(element.factory) + " has no property " + quoted(property.name), hint);
        }
        if (property.name == "uri" && !is_unset(property.value)) check_protocol(element, made, property);
        if (const auto problem = check_value(spec, property.value))
            error(property.value_at,
                  "property " + quoted(property.name) + " of " + quoted(element.factory) + " " +
                      problem->message,
                  problem->expected);
    }

    // Of an element that handles URIs itself.
    void check_protocol(const LaunchElement& element, const Factory& made, const LaunchProperty& property) {
        const std::vector<std::string> protocols = made.protocols();
        const std::size_t colon = property.value.find("://");
        if (protocols.empty() || colon == std::string::npos) return;
        const std::string given = property.value.substr(0, colon);
        if (std::find(protocols.begin(), protocols.end(), given) != protocols.end()) return;
        std::string known;
        for (const auto& protocol : protocols) known += " " + protocol + "://";
        error(property.value_at, quoted(element.factory) + " does not know " + quoted(given + "://"),
              "it knows:" + known);
    }

    // False where a value is not known, or an end that no link has is referred to: both were reported.
    bool complete() const {
        return !is_unset(pipeline_.launch()) &&
               std::none_of(text_.references.begin(), text_.references.end(), [&](const LaunchReference& r) {
                   return (r.element == "in" || r.element == "out") && ends_.count(r.element) == 0 &&
                          text_.element_named(r.element) == nullptr;
               });
    }

    // An element with an output that nothing is linked to, where another one follows: a "!" was forgotten.
    void check_loose_ends() {
        if (has_bins()) return;
        for (std::size_t i = 0; i + 1 < text_.nodes.size(); ++i) {
            const LaunchNode& node = text_.nodes[i];
            const LaunchNode& next = text_.nodes[i + 1];
            if (node.kind != LaunchNodeKind::Element || node.linked_right ||
                next.kind != LaunchNodeKind::Element || next.linked_left)
                continue;
            const LaunchElement& element = text_.elements[node.index];
            const LaunchElement& follower = text_.elements[next.index];
            const bool referred =
                !element.name.empty() ||
                std::any_of(text_.references.begin(), text_.references.end(), [&](const LaunchReference& r) {
                    return r.element.empty() || automatic_name(text_, r.element) == &element;
                });
            const auto outputs = factory(element.factory).templates(GST_PAD_SRC);
            if (referred || factory(follower.factory).templates(GST_PAD_SINK).empty() ||
                std::none_of(outputs.begin(), outputs.end(),
                             [](const auto* pad) { return pad->presence == GST_PAD_ALWAYS; }))
                continue;
            add_warning(diagnostics_, locate(pipeline_, element.at.offset, element.at.length),
                        "nothing is linked to the output of " + quoted(element.factory),
                        "is a \"!\" missing before " + quoted(follower.factory) + "?");
        }
    }

    // The ends that the runtime adds.
    void check_ends() {
        for (const auto& end : ends_) {
            const char* name = end == "in" ? "hawsersrc" : "hawsersink";
            if (text_.element_named(end) != nullptr || factory(name).exists()) continue;
            add_error(diagnostics_, pipeline_.launch_location(),
                      std::string("no element \"") + name + "\" for this pipeline's " + quoted(end + "."),
                      "install Hawser's GStreamer plugin, or name its folder in GST_PLUGIN_PATH");
        }
    }

    bool has_bins() const {
        return std::any_of(text_.elements.begin(), text_.elements.end(),
                           [](const LaunchElement& e) { return e.bin; });
    }

    void check_names() {
        if (has_bins()) return;  // each has names of its own
        std::set<std::string> names;
        for (const auto& element : text_.elements)
            if (!element.name.empty() && !names.insert(element.name).second)
                for (const auto& property : element.properties)
                    if (property.name == "name")
                        error(property.value_at, "two elements are named " + quoted(element.name));
    }

    // The element that a reference means; nullptr where the text has none of that name.
    const LaunchElement* named(const std::string& name) const {
        if (const LaunchElement* found = text_.element_named(name)) return found;
        return automatic_name(text_, name);
    }

    // What stands behind a name, be it an element of the text or an end of a link; nullptr: unknown.
    const Factory* behind(const std::string& name) {
        if (const LaunchElement* element = named(name)) return &factory(element->factory);
        if (ends_.count(name) != 0) return &factory(name == "in" ? "hawsersrc" : "hawsersink");
        return nullptr;
    }

    // Stands where the value of a property has just ended, as in "location=a b.webm".
    bool behind_value(const LaunchReference& reference) const {
        const std::size_t end = pipeline_.launch().find_last_not_of(
                                    " \t", reference.at.offset == 0 ? 0 : reference.at.offset - 1) +
                                1;
        return std::any_of(text_.elements.begin(), text_.elements.end(), [&](const LaunchElement& element) {
            return std::any_of(
                element.properties.begin(), element.properties.end(),
                [&](const LaunchProperty& property) { return property.value_at.end() == end; });
        });
    }

    void check_reference(const LaunchReference& reference) {
        if (reference.element.empty()) return;
        const Factory* made = behind(reference.element);
        if (made == nullptr) {
            // No link starts or ends here: check() has said so.
            if (reference.element == "in" || reference.element == "out") return;
            std::vector<std::string> names(ends_.begin(), ends_.end());
            for (const auto& element : text_.elements)
                if (!element.name.empty()) names.push_back(element.name);
            std::string hint = did_you_mean(reference.element, names);
            if (hint.empty() && behind_value(reference))
                hint = "a value with blanks is written in double quotes";
            return error({reference.at.offset, reference.element.size()},
                         "no element is named " + quoted(reference.element), hint);
        }
        if (reference.pad.empty() || !made->exists() || made->is_bin() ||
            reference.pad.find(',') != std::string::npos)
            return;
        std::string known;
        for (const GstPadDirection direction : {GST_PAD_SRC, GST_PAD_SINK}) {
            if (!made->templates(direction, reference.pad).empty()) return;
            for (const auto* pad : made->templates(direction)) known += std::string(" ") + pad->name_template;
        }
        const std::size_t skip = reference.element.size() + 1;
        error({reference.at.offset + skip, reference.at.length - skip},
              quoted(made->name()) + " has no pad " + quoted(reference.pad), "its pads:" + known);
    }

    void check_uri(const Span& at) {
        const std::string uri = pipeline_.launch().substr(at.offset, at.length);
        const auto node = std::find_if(text_.nodes.begin(), text_.nodes.end(), [&](const LaunchNode& n) {
            return n.kind == LaunchNodeKind::Uri && text_.uris[n.index].offset == at.offset;
        });
        const bool sink = node != text_.nodes.end() && node->linked_left;
        const std::string protocol = uri.substr(0, uri.find(':'));
        if (gst_uri_protocol_is_supported(sink ? GST_URI_SINK : GST_URI_SRC, protocol.c_str()) == FALSE)
            error(at, std::string("no ") + (sink ? "sink" : "source") + " for " + quoted(protocol + "://"),
                  "is its plugin installed?");
    }

    // One side of a link. No factory: nothing is known of it.
    LinkSide side(const LaunchNode& node) {
        LinkSide result;
        if (node.kind == LaunchNodeKind::Element) {
            const LaunchElement& element = text_.elements[node.index];
            result = {&factory(element.factory), element.factory, {}, element.at};
        } else if (node.kind == LaunchNodeKind::Reference) {
            const LaunchReference& reference = text_.references[node.index];
            const std::string pad =
                reference.pad.find(',') == std::string::npos ? reference.pad : std::string();
            result = {behind(reference.element), reference.element, pad, reference.at};
        }
        if (result.factory != nullptr && (!result.factory->exists() || result.factory->is_bin()))
            result.factory = nullptr;
        return result;
    }

    void check_links() {
        if (has_bins()) return;  // brackets may stand for other ends than their neighbours
        for (std::size_t i = 0; i + 1 < text_.nodes.size(); ++i) {
            const LaunchNode& from = text_.nodes[i];
            if (!from.linked_right || from.kind == LaunchNodeKind::Caps) continue;
            std::size_t next = i + 1;
            const LaunchCaps* filter = nullptr;
            if (text_.nodes[next].kind == LaunchNodeKind::Caps) {
                filter = &text_.caps[text_.nodes[next].index];
                if (!text_.nodes[next].linked_right || ++next == text_.nodes.size()) continue;
            }
            if (text_.nodes[next].kind == LaunchNodeKind::Caps) continue;
            for (auto& problem : check_link(side(from), filter, side(text_.nodes[next])))
                error(problem.at, std::move(problem.message), std::move(problem.hint), problem.warning);
        }
    }

    // Everything looks right: gst_parse_launch() has the last word.
    void try_parse() {
        const auto parsed = parse_launch(pipeline_.launch(), ends_.count("in") != 0, ends_.count("out") != 0);
        if (parsed.pipeline != nullptr) gst_object_unref(parsed.pipeline);
        if (parsed.problem.empty() || (parsed.missing_element && counts_on_numbers())) return;
        if (parsed.at)
            error(*parsed.at, parsed.problem);
        else
            add_error(diagnostics_, pipeline_.launch_location(), parsed.problem);
    }

    // "queue0." depends on how many queues the process has made before: here others than where it will run.
    bool counts_on_numbers() const {
        return std::any_of(text_.references.begin(), text_.references.end(), [&](const LaunchReference& r) {
            return text_.element_named(r.element) == nullptr && automatic_name(text_, r.element) != nullptr;
        });
    }

    const Pipeline& pipeline_;
    Diagnostics& diagnostics_;
    LaunchText text_;
    std::set<std::string> ends_;
    std::map<std::string, Factory> factories_;
};

}  // namespace

void check_launch(const Pipeline& pipeline, bool has_in, bool has_out, Diagnostics& diagnostics) {
    LaunchCheck(pipeline, has_in, has_out, diagnostics).run();
}

Diagnostics check_launches(const Graph& graph) {
    Diagnostics diagnostics;
    for (const auto& pipeline : graph.pipelines()) {
        bool has_in = false, has_out = false;
        for (const auto& link : graph.links()) {
            has_in = has_in || link.to() == pipeline.name();
            has_out = has_out || link.from() == pipeline.name();
        }
        check_launch(pipeline, has_in, has_out, diagnostics);
    }
    sort_diagnostics(diagnostics);
    return diagnostics;
}

}  // namespace hawser::graph
