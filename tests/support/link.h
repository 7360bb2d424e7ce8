// The two ends of a Hawser link inside the test program: a sink that the test feeds buffer by buffer, a src
// whose pads are all recorded.
#pragma once

#include <gst/gst.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/support/pipeline.h"

namespace hawser::test {

// A src pad without an element, linked to a request pad of a hawsersink. The test's threads push through it.
class Feeder {
  public:
    Feeder(GstElement* sink, const std::string& pad_name);
    Feeder(const Feeder&) = delete;
    Feeder& operator=(const Feeder&) = delete;
    ~Feeder();

    // stream-start, caps and a TIME segment.
    void start(const std::string& caps = "application/x-test", const std::string& stream_id = "test/stream");
    gboolean push_event(GstEvent* event) { return gst_pad_push_event(pad_, event); }
    GstFlowReturn push(GstBuffer* buffer) { return gst_pad_push(pad_, buffer); }
    // Random bytes with a PTS; not a delta unit where `key`. Keeps what it sent.
    GstFlowReturn push_bytes(std::size_t size, std::uint64_t seed, GstClockTime pts, bool key = true);
    gboolean eos() { return push_event(gst_event_new_eos()); }

    // What LATENCY queries are told (default: not live).
    void set_live(bool live) { live_ = live; }
    GstPad* pad() const { return pad_; }
    GstPad* request_pad() const { return peer_; }
    // What was pushed with push_bytes() and by remember().
    const std::vector<BufferInfo>& sent() const { return sent_; }
    void remember(GstBuffer* buffer) { sent_.push_back(describe(buffer)); }

    bool wait_upstream(GstEventType type, Milliseconds bound, const std::string& structure = "") const;
    std::size_t upstream_count(GstEventType type) const;

  private:
    static gboolean on_event(GstPad* pad, GstObject* parent, GstEvent* event);
    static gboolean on_query(GstPad* pad, GstObject* parent, GstQuery* query);

    GstElement* sink_;
    GstPad* pad_ = nullptr;
    GstPad* peer_ = nullptr;
    bool live_ = false;
    std::vector<BufferInfo> sent_;
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::vector<GstEvent*> upstream_;
};

// A pipeline of one hawsersink. `properties` as in gst-launch: "port=0 address=127.0.0.1
// wait-for-connection=false".
class Sender {
  public:
    explicit Sender(const std::string& properties);
    ~Sender();
    Feeder& pad(const std::string& name);
    void release_pad(const std::string& name) { feeders_.erase(name); }
    // PLAYING, and waits until current-port is known where it listens.
    void play();
    int port() const;
    std::string uri(const std::string& stream = "/test", const std::string& query = "") const;
    bool wait_clients(unsigned count, Milliseconds bound) const;
    Stats stats() const { return stats_of(sink); }

    Pipeline pipeline;
    GstElement* sink = nullptr;  // borrowed from the pipeline

  private:
    std::map<std::string, std::unique_ptr<Feeder>> feeders_;
};

// A pipeline of one hawsersrc; each pad that appears is recorded and goes into a fakesink.
class Receiver {
  public:
    explicit Receiver(const std::string& properties, bool keep = false);
    ~Receiver();
    void play() { pipeline.play(); }
    // nullptr, and a failed test, where it does not appear in time.
    std::shared_ptr<Recorder> track(const std::string& name, Milliseconds bound = kSoon);
    std::vector<std::string> pads_added() const;
    std::vector<std::string> pads_removed() const;
    bool wait_pads(std::size_t count, Milliseconds bound) const;
    bool wait_no_more_pads(Milliseconds bound) const;
    Stats stats() const { return stats_of(src); }

    Pipeline pipeline;
    GstElement* src = nullptr;  // borrowed from the pipeline

  private:
    static void on_pad_added(GstElement* src, GstPad* pad, gpointer self);
    static void on_pad_removed(GstElement* src, GstPad* pad, gpointer self);
    static void on_no_more_pads(GstElement* src, gpointer self);

    const bool keep_;
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::map<std::string, std::shared_ptr<Recorder>> tracks_;
    std::vector<std::string> added_, removed_;
    bool no_more_pads_ = false;
};

// The buffers that `description` (which has an element named "end") passes into that element's sink pad, run
// to EOS as fast as it goes: the reference for what must arrive.
std::vector<BufferInfo> run_to_end(const std::string& description, Milliseconds bound = kLong);

// A property as a string, whatever its type ("streaming" for the state).
std::string property_text(GstElement* element, const char* name);

// Asks until `is_it` holds: for what nothing announces.
bool eventually(Milliseconds bound, const std::function<bool()>& is_it);

// Waits for notify::`property` until `is_it` holds.
bool wait_property(GstElement* element, const char* property, Milliseconds bound,
                   const std::function<bool()>& is_it);

}  // namespace hawser::test
