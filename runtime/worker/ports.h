// A pipeline's ports: where media goes in or out of it. Its link ends where it has any, else its sinks.
// Counts the buffers that pass them, which is how the supervisor knows that the pipeline really runs.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <cstdint>
#include <functional>

namespace hawser::worker {

class Ports {
  public:
    // Borrows the pipeline, which must outlive it. `receives`, `sends`: it has a link end "in", "out".
    // `on_first` is called once, by a streaming thread.
    Ports(GstElement* pipeline, bool receives, bool sends, std::function<void()> on_first);
    ~Ports();
    Ports(const Ports&) = delete;
    Ports& operator=(const Ports&) = delete;

    // From now on no EOS leaves by "out". Any thread.
    void hold_eos() { hold_eos_.store(true, std::memory_order_release); }

    std::uint64_t objects() const { return objects_.load(std::memory_order_relaxed); }
    std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

  private:
    void watch_end(GstElement* end, GstPadDirection direction);
    void watch_sinks(GstBin* bin);
    void watch_pad(GstPad* pad);
    void count(std::uint64_t objects, std::uint64_t bytes);

    static GstPadProbeReturn on_event(GstPad*, GstPadProbeInfo* info, gpointer self);
    static GstPadProbeReturn on_buffer(GstPad*, GstPadProbeInfo* info, gpointer self);
    static void on_pad_added(GstElement*, GstPad* pad, gpointer self);
    static void on_element_added(GstBin*, GstBin* parent, GstElement* element, gpointer self);

    GstElement* const pipeline_;
    const std::function<void()> on_first_;
    std::atomic<bool> hold_eos_{false};
    std::atomic<std::uint64_t> objects_{0}, bytes_{0};  // streaming threads write
    GstElement* in_ = nullptr;                          // owned
    GstElement* out_ = nullptr;                         // owned
};

}  // namespace hawser::worker
