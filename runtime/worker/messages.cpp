#include "runtime/worker/messages.h"

#include <regex>

namespace hawser::worker {
namespace {

using hawser::control::Report;

std::string taken(gchar* text) {
    std::string copy = text ? text : "";
    g_free(text);
    return copy;
}

std::string text_of(const GstStructure* s, const char* field) {
    const gchar* text = gst_structure_get_string(s, field);
    return text ? text : "";
}

std::uint64_t number_of(const GstStructure* s, const char* field) {
    guint64 value = 0;
    gst_structure_get_uint64(s, field, &value);
    return value;
}

// "in" or "out": the object itself, or the one of these that contains it.
std::string link_end(GstObject* object) {
    std::string name;
    gst_object_ref(object);
    while (object) {
        name = taken(gst_object_get_name(object));
        GstObject* parent = name == "in" || name == "out" ? nullptr : gst_object_get_parent(object);
        gst_object_unref(object);
        object = parent;
    }
    return name;
}

}  // namespace

ProblemText read_problem(GstMessage* message) {
    GError* error = nullptr;
    gchar* debug = nullptr;
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR)
        gst_message_parse_error(message, &error, &debug);
    else
        gst_message_parse_warning(message, &error, &debug);
    ProblemText problem;
    if (GstObject* source = GST_MESSAGE_SRC(message)) {
        // "/GstPipeline:name/GstBin:demux/GstTypeFind:typefind" → "demux/typefind"
        const std::string path = taken(gst_object_get_path_string(source));
        std::size_t part = path.find('/', 1);
        while (part != std::string::npos) {
            const std::size_t next = path.find('/', part + 1);
            const std::string piece =
                path.substr(part + 1, next == std::string::npos ? next : next - part - 1);
            const std::size_t colon = piece.find(':');
            if (!problem.element.empty()) problem.element += '/';
            problem.element += colon == std::string::npos ? piece : piece.substr(colon + 1);
            part = next;
        }
        if (problem.element.empty()) problem.element = taken(gst_object_get_name(source));
    }
    problem.text = error ? error->message : "unknown";
    problem.debug = taken(debug);
    // The first line of the debug text says where in the source; the second one often what the text should
    // have.
    if (const std::size_t line = problem.debug.find('\n'); line != std::string::npos) {
        const std::string detail =
            problem.debug.substr(line + 1, problem.debug.find('\n', line + 1) - line - 1);
        if (problem.text.ends_with('.')) problem.text.pop_back();
        if (!detail.empty() && detail.find(problem.text) == std::string::npos) problem.text += ": " + detail;
    }
    g_clear_error(&error);
    return problem;
}

std::optional<DelayedLink> read_delayed_link(const ProblemText& problem) {
    // "failed delayed linking pad  video of HawserSrc named in to some pad of GstQueue named queue0"
    static const std::regex pattern("failed delayed linking +pad +(\\S+) of \\S+ named (\\S+) to ");
    std::smatch found;
    if (!std::regex_search(problem.debug, found, pattern)) return std::nullopt;
    return DelayedLink{found[2], found[1]};
}

bool is_missing_pad(GstElement* pipeline, const DelayedLink& link) {
    GstElement* element = gst_bin_get_by_name(GST_BIN(pipeline), link.element.c_str());
    if (!element) return true;
    GstPad* pad = gst_element_get_static_pad(element, link.pad.c_str());
    const bool missing = !pad;
    if (pad) gst_object_unref(pad);
    gst_object_unref(element);
    return missing;
}

std::optional<Report> read_link_message(GstMessage* message) {
    const GstStructure* s = gst_message_get_structure(message);
    if (!s || !GST_MESSAGE_SRC(message)) return std::nullopt;
    Report report;
    if (gst_structure_has_name(s, "hawser-state")) {
        auto* link = report.mutable_link();
        link->set_element(link_end(GST_MESSAGE_SRC(message)));
        link->set_state(text_of(s, "state"));
        link->set_reason(text_of(s, "reason"));
    } else if (gst_structure_has_name(s, "hawser-gap")) {
        auto* loss = report.mutable_loss();
        loss->set_element(link_end(GST_MESSAGE_SRC(message)));
        loss->set_track(text_of(s, "track"));
        loss->set_lost(number_of(s, "lost"));
        loss->set_reason(text_of(s, "reason"));
    } else if (gst_structure_has_name(s, "hawser-recovered")) {
        auto* recovered = report.mutable_recovered();
        gboolean new_epoch = FALSE;
        gst_structure_get_boolean(s, "new-epoch", &new_epoch);
        recovered->set_element(link_end(GST_MESSAGE_SRC(message)));
        recovered->set_new_epoch(new_epoch);
        recovered->set_epoch(number_of(s, "epoch"));
        recovered->set_downtime_ns(number_of(s, "downtime"));
        recovered->set_replayed(number_of(s, "replayed"));
        recovered->set_lost(number_of(s, "lost"));
    } else {
        return std::nullopt;
    }
    return report;
}

void send_eos(GstBin* pipeline) {
    GstIterator* sources = gst_bin_iterate_sources(pipeline);
    const auto each = [](const GValue* item, gpointer) {
        auto* source = GST_ELEMENT(g_value_get_object(item));
        if (gst_element_send_event(source, gst_event_new_eos())) return;
        gst_element_foreach_src_pad(
            source,
            [](GstElement*, GstPad* pad, gpointer) -> gboolean {
                gst_pad_push_event(pad, gst_event_new_eos());
                return TRUE;
            },
            nullptr);
    };
    while (gst_iterator_foreach(sources, each, nullptr) == GST_ITERATOR_RESYNC) gst_iterator_resync(sources);
    gst_iterator_free(sources);
}

bool has_property(GstElement* element, const char* name) {
    return g_object_class_find_property(G_OBJECT_GET_CLASS(element), name) != nullptr;
}

guint get_uint(GstElement* element, const char* name) {
    guint value = 0;
    g_object_get(element, name, &value, nullptr);
    return value;
}

std::uint64_t stats_value(GstElement* element, const char* field) {
    if (!has_property(element, "stats")) return 0;
    GstStructure* stats = nullptr;
    g_object_get(element, "stats", &stats, nullptr);
    if (!stats) return 0;
    const std::uint64_t value = number_of(stats, field);
    gst_structure_free(stats);
    return value;
}

}  // namespace hawser::worker
