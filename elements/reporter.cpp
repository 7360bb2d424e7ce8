#include "elements/reporter.h"

#include <chrono>
#include <memory>
#include <utility>

#include "elements/enums.h"

namespace hawser::elements {
namespace {

constexpr auto kErrorPatience = std::chrono::milliseconds(200);
constexpr std::size_t kMostWarnings = 32;  // each with its own text; more of them are only logged

}  // namespace

void Reporter::start() {
    {
        const std::lock_guard lock(mutex_);
        error_.reset();
        posted_ = false;
        posting_ = false;
        warnings_.clear();
    }
    failed_ = false;
    dispatcher_.start();
}

void Reporter::stop() {
    const session::State before = told_;
    if (told_ != session::State::Idle) state(session::State::Idle, before, "stopped");
    dispatcher_.stop();
    state_ = session::State::Idle;
}

void Reporter::post(std::function<void()> task) {
    // The reference goes last, on the dispatcher's thread.
    dispatcher_.post([element = Ptr<GstElement>::ref(element_), task = std::move(task)] { task(); });
}

void Reporter::message(StructurePtr structure) {
    // std::function wants to be copied, so the structure is shared with its one user.
    std::shared_ptr<GstStructure> shared(structure.release(), gst_structure_free);
    post([this, shared] {
        gst_element_post_message(
            element_, gst_message_new_element(GST_OBJECT_CAST(element_), gst_structure_copy(shared.get())));
    });
}

void Reporter::state(session::State state, session::State before, const std::string& reason) {
    told_ = state;
    // The property changes when its notification goes out, so that the two never disagree.
    post([this, state] {
        state_.store(state, std::memory_order_release);
        g_object_notify(G_OBJECT(element_), "state");
    });
    message(StructurePtr(gst_structure_new(
        "hawser-state", "state", G_TYPE_STRING, nick(hawser_state_get_type(), static_cast<int>(state)),
        "old-state", G_TYPE_STRING, nick(hawser_state_get_type(), static_cast<int>(before)), "reason",
        G_TYPE_STRING, reason.c_str(), nullptr)));
}

void Reporter::warning(const Error& error) {
    {
        const std::lock_guard lock(mutex_);
        if (warnings_.size() >= kMostWarnings || !warnings_.insert(error.message).second) return;
    }
    post([this, error] { post_warning(element_, error, direction_); });
}

void Reporter::failed(const Error& error) {
    {
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = error;
        failed_ = true;
    }
    changed_.notify_all();
    post([this] { post_failure(); });
}

void Reporter::post_failure() {
    Error error;
    {
        std::unique_lock lock(mutex_);
        // A streaming thread may learn of the failure before on_failed() has run, and must not go on while
        // the dispatcher is just posting: upstream would post errors of its own in front of this one.
        changed_.wait_for(lock, kErrorPatience, [this] { return error_.has_value() || posted_; });
        if (posted_) {
            changed_.wait_for(lock, kErrorPatience, [this] { return !posting_; });
            return;
        }
        posted_ = true;
        posting_ = true;
        error = error_.value_or(Error{Errc::Internal, "The session has failed"});
    }
    post_error(element_, error, direction_);
    {
        const std::lock_guard lock(mutex_);
        posting_ = false;
    }
    changed_.notify_all();
}

bool Reporter::claim_failure() {
    const std::lock_guard lock(mutex_);
    failed_ = true;
    return !std::exchange(posted_, true);
}

void Reporter::fail_now(const Error& error) {
    {
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = error;
        failed_ = true;
    }
    post_failure();
}

}  // namespace hawser::elements
