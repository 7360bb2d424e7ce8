// One pipeline in a process of its own, told by and reporting to `hawser`.
//
// Thread: all on the GLib main loop of run(), but what is marked otherwise.
#pragma once

#include <gst/gst.h>

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "hawser/control.pb.h"
#include "runtime/base/fd.h"
#include "runtime/base/result.h"
#include "runtime/control/channel.h"
#include "runtime/worker/ports.h"

namespace hawser::worker {

// Exit codes.
inline constexpr int kDone = 0;      // EOS, or stopped as told
inline constexpr int kFailed = 1;    // the pipeline failed
inline constexpr int kBadSetup = 2;  // it could not be built

class Worker {
  public:
    // Takes over the control socket. `termination`: from watch_termination().
    Worker(Fd control, int termination);
    ~Worker();

    // Waits for the Setup. Nothing where none came.
    std::optional<hawser::control::Setup> wait_for_setup();
    // Builds the pipeline and runs it to its end. gst_init() has been called. Returns the exit code.
    int run(const hawser::control::Setup& setup);

  private:
    bool build();
    void play();
    void finish(int code);
    void stop(std::uint64_t drain_ms, const char* why);
    void end(bool eos);
    void fail(const std::string& element, const std::string& text, const std::string& debug = {});
    void report(const hawser::control::Report& report);
    void report_ready();
    void report_progress();
    void report_problem(bool fatal, GstMessage* message);

    void on_control();
    void on_command(const hawser::control::Command& command);
    void on_message(GstMessage* message);
    void on_element_message(GstMessage* message);
    void on_buffering(int percent);
    void watch_control();
    void in_main_loop(std::function<void()> task);  // any thread

    control::Channel channel_;
    const int termination_;
    hawser::control::Setup setup_;
    GMainLoop* loop_ = nullptr;
    GstElement* pipeline_ = nullptr;
    GstElement* in_ = nullptr;   // hawsersrc, where it has one
    GstElement* out_ = nullptr;  // hawsersink
    std::unique_ptr<Ports> ports_;
    guint control_watch_ = 0, write_watch_ = 0, bus_watch_ = 0;
    std::optional<hawser::control::Command> early_;  // came with the Setup
    std::set<std::string> missing_;                  // sometimes pads that did not come: told once each
    int code_ = kDone;
    bool ready_ = false, playing_asked_ = false, stopping_ = false, finished_ = false;
    bool live_ = false, buffering_ = false;
};

}  // namespace hawser::worker
