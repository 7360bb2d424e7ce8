#include "graph/build/factories.h"

#include <cctype>
#include <utility>

namespace hawser::graph {

Factory::Factory(const std::string& name) : name_(name) {
    GstElementFactory* found = gst_element_factory_find(name.c_str());
    if (found == nullptr) return;
    GstPluginFeature* loaded = gst_plugin_feature_load(GST_PLUGIN_FEATURE(found));
    if (loaded == nullptr) {
        factory_ = found;
        return;
    }
    gst_object_unref(found);
    factory_ = GST_ELEMENT_FACTORY(loaded);
    const GType type = gst_element_factory_get_element_type(factory_);
    if (type != 0) class_ = static_cast<GObjectClass*>(g_type_class_ref(type));
}

Factory::~Factory() {
    if (class_ != nullptr) g_type_class_unref(class_);
    if (factory_ != nullptr) gst_object_unref(factory_);
}

Factory::Factory(Factory&& other) noexcept
    : name_(std::move(other.name_)),
      factory_(std::exchange(other.factory_, nullptr)),
      class_(std::exchange(other.class_, nullptr)) {}

bool Factory::is_bin() const {
    return name_ == "bin" || name_ == "pipeline";
}

bool Factory::is_child_proxy() const {
    return class_ != nullptr && g_type_is_a(G_OBJECT_CLASS_TYPE(class_), GST_TYPE_CHILD_PROXY) != FALSE;
}

GParamSpec* Factory::property(const std::string& name) const {
    return class_ == nullptr ? nullptr : g_object_class_find_property(class_, name.c_str());
}

std::vector<std::string> Factory::property_names() const {
    std::vector<std::string> names;
    if (class_ == nullptr) return names;
    guint count = 0;
    GParamSpec** all = g_object_class_list_properties(class_, &count);
    for (guint i = 0; i < count; ++i)
        if ((all[i]->flags & G_PARAM_WRITABLE) != 0) names.emplace_back(all[i]->name);
    g_free(all);
    return names;
}

std::vector<std::string> Factory::protocols() const {
    std::vector<std::string> all;
    if (factory_ == nullptr) return all;
    const gchar* const* names = gst_element_factory_get_uri_protocols(factory_);
    for (; names != nullptr && *names != nullptr; ++names) all.emplace_back(*names);
    return all;
}

std::vector<GstStaticPadTemplate*> Factory::templates(GstPadDirection direction, std::string_view pad) const {
    std::vector<GstStaticPadTemplate*> found;
    if (factory_ == nullptr) return found;
    for (const GList* at = gst_element_factory_get_static_pad_templates(factory_); at != nullptr;
         at = at->next) {
        auto* candidate = static_cast<GstStaticPadTemplate*>(at->data);
        if (candidate->direction == direction &&
            (pad.empty() || pad_name_fits(candidate->name_template, pad)))
            found.push_back(candidate);
    }
    return found;
}

std::vector<std::string> element_names() {
    std::vector<std::string> names;
    GList* features = gst_registry_get_feature_list(gst_registry_get(), GST_TYPE_ELEMENT_FACTORY);
    for (const GList* at = features; at != nullptr; at = at->next)
        names.emplace_back(gst_plugin_feature_get_name(GST_PLUGIN_FEATURE(at->data)));
    gst_plugin_feature_list_free(features);
    return names;
}

bool pad_name_fits(std::string_view pattern, std::string_view name) {
    const std::size_t percent = pattern.find('%');
    if (percent == std::string_view::npos) return pattern == name;
    if (name.substr(0, percent) != pattern.substr(0, percent)) return false;
    std::size_t kind = percent + 1;
    while (kind < pattern.size() && std::isdigit(static_cast<unsigned char>(pattern[kind])) != 0) ++kind;
    if (kind == pattern.size()) return false;
    const std::string_view rest = pattern.substr(kind + 1);
    name.remove_prefix(percent);
    for (std::size_t taken = 1; taken <= name.size(); ++taken) {
        const auto c = static_cast<unsigned char>(name[taken - 1]);
        const bool fits = pattern[kind] == 's'   ? true
                          : pattern[kind] == 'x' ? std::isxdigit(c) != 0
                          : pattern[kind] == 'd' ? std::isdigit(c) != 0 || (taken == 1 && c == '-')
                                                 : std::isdigit(c) != 0;
        if (!fits) return false;
        if (pad_name_fits(rest, name.substr(taken))) return true;
    }
    return false;
}

}  // namespace hawser::graph
