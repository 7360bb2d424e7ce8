// Follows gst-launch text character by character and knows whether it stands inside quotes.
#pragma once

namespace hawser::graph {

class Quotes {
  public:
    // The next character. Double quotes open anywhere; single ones only where a word or a value begins (they
    // are common in comments and titles).
    void step(char c) {
        if (escaped_) {
            escaped_ = false;
        } else if (c == '\\') {
            escaped_ = true;
        } else if (quote_ != '\0') {
            if (c == quote_) quote_ = '\0';
        } else if (c == '"' || (c == '\'' && fresh_)) {
            quote_ = c;
        }
        fresh_ = c == '=' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
    }
    bool inside() const { return quote_ != '\0'; }
    bool inside_double() const { return quote_ == '"'; }

  private:
    char quote_ = '\0';
    bool escaped_ = false;
    bool fresh_ = true;
};

}  // namespace hawser::graph
