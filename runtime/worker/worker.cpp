#include "runtime/worker/worker.h"

#include <glib-unix.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <utility>

#include "graph/build/build.h"
#include "runtime/worker/messages.h"

namespace hawser::worker {
namespace {

using hawser::control::Command;
using hawser::control::Report;
using namespace std::chrono_literals;

constexpr guint kProgressMs = 500;
constexpr guint kStartFailureMs = 500;     // for the bus to say why a state change failed
constexpr unsigned kShutdownSeconds = 10;  // for the pipeline to reach NULL
constexpr std::uint64_t kDefaultDrainMs = 5000;
constexpr Duration kLastWords = 1s;

// A source that runs a member function of the worker; it is never removed but with the main context.
void every(guint ms, std::function<bool()> task) {
    g_timeout_add_full(
        G_PRIORITY_DEFAULT, ms,
        [](gpointer data) -> gboolean { return (*static_cast<std::function<bool()>*>(data))(); },
        new std::function<bool()>(std::move(task)),
        [](gpointer data) { delete static_cast<std::function<bool()>*>(data); });
}

}  // namespace

Worker::Worker(Fd control, int termination) : channel_(std::move(control)), termination_(termination) {}

Worker::~Worker() {
    ports_.reset();
    for (GstElement* element : {in_, out_, pipeline_})
        if (element) gst_object_unref(element);
    if (loop_) g_main_loop_unref(loop_);
}

std::optional<hawser::control::Setup> Worker::wait_for_setup() {
    std::optional<hawser::control::Setup> setup;
    while (!setup) {
        pollfd wait[] = {{channel_.fd(), POLLIN, 0}, {termination_, POLLIN, 0}};
        if (poll(wait, 2, -1) < 0) continue;
        if (wait[1].revents) return std::nullopt;
        auto alive = channel_.receive<Command>([&](const Command& command) {
            if (command.has_setup())
                setup = command.setup();
            else
                early_ = command;
        });
        if (!setup && (!alive || !*alive)) return std::nullopt;
    }
    return setup;
}

int Worker::run(const hawser::control::Setup& setup) {
    setup_ = setup;
    loop_ = g_main_loop_new(nullptr, FALSE);
    if (!build()) {
        channel_.flush_within(kLastWords);
        return kBadSetup;
    }
    watch_control();
    g_unix_fd_add(
        termination_, G_IO_IN,
        [](gint, GIOCondition, gpointer self) -> gboolean {
            auto& worker = *static_cast<Worker*>(self);
            worker.stop(worker.setup_.drain_ms(), "a signal");
            return G_SOURCE_REMOVE;
        },
        this);
    every(kProgressMs, [this] {
        report_progress();
        return true;
    });
    play();
    if (early_) on_command(*early_);
    g_main_loop_run(loop_);

    alarm(kShutdownSeconds);  // a pipeline that hangs here has had its chance
    gst_element_set_state(pipeline_, GST_STATE_NULL);
    channel_.flush_within(kLastWords);
    if (bus_watch_) g_source_remove(bus_watch_);
    return code_;
}

bool Worker::build() {
    auto built = graph::build_pipeline(setup_);
    if (!built) {
        fail(setup_.pipeline(), built.error().message);
        return false;
    }
    pipeline_ = *built;
    for (const auto& end : setup_.ends()) {
        GstElement*& element = end.element() == "in" ? in_ : out_;
        if (!element) element = gst_bin_get_by_name(GST_BIN(pipeline_), end.element().c_str());
    }
    ports_ = std::make_unique<Ports>(pipeline_, in_ != nullptr, out_ != nullptr,
                                     [this] { in_main_loop([this] { report_progress(); }); });
    if (out_ && has_property(out_, "current-port"))
        g_signal_connect(out_, "notify::current-port", G_CALLBACK(+[](GObject*, GParamSpec*, gpointer self) {
                             auto& worker = *static_cast<Worker*>(self);
                             worker.in_main_loop([&worker] { worker.report_ready(); });
                         }),
                         this);
    GstBus* bus = gst_element_get_bus(pipeline_);
    // A source that fails posts its error first and then sends EOS, from the same thread.
    gst_bus_set_sync_handler(
        bus,
        [](GstBus*, GstMessage* message, gpointer self) {
            if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR)
                static_cast<Worker*>(self)->ports_->hold_eos();
            return GST_BUS_PASS;
        },
        this, nullptr);
    bus_watch_ = gst_bus_add_watch(
        bus,
        [](GstBus*, GstMessage* message, gpointer self) -> gboolean {
            static_cast<Worker*>(self)->on_message(message);
            return G_SOURCE_CONTINUE;
        },
        this);
    gst_object_unref(bus);
    return true;
}

void Worker::play() {
    const GstStateChangeReturn result = gst_element_set_state(pipeline_, GST_STATE_PLAYING);
    live_ = result == GST_STATE_CHANGE_NO_PREROLL;
    playing_asked_ = true;
    if (result != GST_STATE_CHANGE_FAILURE) return report_ready();
    every(kStartFailureMs, [this] {
        if (!finished_) fail(setup_.pipeline(), "the pipeline cannot be started and did not say why");
        return false;
    });
}

// Once the pipeline is on its way and its listener has a port.
void Worker::report_ready() {
    if (ready_ || !playing_asked_) return;
    Report message;
    auto* ready = message.mutable_ready();
    if (out_ && has_property(out_, "current-port")) {
        const guint port = get_uint(out_, "current-port");
        if (port == 0) return;
        auto* entry = ready->add_ports();
        entry->set_element("out");
        entry->set_port(port);
    }
    ready_ = true;
    report(message);
}

void Worker::report_progress() {
    Report message;
    auto* progress = message.mutable_progress();
    if (GST_STATE(pipeline_) == GST_STATE_PLAYING) {
        const GstClockTime at = gst_element_get_current_running_time(pipeline_);
        if (GST_CLOCK_TIME_IS_VALID(at)) progress->set_position_ns(at);
    }
    progress->set_objects(ports_->objects());
    progress->set_bytes(ports_->bytes());
    if (out_ && has_property(out_, "num-clients")) progress->set_clients(get_uint(out_, "num-clients"));
    if (in_) progress->set_queued_bytes(stats_value(in_, "queued-bytes"));
    report(message);
}

void Worker::report_problem(bool fatal, GstMessage* message) {
    const ProblemText problem = read_problem(message);
    // A description may name tracks and pads that only some media have.
    if (const auto link = read_delayed_link(problem); !fatal && link && is_missing_pad(pipeline_, *link)) {
        if (!missing_.insert(link->element + "." + link->pad).second) return;
        if (link->element == "in")
            spdlog::info("the sender has no track \"{}\"", link->pad);
        else
            spdlog::info("\"{}\" has no pad \"{}\" with this media", link->element, link->pad);
        return;
    }
    spdlog::debug("{}: {}", problem.element, problem.debug);
    if (fatal) return fail(problem.element, problem.text, problem.debug);
    Report out;
    auto* warning = out.mutable_problem();
    warning->set_element(problem.element);
    warning->set_text(problem.text);
    warning->set_debug(problem.debug);
    report(out);
}

void Worker::fail(const std::string& element, const std::string& text, const std::string& debug) {
    Report message;
    auto* problem = message.mutable_problem();
    problem->set_fatal(true);
    problem->set_element(element);
    problem->set_text(text);
    problem->set_debug(debug);
    report(message);
    finish(kFailed);
}

void Worker::finish(int code) {
    if (std::exchange(finished_, true)) return;
    code_ = code;
    g_main_loop_quit(loop_);
}

void Worker::end(bool eos) {
    if (finished_) return;
    Report message;
    message.mutable_ended()->set_eos(eos);
    report(message);
    finish(kDone);
}

void Worker::stop(std::uint64_t drain_ms, const char* why) {
    const bool first = !std::exchange(stopping_, true);
    every(static_cast<guint>(drain_ms ? drain_ms : kDefaultDrainMs), [this] {
        if (!finished_) spdlog::info("stopping before EOS has come through");
        end(false);
        return false;
    });
    if (!first) return;
    spdlog::debug("stopping because of {}", why);
    // Nothing has gone through yet, so EOS has nothing to finish; and a source without data may not pass it
    // on.
    if (ports_->objects() == 0) return end(false);
    if (buffering_ && !live_) gst_element_set_state(pipeline_, GST_STATE_PLAYING);
    gst_element_call_async(
        pipeline_, [](GstElement* pipeline, gpointer) { send_eos(GST_BIN(pipeline)); }, nullptr, nullptr);
}

void Worker::report(const Report& message) {
    if (auto sent = channel_.send(message); !sent) spdlog::debug("{}", sent.error().message);
    if (!channel_.wants_write() || write_watch_ || !loop_) return;
    write_watch_ = g_unix_fd_add(
        channel_.fd(), G_IO_OUT,
        [](gint, GIOCondition, gpointer self) -> gboolean {
            auto& worker = *static_cast<Worker*>(self);
            (void)worker.channel_.flush().ok();
            if (worker.channel_.wants_write()) return G_SOURCE_CONTINUE;
            worker.write_watch_ = 0;
            return G_SOURCE_REMOVE;
        },
        this);
}

void Worker::watch_control() {
    control_watch_ = g_unix_fd_add(
        channel_.fd(), static_cast<GIOCondition>(G_IO_IN | G_IO_HUP | G_IO_ERR),
        [](gint, GIOCondition, gpointer self) -> gboolean {
            auto& worker = *static_cast<Worker*>(self);
            worker.on_control();
            return worker.control_watch_ != 0;
        },
        this);
}

void Worker::on_control() {
    auto alive = channel_.receive<Command>([this](const Command& command) { on_command(command); });
    if (alive && *alive) return;
    control_watch_ = 0;
    alarm(static_cast<unsigned>(setup_.drain_ms() / 1000) + kShutdownSeconds);  // nobody is left to kill us
    stop(setup_.drain_ms(), "the end of its supervisor");
}

void Worker::on_command(const Command& command) {
    switch (command.command_case()) {
        case Command::kStop:
            if (command.stop().restart()) ports_->hold_eos();
            stop(command.stop().drain_ms(), "a command");
            break;
        case Command::kCut: {
            GstElement* end = command.cut().element() == "in" ? in_ : out_;
            if (!end || !g_signal_lookup("reconnect", G_OBJECT_TYPE(end))) {
                spdlog::warn("cannot cut \"{}\": there is no such link end here", command.cut().element());
            } else {
                g_signal_emit_by_name(end, "reconnect");
            }
            break;
        }
        case Command::kSetup:
        case Command::COMMAND_NOT_SET:
            break;
    }
}

void Worker::on_message(GstMessage* message) {
    switch (GST_MESSAGE_TYPE(message)) {
        case GST_MESSAGE_ERROR:
            report_problem(true, message);
            break;
        case GST_MESSAGE_WARNING:
            report_problem(false, message);
            break;
        case GST_MESSAGE_EOS:
            end(true);
            break;
        case GST_MESSAGE_ELEMENT:
            on_element_message(message);
            break;
        case GST_MESSAGE_LATENCY:
            gst_bin_recalculate_latency(GST_BIN(pipeline_));
            break;
        case GST_MESSAGE_CLOCK_LOST:
            gst_element_set_state(pipeline_, GST_STATE_PAUSED);
            gst_element_set_state(pipeline_, GST_STATE_PLAYING);
            break;
        case GST_MESSAGE_BUFFERING: {
            gint percent = 0;
            gst_message_parse_buffering(message, &percent);
            on_buffering(percent);
            break;
        }
        case GST_MESSAGE_STATE_CHANGED: {
            if (GST_MESSAGE_SRC(message) != GST_OBJECT(pipeline_)) break;
            GstState state;
            gst_message_parse_state_changed(message, nullptr, &state, nullptr);
            Report out;
            out.mutable_state()->set_state(gst_element_state_get_name(state));
            report(out);
            report_ready();
            break;
        }
        default:
            break;
    }
}

void Worker::on_element_message(GstMessage* message) {
    if (const auto translated = read_link_message(message)) report(*translated);
}

// As gst-launch does: a pipeline that is not live waits until its buffers are full.
void Worker::on_buffering(int percent) {
    if (live_ || stopping_) return;
    const bool filling = percent < 100;
    if (filling == std::exchange(buffering_, filling)) return;
    gst_element_set_state(pipeline_, filling ? GST_STATE_PAUSED : GST_STATE_PLAYING);
}

void Worker::in_main_loop(std::function<void()> task) {
    g_idle_add_full(
        G_PRIORITY_DEFAULT,
        [](gpointer data) -> gboolean {
            (*static_cast<std::function<void()>*>(data))();
            return G_SOURCE_REMOVE;
        },
        new std::function<void()>(std::move(task)),
        [](gpointer data) { delete static_cast<std::function<void()>*>(data); });
}

}  // namespace hawser::worker
