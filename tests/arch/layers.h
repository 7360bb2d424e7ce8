// Which folder may use which: the order of docs/design/0001-layers.md, as data.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hawser::arch {

struct Layer {
    std::string folder;                // "runtime/base"; what lies below it belongs to it
    std::vector<std::string> may_use;  // folders whose headers and targets it may use, besides its own
    bool gstreamer = false;            // may use GStreamer and GLib
    bool wire_messages = false;        // may use what wire.proto generates
    bool graph_messages = false;       // may use what graph.proto and control.proto generate
};

// Every folder with code in it, tests excepted.
const std::vector<Layer>& layers();

// The layer that `path` (relative to the root: a folder or a file) lies in, or null.
const Layer* layer_of(std::string_view path);

// Whether code of `user` may use what is in `used`.
bool may_use(const Layer& user, const Layer& used);

}  // namespace hawser::arch
