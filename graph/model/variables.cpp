#include "graph/model/variables.h"

#include <cstdlib>
#include <utility>

#include "graph/model/quotes.h"
#include "graph/model/values.h"

namespace hawser::graph {
namespace {

constexpr std::size_t kMaxExpanded = 1 << 20;  // variables may double each other

std::string escape_quoted(std::string_view value) {
    std::string escaped;
    for (const char c : value) {
        if (c == '"' || c == '\\') escaped += '\\';
        escaped += c;
    }
    return escaped;
}

}  // namespace

Variables::Variables(const ReadOptions& options, Diagnostics& diagnostics, bool environment_too)
    : options_(options), diagnostics_(diagnostics), environment_too_(environment_too) {}

void Variables::define(const std::string& name, const std::string& value, const Location& where) {
    Variable variable;
    variable.text = value;
    variable.where = where;
    variables_[name] = std::move(variable);
    if (options_.set.count(name) != 0) known_settings_.insert(name);
}

std::vector<std::string> Variables::names() const {
    std::vector<std::string> names;
    for (const auto& entry : variables_) names.push_back(entry.first);
    return names;
}

std::map<std::string, std::string> Variables::values() {
    std::map<std::string, std::string> values;
    quiet_ = true;
    for (const auto& name : names())
        if (const auto value = look_up(name, false)) values[name] = *value;
    quiet_ = false;
    return values;
}

std::optional<std::string> Variables::look_up(const std::string& name, bool inside_variable) {
    if (const auto set = options_.set.find(name); set != options_.set.end()) {
        known_settings_.insert(name);
        return set->second;
    }
    const auto found = variables_.find(name);
    // "clip: ${clip}" means the environment's.
    if (found != variables_.end() && found->second.state != Variable::State::Expanding)
        return value_of(name, found->second);
    if (!inside_variable && !environment_too_) return std::nullopt;
    if (options_.environment) return options_.environment(name);
    if (const char* value = std::getenv(name.c_str())) return value;
    return std::nullopt;
}

// While the value of a variable is worked out: whether that takes the variable `name`'s own value again.
bool Variables::refers_to_itself(const std::string& name) const {
    const auto found = variables_.find(name);
    return expanding_ != nullptr && *expanding_ != name && found != variables_.end() &&
           found->second.state == Variable::State::Expanding;
}

std::optional<std::string> Variables::value_of(const std::string& name, Variable& variable) {
    if (variable.state == Variable::State::Raw) {
        const int before = diagnostics_.diagnostics_size();
        const std::string* outer = std::exchange(expanding_, &name);
        variable.state = Variable::State::Expanding;
        const Location& where = variable.where;
        Expanded expanded = expand(variable.text, [&where](std::size_t, std::size_t) { return where; });
        expanding_ = outer;
        const bool failed = diagnostics_.diagnostics_size() != before;
        if (quiet_ && failed) {
            variable.state = Variable::State::Raw;
            auto* all = diagnostics_.mutable_diagnostics();
            while (all->size() > before) all->RemoveLast();
            return std::nullopt;
        }
        variable.state = failed ? Variable::State::Failed : Variable::State::Ready;
        variable.text = std::move(expanded.text);
    }
    return variable.text;  // of a failed one as well: it is reported once, where it is defined
}

Expanded Variables::expand(std::string_view text, const Where& where, bool launch) {
    Expanded result;
    Quotes quotes;
    const auto copy = [&](std::size_t at) {
        if (result.runs.empty() || result.runs.back().length != 0)
            result.runs.push_back({result.text.size(), at, 0});
        result.text += text[at];
        quotes.step(text[at]);
    };
    for (std::size_t at = 0; at < text.size();) {
        if (text.compare(at, 3, "$${") == 0) {
            result.runs.push_back({result.text.size(), at, 3});
            result.text += "${";
            at += 3;
            continue;
        }
        if (text.compare(at, 2, "${") != 0) {
            copy(at++);
            continue;
        }
        const std::size_t close = text.find('}', at);
        if (close == std::string_view::npos) {
            add_error(diagnostics_, where(at, 2), "this variable has no closing \"}\"");
            break;
        }
        const std::size_t length = close + 1 - at;
        const std::string_view inside = text.substr(at + 2, length - 3);
        const std::size_t alternative = inside.find(":-");
        const std::string name(inside.substr(0, alternative));
        std::optional<std::string> value;
        if (!is_variable_name(name)) {
            add_error(diagnostics_, where(at, length), "\"" + name + "\" is not a variable's name",
                      "names have letters, digits, \"_\" and \"-\"; write $${ for a plain ${");
        } else {
            value = look_up(name, expanding_ != nullptr);
            if ((!value || value->empty()) && alternative != std::string_view::npos)
                value = std::string(inside.substr(alternative + 2));
            if (!value && refers_to_itself(name)) {
                add_error(diagnostics_, where(at, length),
                          "variables \"" + name + "\" and \"" + *expanding_ +
                              "\" take their values from each other",
                          "give one of them a value of its own");
            } else if (!value && expanding_ != nullptr) {
                add_error(
                    diagnostics_, where(at, length),
                    "variable \"" + *expanding_ + "\" takes its value from " + name +
                        ", which is not set in the environment",
                    "set " + name + ", give --set " + *expanding_ + "=…, or write ${" + name + ":-default}");
            } else if (!value) {
                std::string hint = did_you_mean(name, names());
                if (hint.empty()) hint = "define it under \"vars:\", or give --set " + name + "=…";
                add_error(diagnostics_, where(at, length), "unknown variable \"" + name + "\"", hint);
            }
        }
        if (value && !is_utf8(*value)) {
            add_error(diagnostics_, where(at, length), "the value of \"" + name + "\" is not valid UTF-8");
            value.reset();
        }
        if (value && result.text.size() + value->size() > kMaxExpanded) {
            add_error(diagnostics_, where(at, length), "the text grows beyond 1 MiB by its variables");
            break;
        }
        result.runs.push_back({result.text.size(), at, length});
        if (!value)
            result.text += kUnset;
        else
            result.text += launch && quotes.inside_double() ? escape_quoted(*value) : *value;
        at = close + 1;
    }
    return result;
}

}  // namespace hawser::graph
