// Tells the application what the session tells us: `state` notifications, element messages, warnings (one for
// each cause) and the one error that ends a run.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "elements/dispatcher.h"
#include "elements/errors.h"
#include "elements/gst_ptr.h"
#include "runtime/session/config.h"

namespace hawser::elements {

class Reporter {
  public:
    // `element` owns this, and outlives it.
    Reporter(GstElement* element, Direction direction) : element_(element), direction_(direction) {}

    // A run is from READY→PAUSED to PAUSED→READY.
    void start();
    void stop();

    // Any thread, the reactor's included; what they cause happens on the dispatcher's thread, in this order.
    void state(session::State state, session::State before, const std::string& reason);
    void warning(const Error& error);
    void failed(const Error& error);
    void message(StructurePtr structure);
    // Runs `task` with the element kept alive.
    void post(std::function<void()> task);

    session::State state() const { return state_.load(std::memory_order_acquire); }
    bool has_failed() const { return failed_.load(std::memory_order_acquire); }

    // Streaming threads, before they return GST_FLOW_ERROR: the error message is posted when this returns.
    void post_failure();
    // The same with an error of the caller's own, where there is none yet.
    void fail_now(const Error& error);
    // For an error message that the caller posts himself: true for the first failure of a run.
    bool claim_failure();

  private:
    GstElement* const element_;
    const Direction direction_;
    Dispatcher dispatcher_;
    std::atomic<session::State> told_{session::State::Idle};   // by the session
    std::atomic<session::State> state_{session::State::Idle};  // to the application
    std::atomic<bool> failed_{false};

    std::mutex mutex_;
    std::condition_variable changed_;  // error_, posting_
    std::optional<Error> error_;       // mutex_
    bool posted_ = false;              // mutex_: or somebody is about to
    bool posting_ = false;             // mutex_: post_failure() is
    std::set<std::string> warnings_;   // mutex_: texts of this run
};

}  // namespace hawser::elements
