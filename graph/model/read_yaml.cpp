#include "graph/model/read_yaml.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <optional>
#include <utility>

#include "graph/model/defaults.h"
#include "graph/model/launch_marks.h"
#include "graph/model/source.h"
#include "graph/model/values.h"
#include "graph/model/variables.h"
#include "runtime/base/text.h"

namespace hawser::graph {
namespace {

const std::vector<std::string> kTopKeys{"hawser", "vars", "pipelines", "links", "drill"};

struct Field {
    const char* name;
    std::function<void(const YAML::Node& value, const Location& key)> read;
};

const char* kind_of(const YAML::Node& node) {
    switch (node.Type()) {
        case YAML::NodeType::Map:
            return "a map";
        case YAML::NodeType::Sequence:
            return "a list";
        case YAML::NodeType::Scalar:
            return "a single value";
        default:
            return "nothing";
    }
}

std::string quoted(const std::string& text) {
    return "\"" + text + "\"";
}

class Reader {
  public:
    Reader(const std::string& text, const std::string& name, const ReadOptions& options,
           Diagnostics& diagnostics)
        : source_(name, text), diagnostics_(diagnostics), variables_(options, diagnostics) {}

    Graph read(const YAML::Node& root) {
        Location top = source_.location(0);
        if (!root.IsMap()) {
            error(root.IsNull() ? top : at(root, top),
                  std::string("a description is a map, this is ") + kind_of(root),
                  "begin with \"hawser: 1\", then \"pipelines:\"");
            return std::move(graph_);
        }
        // Variables first: they may stand below what uses them.
        for (const auto& entry : root)
            if (entry.first.IsScalar() && meant(root, entry.first.Scalar(), kTopKeys) == "vars")
                read_vars(entry.second, at(entry.first, top));
        bool version = false;
        read_map(
            root, top, "the description",
            {{"hawser", [&](const YAML::Node& v, const Location& k) { version = true, read_version(v, k); }},
             {"vars", [](const YAML::Node&, const Location&) {}},
             {"pipelines", [&](const YAML::Node& v, const Location& k) { read_pipelines(v, k); }},
             {"links", [&](const YAML::Node& v, const Location& k) { read_links(v, k); }},
             {"drill", [&](const YAML::Node& v, const Location& k) { read_drill(v, k); }}});
        if (!version) error(at(root, top), "the format's version is missing", "begin with \"hawser: 1\"");
        for (const auto& [key, value] : variables_.values()) (*graph_.mutable_vars())[key] = value;
        fill_defaults(graph_);
        return std::move(graph_);
    }

    Variables& variables() { return variables_; }

  private:
    void error(const Location& where, std::string message, std::string hint = {}) {
        add_error(diagnostics_, where, std::move(message), std::move(hint));
    }

    Location at(const YAML::Node& node, const Location& otherwise) const {
        const YAML::Mark mark = node.Mark();
        if (mark.is_null() || mark.line < 0 || node.IsNull()) return otherwise;
        const std::size_t start = offset(node);
        std::size_t length = 1;
        if (node.IsScalar()) {
            const std::vector<std::size_t> offsets = source_.align(node.Scalar(), start);
            length = offsets.empty() || offsets.back() < start ? 1 : offsets.back() - start + 1;
            const char first = start < source_.text().size() ? source_.text()[start] : '\0';
            if (first == '"' || first == '\'') ++length;
        }
        return source_.location(start, length);
    }

    std::size_t offset(const YAML::Node& node) const {
        const YAML::Mark mark = node.Mark();
        return source_.offset(static_cast<std::size_t>(std::max(mark.line, 0)),
                              static_cast<std::size_t>(std::max(mark.column, 0)));
    }

    // The one of `names` that is written as `key`, or was probably meant by it, so that what stands below a
    // misspelt key is read too; "" where none is, or that one stands in the map as well.
    static std::string meant(const YAML::Node& map, const std::string& key,
                             const std::vector<std::string>& names) {
        if (std::find(names.begin(), names.end(), key) != names.end()) return key;
        std::string near = nearest(key, names);
        for (const auto& entry : map)
            if (entry.first.IsScalar() && entry.first.Scalar() == near) return {};
        return near;
    }

    // Calls the field's reader for each key; complains of keys that are unknown or stand twice.
    bool read_map(const YAML::Node& node, const Location& where, const std::string& what,
                  const std::vector<Field>& fields) {
        if (!node.IsMap()) {
            error(at(node, where), what + " is a map, this is " + kind_of(node));
            return false;
        }
        std::vector<std::string> names;
        for (const auto& field : fields) names.emplace_back(field.name);
        std::set<std::string> seen;
        for (const auto& entry : node) {
            const Location key_at = at(entry.first, where);
            if (!entry.first.IsScalar()) {
                error(key_at, std::string("a key is a name, this is ") + kind_of(entry.first));
                continue;
            }
            const std::string key = entry.first.Scalar();
            const std::string name = meant(node, key, names);
            const auto field =
                std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return name == f.name; });
            if (name != key) {
                std::string hint = did_you_mean(key, names);
                if (hint.empty()) {
                    hint = "known here:";
                    for (const auto& known : names) hint += " " + known;
                }
                error(key_at, "unknown key " + quoted(key) + " in " + what, hint);
                if (field == fields.end()) continue;
            }
            if (seen.insert(name).second)
                field->read(entry.second, key_at);
            else if (name == key)
                error(key_at, quoted(key) + " stands twice in " + what);
        }
        return true;
    }

    // A scalar with its variables put in; nullopt after an error.
    std::optional<std::string> scalar(const YAML::Node& node, const Location& key, const std::string& what) {
        if (!node.IsScalar()) {
            error(at(node, key), what + " is a single value, this is " + kind_of(node));
            return std::nullopt;
        }
        const std::string raw = node.Scalar();
        if (raw.find("${") == std::string::npos) return raw;
        const int before = diagnostics_.diagnostics_size();
        const std::vector<std::size_t> offsets = source_.align(raw, offset(node));
        Expanded expanded = variables_.expand(raw, [&](std::size_t from, std::size_t length) {
            return source_.location(from < offsets.size() ? offsets[from] : offset(node), length);
        });
        if (diagnostics_.diagnostics_size() != before || is_unset(expanded.text)) return std::nullopt;
        return std::move(expanded.text);
    }

    // A scalar that `parse` understands; `expected` says what that would be.
    template <typename Parse>
    auto parsed(const YAML::Node& node, const Location& key, const std::string& what, Parse parse,
                const std::string& expected) -> decltype(parse(std::string_view())) {
        const auto text = scalar(node, key, what);
        if (!text) return std::nullopt;
        auto value = parse(*text);
        if (!value) error(at(node, key), what + " cannot be " + quoted(*text), expected);
        return value;
    }

    std::optional<std::uint64_t> duration(const YAML::Node& node, const Location& key,
                                          const std::string& what) {
        return parsed(
            node, key, what, parse_duration_ms,
            "expected a duration with its unit, more than 0 and at most 1000 h: 250ms, 2s, 1.5m, 1h");
    }

    template <typename Value>
    std::optional<Value> choice(const YAML::Node& node, const Location& key, const std::string& what,
                                const std::vector<std::pair<std::string, Value>>& choices) {
        const auto text = scalar(node, key, what);
        if (!text) return std::nullopt;
        std::vector<std::string> names;
        std::string expected = "expected one of:";
        for (const auto& [name, value] : choices) {
            if (name == *text) return value;
            names.push_back(name);
            expected += " " + name;
        }
        const std::string near = did_you_mean(*text, names);
        error(at(node, key), what + " cannot be " + quoted(*text), near.empty() ? expected : near);
        return std::nullopt;
    }

    void read_version(const YAML::Node& node, const Location& key) {
        const auto text = scalar(node, key, "hawser");
        if (!text) return;
        if (*text != std::to_string(kVersion))
            error(at(node, key),
                  "this format's version is " + std::to_string(kVersion) + ", not " + quoted(*text),
                  "write \"hawser: 1\"");
        graph_.set_version(kVersion);
    }

    void read_vars(const YAML::Node& node, const Location& key) {
        if (node.IsNull()) return;
        if (!node.IsMap())
            return error(at(node, key),
                         std::string("vars is a map of names and values, this is ") + kind_of(node));
        std::set<std::string> seen;
        for (const auto& entry : node) {
            const Location name_at = at(entry.first, key);
            if (!entry.first.IsScalar() || !is_variable_name(entry.first.Scalar())) {
                error(name_at,
                      entry.first.IsScalar() ? quoted(entry.first.Scalar()) + " is not a variable's name"
                                             : std::string("a variable's name is missing"),
                      "names have letters, digits, \"_\" and \"-\", the first a letter or \"_\"");
                continue;
            }
            const std::string name = entry.first.Scalar();
            if (!seen.insert(name).second) error(name_at, "two variables are named " + quoted(name));
            if (entry.second.IsScalar() || entry.second.IsNull())
                variables_.define(name, entry.second.IsNull() ? "" : entry.second.Scalar(),
                                  at(entry.second, name_at));
            else
                error(at(entry.second, name_at),
                      "variable " + quoted(name) + " is a single value, this is " + kind_of(entry.second));
        }
    }

    void read_pipelines(const YAML::Node& node, const Location& key) {
        if (!node.IsMap())
            return error(at(node, key),
                         std::string("pipelines is a map of names and pipelines, this is ") + kind_of(node),
                         "pipelines: { camera: { launch: … } }");
        for (const auto& entry : node) {
            const Location name_at = at(entry.first, key);
            if (!entry.first.IsScalar()) {
                error(name_at, std::string("a pipeline's name is missing, this is ") + kind_of(entry.first));
                continue;
            }
            Pipeline* pipeline = graph_.add_pipelines();  // check() finds doubles
            pipeline->set_name(entry.first.Scalar());
            *pipeline->mutable_location() = name_at;
            read_pipeline(entry.second, name_at, *pipeline);
        }
    }

    void read_pipeline(const YAML::Node& node, const Location& where, Pipeline& pipeline) {
        const std::string what = "pipeline " + quoted(pipeline.name());
        bool launch = false;
        const bool is_map = read_map(
            node, where, what,
            {{"launch",
              [&](const YAML::Node& v, const Location& k) {
                  launch = true;
                  if (v.IsScalar())
                      set_launch(pipeline, v.Scalar(), source_, offset(v), variables_);
                  else
                      error(at(v, k), "launch is gst-launch text, this is " + std::string(kind_of(v)));
              }},
             {"restart", [&](const YAML::Node& v,
                             const Location& k) { read_restart(v, k, *pipeline.mutable_restart()); }},
             {"stop",
              [&](const YAML::Node& v, const Location& k) {
                  if (const auto ms = duration(v, k, "stop")) pipeline.set_stop_ms(*ms);
              }},
             {"health", [&](const YAML::Node& v, const Location& k) {
                  read_health(v, k, *pipeline.mutable_health());
              }}});
        if (is_map && !launch)
            error(where, what + " has no launch text", "add \"launch: …\" with gst-launch text");
    }

    void read_restart(const YAML::Node& node, const Location& where, RestartPolicy& restart) {
        read_map(node, where, "restart",
                 {{"policy",
                   [&](const YAML::Node& v, const Location& k) {
                       if (const auto policy =
                               choice<RestartPolicy::Policy>(v, k, "policy",
                                                             {{"on-failure", RestartPolicy::ON_FAILURE},
                                                              {"always", RestartPolicy::ALWAYS},
                                                              {"never", RestartPolicy::NEVER}}))
                           restart.set_policy(*policy);
                   }},
                  {"backoff",
                   [&](const YAML::Node& v, const Location& k) {
                       if (const auto range =
                               parsed(v, k, "backoff", parse_duration_range,
                                      "expected a range of durations, the shorter first: 250ms..30s")) {
                           restart.set_backoff_min_ms(range->min_ms);
                           restart.set_backoff_max_ms(range->max_ms);
                       }
                   }},
                  {"intensity", [&](const YAML::Node& v, const Location& k) {
                       if (const auto intensity = parsed(v, k, "intensity", parse_intensity,
                                                         "expected restarts/duration: 5/60s")) {
                           restart.set_intensity_count(intensity->count);
                           restart.set_intensity_window_ms(intensity->window_ms);
                       }
                   }}});
    }

    void read_health(const YAML::Node& node, const Location& where, Health& health) {
        read_map(node, where, "health",
                 {{"start",
                   [&](const YAML::Node& v, const Location& k) {
                       if (const auto ms = duration(v, k, "start")) health.set_start_ms(*ms);
                   }},
                  {"stall", [&](const YAML::Node& v, const Location& k) {
                       if (const auto ms = duration(v, k, "stall")) health.set_stall_ms(*ms);
                   }}});
    }

    // Calls `read` for each entry.
    void read_list(const YAML::Node& node, const Location& key, const char* what,
                   const std::function<void(const YAML::Node&, const Location&)>& read) {
        if (node.IsNull()) return;
        if (!node.IsSequence())
            return error(at(node, key), std::string(what) + " is a list, this is " + kind_of(node),
                         "write each entry after a \"-\"");
        for (const auto& entry : node) read(entry, at(entry, key));
    }

    void read_links(const YAML::Node& node, const Location& key) {
        read_list(node, key, "links", [&](const YAML::Node& entry, const Location& where) {
            Link link;
            *link.mutable_location() = where;
            const bool is_map = read_map(
                entry, where, "a link",
                {{"from",
                  [&](const YAML::Node& v, const Location& k) {
                      name(v, k, "from", *link.mutable_from(), *link.mutable_from_location());
                  }},
                 {"to",
                  [&](const YAML::Node& v, const Location& k) {
                      name(v, k, "to", *link.mutable_to(), *link.mutable_to_location());
                  }},
                 {"mode",
                  [&](const YAML::Node& v, const Location& k) {
                      if (const auto mode = choice<Link::Mode>(
                              v, k, "mode", {{"lossless", Link::LOSSLESS}, {"live", Link::LIVE}}))
                          link.set_mode(*mode);
                  }},
                 {"resume",
                  [&](const YAML::Node& v, const Location& k) {
                      if (const auto ms = duration(v, k, "resume")) link.set_resume_ms(*ms);
                  }},
                 {"address", [&](const YAML::Node& v, const Location& k) {
                      const auto valid = [](std::string_view text) {
                          return is_address(text) ? std::optional<std::string>(text) : std::nullopt;
                      };
                      if (const auto address = parsed(v, k, "address", valid,
                                                      "expected host:port: 127.0.0.1:7000, [::1]:7000"))
                          link.set_address(*address);
                  }}});
            if (!is_map) return;
            if (!link.has_from_location())
                error(where, "this link has no \"from\"", "name the pipeline that sends");
            if (!link.has_to_location())
                error(where, "this link has no \"to\"", "name the pipeline that receives");
            if (!link.from().empty() || !link.to().empty()) *graph_.add_links() = std::move(link);
        });
    }

    void name(const YAML::Node& node, const Location& key, const char* what, std::string& to,
              Location& to_at) {
        to_at = at(node, key);
        const auto text = scalar(node, key, what);
        if (text && text->empty()) error(to_at, std::string(what) + " is empty", "name a pipeline");
        if (text) to = *text;
    }

    void read_drill(const YAML::Node& node, const Location& key) {
        read_list(node, key, "drill", [&](const YAML::Node& entry, const Location& where) {
            std::vector<Fault> faults;
            bool timed = false;
            // Stands in for a time that is missing or wrong, so that the rest is still checked.
            std::uint64_t at_ms = 1;
            const auto victim = [&](Fault::Kind kind, const char* what) {
                return [&, kind, what](const YAML::Node& v, const Location& k) {
                    Fault& fault = faults.emplace_back();
                    *fault.mutable_location() = where;
                    fault.set_kind(kind);
                    name(v, k, what, *fault.mutable_pipeline(), *fault.mutable_pipeline_location());
                };
            };
            const bool is_map = read_map(entry, where, "a drill's entry",
                                         {{"at",
                                           [&](const YAML::Node& v, const Location& k) {
                                               timed = true;
                                               if (const auto ms = duration(v, k, "at")) at_ms = *ms;
                                           }},
                                          {"cut", victim(Fault::CUT, "cut")},
                                          {"kill", victim(Fault::KILL, "kill")}});
            if (!is_map) return;
            if (!timed) error(where, "this drill's entry has no \"at\"", "say when: at: 5s");
            if (faults.size() != 1)
                error(where, "a drill's entry has one of \"cut\" and \"kill\"",
                      "cut: RECEIVER or kill: PIPELINE");
            for (Fault& fault : faults) {
                fault.set_at_ms(at_ms);
                if (!fault.pipeline().empty()) *graph_.add_drill() = std::move(fault);
            }
        });
        std::stable_sort(graph_.mutable_drill()->begin(), graph_.mutable_drill()->end(),
                         [](const Fault& a, const Fault& b) { return a.at_ms() < b.at_ms(); });
    }

    Source source_;
    Diagnostics& diagnostics_;
    Variables variables_;
    Graph graph_;
};

// yaml-cpp's error with the place it names, and what most often causes it.
void add_syntax_error(const YAML::Exception& e, const Source& source, Diagnostics& diagnostics) {
    Location where = source.location(0);
    std::string hint;
    if (!e.mark.is_null() && e.mark.line >= 0) {
        const std::size_t offset = source.offset(static_cast<std::size_t>(e.mark.line),
                                                 static_cast<std::size_t>(std::max(e.mark.column, 0)));
        where = source.location(offset, 1);
        const std::size_t line = source.offset(static_cast<std::size_t>(e.mark.line), 0);
        const std::string_view text = source.text().substr(line, source.text().find('\n', line) - line);
        if (text.find("${") != std::string_view::npos && text.find("\"${") == std::string_view::npos)
            hint = "inside { } a value that holds ${…} must be quoted: { clip: \"${CLIP}\" }";
        else if (text.find('\t') != std::string_view::npos)
            hint = "YAML is indented with blanks, not with tabs";
    }
    add_error(diagnostics, where, "not valid YAML: " + e.msg, hint);
}

}  // namespace

Graph read_yaml(const std::string& text, const std::string& name, const ReadOptions& options,
                Diagnostics& diagnostics, std::set<std::string>& known_settings) {
    const Source source(name, text);
    try {
        const std::vector<YAML::Node> documents = YAML::LoadAll(text);
        Reader reader(text, name, options, diagnostics);
        if (documents.size() > 1)
            add_warning(diagnostics, source.location(0),
                        "only the first of the file's YAML documents is read",
                        "put the others into files of their own and name them all");
        Graph graph = reader.read(documents.empty() ? YAML::Node() : documents.front());
        known_settings.insert(reader.variables().known_settings().begin(),
                              reader.variables().known_settings().end());
        return graph;
    } catch (const YAML::Exception& e) {
        add_syntax_error(e, source, diagnostics);
    } catch (const std::exception& e) {
        add_error(diagnostics, source.location(0), std::string("not valid YAML: ") + e.what());
    }
    return {};
}

Graph read_launch(const std::string& text, const std::string& name, const ReadOptions& options,
                  Diagnostics& diagnostics, std::set<std::string>& known_settings) {
    const Source source(name, text);
    Variables variables(options, diagnostics, true);
    Graph graph;
    Pipeline* pipeline = graph.add_pipelines();
    // What a file's name may hold and a pipeline's may not becomes "_".
    std::string stem = std::filesystem::path(name).stem().string();
    for (char& c : stem)
        if (!is_pipeline_name(std::string("a") + c)) c = '_';
    pipeline->set_name(is_pipeline_name(stem) ? stem : "pipeline");
    *pipeline->mutable_location() = source.location(0, 1);
    set_launch(*pipeline, text, source, 0, variables);
    known_settings.insert(variables.known_settings().begin(), variables.known_settings().end());
    fill_defaults(graph);
    return graph;
}

}  // namespace hawser::graph
