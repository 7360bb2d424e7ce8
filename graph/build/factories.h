// What the registry knows of an element, asked once: names, pads, properties. Internal to graph/build.
#pragma once

#include <gst/gst.h>

#include <string>
#include <string_view>
#include <vector>

namespace hawser::graph {

// A loaded element factory with its class. Movable; empty where there is no such element or its plugin does
// not load.
class Factory {
  public:
    explicit Factory(const std::string& name);
    ~Factory();
    Factory(Factory&& other) noexcept;
    Factory(const Factory&) = delete;
    Factory& operator=(const Factory&) = delete;
    Factory& operator=(Factory&&) = delete;

    bool exists() const { return factory_ != nullptr; }  // the registry knows it
    bool loaded() const { return class_ != nullptr; }    // its plugin could be loaded
    const std::string& name() const { return name_; }
    bool is_bin() const;          // a plain bin or pipeline: its pads are whatever it is given
    bool is_child_proxy() const;  // takes "child::property"

    GParamSpec* property(const std::string& name) const;  // borrowed; nullptr: unknown
    std::vector<std::string> property_names() const;      // writable ones

    std::vector<std::string> protocols() const;  // of the URIs that it handles

    // Pad templates of a direction, borrowed; only those that can have a pad called `pad`, where it is not
    // empty.
    std::vector<GstStaticPadTemplate*> templates(GstPadDirection direction, std::string_view pad = {}) const;

  private:
    std::string name_;
    GstElementFactory* factory_ = nullptr;
    GObjectClass* class_ = nullptr;
};

// Names of all elements in the registry.
std::vector<std::string> element_names();

// Could a pad of a template named `pattern` ("src_%u") be called `name`?
bool pad_name_fits(std::string_view pattern, std::string_view name);

}  // namespace hawser::graph
