#include "elements/uri.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>
#include <string_view>

#include "elements/gst_ptr.h"
#include "runtime/base/text.h"

namespace hawser::elements {
namespace {

struct UriUnref {
    void operator()(GstUri* uri) const { gst_uri_unref(uri); }
};
using UriPtr = std::unique_ptr<GstUri, UriUnref>;

// A GValue with an owner.
class Value {
  public:
    explicit Value(GType type) { g_value_init(&value_, type); }
    Value(Value&& other) noexcept : value_(std::exchange(other.value_, GValue(G_VALUE_INIT))) {}
    ~Value() {
        if (G_IS_VALUE(&value_)) g_value_unset(&value_);
    }
    GValue* get() { return &value_; }

  private:
    GValue value_ = G_VALUE_INIT;
};

// Set by the URI's other parts.
constexpr const char* kElsewhere[] = {"uri", "address", "port", "stream"};

// The properties that a query may set.
std::vector<GParamSpec*> query_properties(GstElement* element) {
    guint count = 0;
    std::unique_ptr<GParamSpec*, GFree> all(
        g_object_class_list_properties(G_OBJECT_GET_CLASS(element), &count));
    std::vector<GParamSpec*> found;
    for (guint i = 0; i < count; ++i) {
        GParamSpec* spec = all.get()[i];
        const bool elsewhere =
            std::any_of(std::begin(kElsewhere), std::end(kElsewhere),
                        [&](const char* name) { return std::strcmp(spec->name, name) == 0; });
        if (!elsewhere && (spec->flags & G_PARAM_WRITABLE) &&
            g_str_has_prefix(g_type_name(spec->owner_type), "Hawser"))
            found.push_back(spec);
    }
    return found;
}

// A whole number within the range of its property; GStreamer's own reading wraps what is out of range.
template <typename Number, typename Spec>
bool in_range(const std::string& text, const Spec* spec) {
    Number number{};
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    return failure == std::errc() && end == text.data() + text.size() && number >= spec->minimum &&
           number <= spec->maximum;
}

// Null where `text` is no value of the property.
std::optional<Value> read_value(GParamSpec* spec, const std::string& text) {
    if (text.empty() && !G_IS_PARAM_SPEC_STRING(spec)) return std::nullopt;
    if (G_IS_PARAM_SPEC_UINT(spec) && !in_range<guint>(text, G_PARAM_SPEC_UINT(spec))) return std::nullopt;
    if (G_IS_PARAM_SPEC_UINT64(spec) && !in_range<guint64>(text, G_PARAM_SPEC_UINT64(spec)))
        return std::nullopt;
    if (G_IS_PARAM_SPEC_INT64(spec) && !in_range<gint64>(text, G_PARAM_SPEC_INT64(spec))) return std::nullopt;
    if (G_IS_PARAM_SPEC_INT(spec) && !in_range<gint>(text, G_PARAM_SPEC_INT(spec))) return std::nullopt;
    Value value(spec->value_type);
    if (!gst_value_deserialize_with_pspec(value.get(), text.c_str(), spec)) return std::nullopt;
    if (g_param_value_validate(spec, value.get())) return std::nullopt;  // it had to be changed to fit
    return value;
}

template <typename Spec>
std::string from_to(const Spec* spec) {
    return "a whole number from " + std::to_string(spec->minimum) + " to " + std::to_string(spec->maximum);
}

// What read_value() takes, for people; empty: anything.
std::string expected(GParamSpec* spec) {
    if (G_IS_PARAM_SPEC_UINT(spec)) return from_to(G_PARAM_SPEC_UINT(spec));
    if (G_IS_PARAM_SPEC_UINT64(spec)) return from_to(G_PARAM_SPEC_UINT64(spec));
    if (G_IS_PARAM_SPEC_INT(spec)) return from_to(G_PARAM_SPEC_INT(spec));
    if (G_IS_PARAM_SPEC_INT64(spec)) return from_to(G_PARAM_SPEC_INT64(spec));
    if (G_IS_PARAM_SPEC_BOOLEAN(spec)) return "true or false";
    std::string nicks;
    if (G_IS_PARAM_SPEC_ENUM(spec)) {
        const GEnumClass* all = G_PARAM_SPEC_ENUM(spec)->enum_class;
        for (guint i = 0; i < all->n_values; ++i)
            nicks += std::string(i == 0                   ? ""
                                 : i + 1 == all->n_values ? " or "
                                                          : ", ") +
                     all->values[i].value_nick;
    }
    return nicks;
}

// RFC 3986, 2.1; a zero byte cannot be in any of our strings.
bool has_bad_escape(std::string_view text) {
    for (std::size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
        if (at + 2 >= text.size() || !g_ascii_isxdigit(text[at + 1]) || !g_ascii_isxdigit(text[at + 2]))
            return true;
        if (text.substr(at + 1, 2) == "00") return true;
    }
    return false;
}

bool fail(GError** error, GstURIError code, const std::string& text) {
    g_set_error_literal(error, GST_URI_ERROR, code, text.c_str());
    return false;
}

std::string unknown_key(const std::string& key, const std::vector<GParamSpec*>& properties) {
    std::vector<std::string> names;
    for (const GParamSpec* spec : properties) names.emplace_back(spec->name);
    const std::string near = nearest(key, names);
    return "Unknown key \"" + printable(key, 64) + "\" in the URI" +
           (near.empty() ? ": each key has to be a property of the element"
                         : ", did you mean \"" + near + "\"?");
}

}  // namespace

Result<Uri> Uri::parse(const char* text) {
    const std::string quoted = "\"" + printable(text ? text : "", 200) + "\"";
    const std::string form = ", expected hawser://HOST:PORT/STREAM?key=value";
    if (!text || g_ascii_strncasecmp(text, "hawser://", std::strlen("hawser://")) != 0)
        return Error{Errc::Invalid, quoted + " is not a Hawser URI" + form};
    const UriPtr parsed(gst_uri_from_string(text));
    if (!parsed) return Error{Errc::Invalid, quoted + " is not a valid URI" + form};
    if (has_bad_escape(text))
        return Error{Errc::Invalid,
                     quoted + " has a % that is not followed by two hexadecimal digits (write %25)"};
    if (std::strchr(text, '#'))
        return Error{Errc::Invalid, quoted + " has a fragment (#), which means nothing here" + form};

    // GstUri drops a port which is no number; look for ourselves.
    const std::string rest = text + std::strlen("hawser://");
    std::string authority = rest.substr(0, rest.find_first_of("/?#"));
    if (const auto at = authority.rfind('@'); at != std::string::npos)
        return Error{Errc::Invalid, quoted + " has a user name, which means nothing here" + form};
    Uri uri;
    const auto bracket = authority.rfind(']');
    const auto colon = authority.find(':', bracket == std::string::npos ? 0 : bracket);
    if (authority.starts_with('[') != (bracket != std::string::npos))
        return Error{Errc::Invalid, quoted + " has an unbalanced bracket around the host" + form};
    uri.host = authority.starts_with('[') ? authority.substr(1, bracket - 1) : authority.substr(0, colon);
    // A scope id is written %25eth0 (RFC 6874).
    const GText host(g_uri_unescape_string(uri.host.c_str(), nullptr));
    if (host) uri.host = host.get();
    if (uri.host.find(':') != std::string::npos && !authority.starts_with('['))
        return Error{Errc::Invalid, quoted + " has a bare IPv6 address: put it in brackets" + form};
    if (colon != std::string::npos) {
        const std::string digits = authority.substr(colon + 1);
        guint64 port = 0;
        if (!g_ascii_string_to_unsigned(digits.c_str(), 10, 0, 65535, &port, nullptr))
            return Error{Errc::Invalid,
                         quoted + " has the port \"" + digits +
                             "\", which is no number from 0 to 65535 (write an IPv6 address in "
                             "brackets)"};
        uri.port = static_cast<std::uint16_t>(port);
    }
    if (uri.host.empty() && !uri.port) return Error{Errc::Invalid, quoted + " names no host" + form};

    const GText path(gst_uri_get_path(parsed.get()));
    uri.path = path && *path ? path.get() : "/";
    if (GHashTable* query = gst_uri_get_query_table(parsed.get())) {
        GHashTableIter iter;
        gpointer key = nullptr;
        gpointer value = nullptr;
        g_hash_table_iter_init(&iter, query);
        while (g_hash_table_iter_next(&iter, &key, &value))
            uri.query.emplace_back(static_cast<char*>(key), value ? static_cast<char*>(value) : "");
        g_hash_table_unref(query);
    }
    std::sort(uri.query.begin(), uri.query.end());
    return uri;
}

bool apply_uri(GstElement* element, LinkSettings& settings, const char* text, GError** error) {
    GstState state = GST_STATE_NULL;
    {
        const ObjectLock lock(element);
        state = GST_STATE(element);
    }
    if (state > GST_STATE_READY)
        return fail(error, GST_URI_ERROR_BAD_STATE, "The URI cannot be changed while the element runs");

    const auto refuse = [&](GstURIError code, const std::string& why) {
        const ObjectLock lock(element);
        settings.uri_error = why;
        return fail(error, code, why);
    };
    const Result<Uri> uri = Uri::parse(text);
    if (!uri) return refuse(GST_URI_ERROR_BAD_URI, uri.error().message);

    const std::vector<GParamSpec*> properties = query_properties(element);
    std::vector<std::pair<GParamSpec*, Value>> values;
    for (const auto& [key, value_text] : uri.value().query) {
        const auto spec = std::find_if(properties.begin(), properties.end(),
                                       [&key = key](GParamSpec* each) { return key == each->name; });
        if (spec == properties.end())
            return refuse(GST_URI_ERROR_BAD_REFERENCE, unknown_key(key, properties));
        std::optional<Value> value = read_value(*spec, value_text);
        if (!value) {
            const std::string what = expected(*spec);
            return refuse(GST_URI_ERROR_BAD_REFERENCE,
                          "\"" + printable(value_text, 64) + "\" is no value for the property \"" + key +
                              "\" in the URI" + (what.empty() ? "" : ", expected " + what));
        }
        values.emplace_back(*spec, std::move(*value));
    }

    std::set<std::string> before;
    {
        const ObjectLock lock(element);
        before = std::exchange(settings.uri_keys, {});
        settings.uri_error.clear();
        settings.config.address.host = uri.value().host.empty() ? "0.0.0.0" : uri.value().host;
        settings.config.address.port = uri.value().port.value_or(LinkSettings::kDefaultPort);
        settings.config.stream = uri.value().path;
        for (const auto& [spec, value] : values) settings.uri_keys.insert(spec->name);
    }
    GObject* object = G_OBJECT(element);
    g_object_freeze_notify(object);
    for (GParamSpec* spec : properties)
        if (before.count(spec->name))
            g_object_set_property(object, spec->name, g_param_spec_get_default_value(spec));
    for (auto& [spec, value] : values) g_object_set_property(object, spec->name, value.get());
    for (const char* name : {"address", "port", "stream"}) g_object_notify(object, name);
    g_object_thaw_notify(object);
    return true;
}

std::string current_uri(GstElement* element, const LinkSettings& settings) {
    session::LinkConfig config;
    {
        const ObjectLock lock(element);
        config = settings.config;
    }
    std::string text = "hawser://" + config.address.text();
    const GText path(g_uri_escape_string(config.stream.c_str(), "/", FALSE));
    text += path.get();
    char separator = '?';
    for (GParamSpec* spec : query_properties(element)) {
        if (!(spec->flags & G_PARAM_READABLE)) continue;
        Value value(spec->value_type);
        g_object_get_property(G_OBJECT(element), spec->name, value.get());
        if (g_param_value_defaults(spec, value.get())) continue;
        const GText written(gst_value_serialize(value.get()));
        if (!written) continue;
        const GText escaped(g_uri_escape_string(written.get(), nullptr, FALSE));
        text += separator + std::string(spec->name) + "=" + escaped.get();
        separator = '&';
    }
    return text;
}

}  // namespace hawser::elements
