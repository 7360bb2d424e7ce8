// A tolerant reader of gst-launch text that knows where things stand. It does not decide what is right —
// gst_parse_launch does — but finds names, properties and references with their positions, so that a report
// can point at them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hawser::graph {

// A piece of the text. Offsets and lengths are bytes.
struct Span {
    std::size_t offset = 0;
    std::size_t length = 0;
    std::size_t end() const { return offset + length; }
};

struct LaunchProperty {
    std::string name;   // "pattern"; child proxies "sink_0::alpha" as they are
    std::string value;  // as GStreamer would see it: quotes and escapes taken away
    Span name_at;
    Span value_at;  // with quotes
};

struct LaunchElement {
    std::string factory;  // "videotestsrc"; "bin." or "pipeline." for an opening bracket's type
    std::string name;     // of name=…, else empty
    Span at;              // of the factory
    bool bin = false;     // "bin.( …": its properties stand before its first element
    std::vector<LaunchProperty> properties;
};

// "out.video", "in.", ".sink_0": a reference to a named element's pad.
struct LaunchReference {
    std::string element;  // "" where the text begins with the point: the element before
    std::string pad;      // may be empty; several pads "a,b" as they are
    Span at;
};

// "video/x-raw,width=320" between two links.
struct LaunchCaps {
    std::string text;
    Span at;
};

enum class LaunchNodeKind { Element, Reference, Caps, Uri };

// What stands between two links, in order.
struct LaunchNode {
    LaunchNodeKind kind = LaunchNodeKind::Element;
    std::size_t index = 0;      // into elements, references, caps or uris
    bool linked_left = false;   // a "!" or ":" stands before it
    bool linked_right = false;  // … or after it
};

struct LaunchProblem {
    std::string message;
    Span at;
    std::string hint;  // may be empty
};

struct LaunchText {
    std::vector<LaunchElement> elements;
    std::vector<LaunchReference> references;
    std::vector<LaunchCaps> caps;
    std::vector<Span> uris;         // "file:///…" in an element's place
    std::vector<LaunchNode> nodes;  // in the order of the text; nodes[i].linked_right means: to nodes[i + 1]
    std::vector<LaunchProblem> problems;  // an open quote or bracket, a link that leads nowhere

    const LaunchElement* element_named(std::string_view name) const;
    // True where the text has an element of this name or refers to one of its pads.
    bool mentions(std::string_view element) const;
};

// `#` comments of a description's launch text (from a `#` at a line's start or after white space, outside
// quotes, to the line's end) become blanks, so that columns stay.
std::string blank_comments(std::string_view launch);

// Never fails: what it cannot make sense of goes into `problems`.
LaunchText parse_launch_text(std::string_view text);

}  // namespace hawser::graph
