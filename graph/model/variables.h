// `${NAME}` and `${NAME:-default}` in a description's values.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "graph/model/diagnostic.h"
#include "graph/model/read.h"

namespace hawser::graph {

// Stands in launch text and in other variables for a value that is not known (which was reported), so that
// the rest can be looked at. Nothing is said of what holds it.
inline constexpr std::string_view kUnset = "hawser_unset_value";
inline bool is_unset(std::string_view text) {
    return text.find(kUnset) != std::string_view::npos;
}

// Text with its variables put in. Each run says where a part of it came from.
struct Expanded {
    struct Run {
        std::size_t offset;  // in `text`
        std::size_t source;  // in what was expanded
        std::size_t length;  // of the "${…}" in the source; 0: copied as it was
    };
    std::string text;
    std::vector<Run> runs;
};

// The variables of one file. What `options.set` has goes first, then what was defined. The values of
// variables may themselves hold
// `${…}`: other variables of the file, then the environment. "$${" stands for "${".
class Variables {
  public:
    // `environment_too`: names not defined are looked up in the environment from everywhere (for files
    // without `vars`).
    Variables(const ReadOptions& options, Diagnostics& diagnostics, bool environment_too = false);

    // `where` is the location of the value.
    void define(const std::string& name, const std::string& value, const Location& where);

    // `where(offset, length)` tells the location of a part of `text`. With `launch`, a value that stands
    // inside double quotes is escaped, so that it stays one value whatever it holds.
    using Where = std::function<Location(std::size_t offset, std::size_t length)>;
    Expanded expand(std::string_view text, const Where& where, bool launch = false);

    // Every variable that is defined, with its value where it has one; an unused one without a value is no
    // error.
    std::map<std::string, std::string> values();

    // Names from options.set that the file knows (defines or asks for).
    const std::set<std::string>& known_settings() const { return known_settings_; }
    // All names the file defines.
    std::vector<std::string> names() const;

  private:
    struct Variable {
        std::string text;
        Location where;
        enum class State { Raw, Expanding, Ready, Failed } state = State::Raw;
    };

    std::optional<std::string> look_up(const std::string& name, bool inside_variable);
    bool refers_to_itself(const std::string& name) const;
    std::optional<std::string> value_of(const std::string& name, Variable& variable);

    const ReadOptions& options_;
    Diagnostics& diagnostics_;
    bool environment_too_;
    bool quiet_ = false;
    const std::string* expanding_ = nullptr;  // the variable whose value is being worked out
    std::map<std::string, Variable> variables_;
    std::set<std::string> known_settings_;
};

}  // namespace hawser::graph
