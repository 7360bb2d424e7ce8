#include "graph/model/launch_text.h"

#include <algorithm>
#include <cctype>

#include "graph/model/quotes.h"

namespace hawser::graph {
namespace {

bool is_space(char c) {
    return std::isspace(static_cast<unsigned char>(c)) != 0;
}
bool starts_identifier(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}
bool in_identifier(char c) {
    return starts_identifier(c) || c == '-' || c == '%' || c == ':';
}

// GStreamer's reading of a value: outer double quotes go, then every escape outside inner quotes.
std::string plain_value(std::string_view raw) {
    if (raw.size() >= 2 && raw.front() == '"' && raw.back() == '"') raw = raw.substr(1, raw.size() - 2);
    std::string value;
    bool quoted = false;
    for (std::size_t i = 0; i < raw.size(); ++i) {
        if (raw[i] == '\\' && !quoted) {
            if (++i == raw.size()) break;
        } else if (raw[i] == '"' && (!quoted || i == 0 || raw[i - 1] != '\\')) {
            quoted = !quoted;
        }
        value += raw[i];
    }
    return value;
}

class Parser {
  public:
    explicit Parser(std::string_view text) : text_(text) {}

    LaunchText parse() {
        skip_command();
        for (skip_space(); at_ < text_.size(); skip_space()) token();
        if (link_open_) problem("this link leads nowhere", link_at_, "");
        for (const std::size_t open : brackets_) problem("this bracket is not closed", {open, 1}, "");
        return std::move(result_);
    }

  private:
    void problem(std::string message, Span at, std::string_view detail) {
        if (!detail.empty()) message.append(" ").append(detail);
        result_.problems.push_back({std::move(message), at, {}});
    }

    char peek(std::size_t at) const { return at < text_.size() ? text_[at] : '\0'; }
    void skip_space() { at_ = after_space(at_); }
    std::size_t after_space(std::size_t at) const {
        while (at < text_.size() && is_space(text_[at])) ++at;
        return at;
    }
    std::size_t after_identifier(std::size_t at) const {
        if (at >= text_.size() || !starts_identifier(text_[at])) return at;
        while (at < text_.size() && in_identifier(text_[at])) ++at;
        return at;
    }
    std::size_t after_word(std::size_t at) const {
        while (at < text_.size() && !is_space(text_[at])) at += text_[at] == '\\' ? 2 : 1;
        return std::min(at, text_.size());
    }

    // GStreamer's lexer takes the longer one of a quoted string and a run without white space.
    std::size_t after_string(std::size_t at) {
        const std::size_t word = after_word(at);
        const char quote = peek(at);
        if (quote != '"' && quote != '\'') return word;
        for (std::size_t i = at + 1; i < text_.size(); ++i) {
            if (text_[i] == '\\')
                ++i;
            else if (text_[i] == quote)
                return std::max(word, i + 1);
        }
        problem("this quote is not closed", {at, 1}, "");
        return word;
    }

    // A command line that was pasted as it is: says so once, and goes on behind it.
    void skip_command() {
        skip_space();
        const std::size_t end = after_word(at_);
        const std::string_view first = text_.substr(at_, end - at_);
        if (!first.starts_with("gst-launch")) return;
        result_.problems.push_back(
            {"this is a command, not an element",
             {at_, first.size()},
             "leave out " + std::string(first) + " and its options: only the pipeline's text"});
        at_ = end;
        for (skip_space(); peek(at_) == '-'; skip_space()) at_ = after_word(at_);
    }

    // What only a shell understands: a backslash at a line's end, quotes around caps. True where it was one.
    bool shell() {
        const char c = text_[at_];
        if (c == '\\' && (at_ + 1 == text_.size() || is_space(text_[at_ + 1]))) {
            result_.problems.push_back({"a backslash at the line's end is a shell's",
                                        {at_, 1},
                                        "leave it out: the text may have several lines as it is"});
            ++at_;
            return true;
        }
        if (c != '\'' && c != '"') return false;
        const std::size_t close = text_.find(c, at_ + 1);
        if (close == std::string_view::npos) {
            problem("this quote is not closed", {at_, 1}, "");
            at_ = text_.size();
            link_open_ = false;
            return true;
        }
        const std::string_view inside = text_.substr(at_ + 1, close - at_ - 1);
        if (link_open_ && inside.find('/') != std::string_view::npos) {
            result_.caps.push_back({std::string(inside), {at_ + 1, inside.size()}});
            node(LaunchNodeKind::Caps, result_.caps.size() - 1);
        } else if (inside != "!") {
            return false;
        } else {
            link_open_ = chain_open_;
            link_at_ = {at_, 3};
        }
        result_.problems.push_back({"these quotes are a shell's", {at_, close + 1 - at_}, "leave them out"});
        at_ = close + 1;
        chain_open_ = true;
        return true;
    }

    void token() {
        const char c = text_[at_];
        if (shell()) return;
        if (c == '!' || c == ':') return link();
        if (c == '(') return open_bin(at_, at_ + 1, "bin");
        if (c == ')') return close_bin();
        if (c == ',') return more_pads();
        if (c == '.' && starts_identifier(peek(at_ + 1))) {
            const std::size_t end = after_identifier(at_ + 1);
            // A point glued to an element speaks of that element's pad, and so does one after a link of the
            // next's.
            result_.references.push_back(
                {"", std::string(text_.substr(at_ + 1, end - at_ - 1)), {at_, end - at_}});
            at_ = end;
            return;
        }
        if (c == '@') {  // a preset of the element before
            at_ = after_word(at_);
            return;
        }
        const std::size_t end = after_identifier(at_);
        if (end == at_) return strange();
        word(end);
    }

    void link() {
        if (link_open_) problem("two links without an element between them", {at_, 1}, "");
        if (!chain_open_) problem("this link comes from nowhere", {at_, 1}, "");
        link_at_ = {at_, 1};
        ++at_;
        link_open_ = true;
        element_ = -1;
        const std::size_t caps = after_space(at_);
        std::size_t end = caps;
        while (end < text_.size() &&
               (std::isalnum(static_cast<unsigned char>(text_[end])) != 0 || text_[end] == '-'))
            ++end;
        if (end == caps || peek(end) != '/' || std::isalnum(static_cast<unsigned char>(peek(end + 1))) == 0)
            return;
        for (Quotes quotes; end < text_.size(); ++end) {
            quotes.step(text_[end]);
            if (text_[end] == '!' && !quotes.inside()) break;
        }
        if (end == text_.size()) {
            problem("caps stand only between two links: a \"!\" is missing after them",
                    {caps, after_word(caps) - caps}, "");
        }
        std::size_t last = end;
        while (last > caps && is_space(text_[last - 1])) --last;
        result_.caps.push_back({std::string(text_.substr(caps, last - caps)), {caps, last - caps}});
        node(LaunchNodeKind::Caps, result_.caps.size() - 1);
        if (end < text_.size()) {
            link_at_ = {end, 1};
            link_open_ = true;
        }
        at_ = std::min(end + 1, text_.size());
    }

    // Puts the node behind what stands before it, linked where a link is open.
    void node(LaunchNodeKind kind, std::size_t index) {
        const bool linked = link_open_ && chain_open_;
        if (linked && !result_.nodes.empty()) result_.nodes.back().linked_right = true;
        result_.nodes.push_back({kind, index, linked, false});
        link_open_ = false;
        // A reference or a URI that something was linked to ends its chain.
        chain_open_ = !(linked && (kind == LaunchNodeKind::Reference || kind == LaunchNodeKind::Uri));
    }

    void open_bin(std::size_t from, std::size_t after, std::string factory) {
        LaunchElement bin;
        bin.factory = std::move(factory);
        bin.at = {from, std::max<std::size_t>(
                            1, bin.factory == "bin" && text_[from] == '(' ? 1 : bin.factory.size())};
        bin.bin = true;
        result_.elements.push_back(std::move(bin));
        brackets_.push_back(after - 1);
        at_ = after;
        element_ = static_cast<std::ptrdiff_t>(result_.elements.size()) - 1;
    }

    void close_bin() {
        if (brackets_.empty())
            problem("this bracket was never opened", {at_, 1}, "");
        else
            brackets_.pop_back();
        ++at_;
        element_ = -1;
    }

    void more_pads() {
        const std::size_t from = after_space(at_ + 1);
        const std::size_t end = after_identifier(from);
        if (result_.references.empty() || end == from) return strange();
        auto& reference = result_.references.back();
        reference.pad += ",";
        reference.pad += text_.substr(from, end - from);
        reference.at.length = end - reference.at.offset;
        at_ = end;
    }

    void word(std::size_t end) {
        const std::string name(text_.substr(at_, end - at_));
        const std::size_t next = after_space(end);
        if (peek(next) == '=') return assignment(name, next + 1);
        if (peek(next) == '.' && peek(after_space(next + 1)) == '(')
            return open_bin(at_, after_space(next + 1) + 1, name);
        if (peek(end) == '.') {
            const std::size_t pad_end = after_identifier(end + 1);
            result_.references.push_back(
                {name, std::string(text_.substr(end + 1, pad_end - end - 1)), {at_, pad_end - at_}});
            node(LaunchNodeKind::Reference, result_.references.size() - 1);
            element_ = -1;
            at_ = pad_end;
            return;
        }
        // The identifier swallows a protocol's colon: "file://…".
        const std::size_t protocol = text_.find("://", at_);
        if (protocol != std::string_view::npos && protocol <= end && protocol + 3 <= text_.size()) {
            const std::size_t uri_end = std::max(after_string(protocol + 3), protocol + 3);
            result_.uris.push_back({at_, uri_end - at_});
            node(LaunchNodeKind::Uri, result_.uris.size() - 1);
            element_ = -1;
            at_ = uri_end;
            return;
        }
        LaunchElement element;
        element.factory = name;
        element.at = {at_, end - at_};
        result_.elements.push_back(std::move(element));
        element_ = static_cast<std::ptrdiff_t>(result_.elements.size()) - 1;
        node(LaunchNodeKind::Element, result_.elements.size() - 1);
        at_ = end;
    }

    void assignment(const std::string& name, std::size_t value) {
        const std::size_t name_at = at_;
        value = after_space(value);
        const std::size_t end = after_string(value);
        const Span value_at{value, end - value};
        LaunchProperty property{
            name, plain_value(text_.substr(value, end - value)), {name_at, name.size()}, value_at};
        at_ = end;
        if (value == end) return problem("a value is missing after", property.name_at, "\"" + name + "=\"");
        if (element_ < 0) return problem("no element stands before this property", property.name_at, "");
        auto& element = result_.elements[static_cast<std::size_t>(element_)];
        if (name == "name") element.name = property.value;
        element.properties.push_back(std::move(property));
    }

    void strange() {
        const std::size_t end = std::max(after_word(at_), at_ + 1);
        problem("this is neither an element nor a property, a link or a reference", {at_, end - at_}, "");
        at_ = end;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    LaunchText result_;
    std::ptrdiff_t element_ = -1;  // whose properties come next; -1: nobody's
    bool link_open_ = false;       // a "!" waits for what follows it
    bool chain_open_ = false;      // something stands before, to which a "!" may link
    Span link_at_;
    std::vector<std::size_t> brackets_;
};

}  // namespace

const LaunchElement* LaunchText::element_named(std::string_view name) const {
    const auto found = std::find_if(elements.begin(), elements.end(),
                                    [&](const LaunchElement& e) { return e.name == name; });
    return found == elements.end() ? nullptr : &*found;
}

bool LaunchText::mentions(std::string_view element) const {
    return element_named(element) != nullptr ||
           std::any_of(references.begin(), references.end(),
                       [&](const LaunchReference& r) { return r.element == element; });
}

LaunchText parse_launch_text(std::string_view text) {
    return Parser(text).parse();
}

std::string blank_comments(std::string_view launch) {
    std::string text(launch);
    Quotes quotes;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '#' && !quotes.inside() && (i == 0 || is_space(text[i - 1]))) {
            while (i < text.size() && text[i] != '\n') text[i++] = ' ';
            if (i == text.size()) break;
        }
        quotes.step(text[i]);
    }
    return text;
}

}  // namespace hawser::graph
