// Writing one JSON object a line.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace hawser::cli {

// `text` in quotes. Bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

// Builds an object member by member, in the order of the calls.
class JsonObject {
  public:
    JsonObject& add(std::string_view name, std::string_view value) { return raw(name, json_string(value)); }
    JsonObject& add(std::string_view name, const char* value) { return raw(name, json_string(value)); }
    JsonObject& add(std::string_view name, bool value) { return raw(name, value ? "true" : "false"); }
    JsonObject& add(std::string_view name, std::integral auto value) {
        return raw(name, std::to_string(value));
    }
    JsonObject& add(std::string_view name, double value);  // three decimals
    // `json` is JSON already.
    JsonObject& raw(std::string_view name, std::string_view json);

    std::string text() const { return text_ + "}"; }

  private:
    std::string text_ = "{";
};

}  // namespace hawser::cli
