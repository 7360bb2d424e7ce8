#include "elements/sink_session.h"

#include <gst/video/video.h>

#include <algorithm>

#include "runtime/io/shared_reactor.h"

GST_DEBUG_CATEGORY_EXTERN(hawser_sink_debug);
#define GST_CAT_DEFAULT hawser_sink_debug

namespace hawser::elements {

SinkSession::~SinkSession() {
    stop();
    finish();
}

std::shared_ptr<session::Publisher> SinkSession::publisher() const {
    const std::lock_guard lock(mutex_);
    return publisher_;
}

bool SinkSession::start(const session::PublisherConfig& config, const IoSettings& io) {
    reporter_.start();
    clients_changed_ = false;  // what was queued when it stopped is gone
    std::vector<std::shared_ptr<io::Reactor>> reactors;
    for (guint i = 0; i < io.threads; ++i) {
        Result<std::shared_ptr<io::Reactor>> reactor = io::shared_reactor(io.engine, i);
        if (!reactor) {
            reporter_.fail_now(reactor.error());
            return false;
        }
        if (io.busy_poll > 0) busy_polls_.emplace_back(*reactor, std::chrono::microseconds(io.busy_poll));
        reactors.push_back(std::move(reactor).value());
    }
    std::shared_ptr<session::Publisher> made = session::Publisher::create(std::move(reactors), config, *this);
    std::vector<HawserSinkPad*> pads;
    {
        const std::lock_guard lock(mutex_);
        max_object_size_ = config.link.max_object_size;
        publisher_ = made;
        stopped_ = false;
        pads = pads_;
    }
    for (HawserSinkPad* pad : pads) connect_pad(*made, pad);
    const Result<void> started = made->start();
    if (!started) {
        reporter_.fail_now(started.error());
        return false;
    }
    if (made->port() != 0) notify("current-port");
    return true;
}

void SinkSession::stop() {
    const std::shared_ptr<session::Publisher> publisher = this->publisher();
    if (!publisher) return;
    // stop() lets all writers go; those who drain or wait for a connection first.
    for (const Ptr<HawserSinkPad>& pad : pads()) unlock(pad.get());
    session::PublisherStats stats = publisher->stats();
    publisher->stop();
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    last_stats_ = std::move(stats);
    last_stats_.clients.clear();
}

void SinkSession::finish() {
    std::shared_ptr<session::Publisher> publisher;
    std::vector<HawserSinkPad*> pads;
    {
        const std::lock_guard lock(mutex_);
        publisher = std::move(publisher_);
        publisher_.reset();
        pads = pads_;
    }
    if (publisher) {
        for (HawserSinkPad* pad : pads) {
            if (session::TrackWriter* writer = take_writer(pad)) publisher->remove_track(writer);
        }
        publisher.reset();
        notify("current-port");
        notify("num-clients");
    }
    busy_polls_.clear();
    reporter_.stop();
}

bool SinkSession::connect_pad(session::Publisher& publisher, HawserSinkPad* pad) {
    const GText name(gst_object_get_name(GST_OBJECT(pad)));
    const Result<session::TrackWriter*> writer =
        publisher.add_track(track_name(name.get()), priority_of(pad), max_latency_of(pad));
    if (!writer) {
        GST_ERROR_OBJECT(pad, "%s", writer.error().message.c_str());
        return false;
    }
    std::uint64_t max_object_size = 0;
    {
        const std::lock_guard lock(mutex_);
        max_object_size = max_object_size_;
    }
    give_writer(pad, writer.value(), max_object_size);
    return true;
}

bool SinkSession::add_pad(HawserSinkPad* pad) {
    const GText name(gst_object_get_name(GST_OBJECT(pad)));
    std::shared_ptr<session::Publisher> publisher;
    {
        const std::lock_guard lock(mutex_);
        for (HawserSinkPad* each : pads_) {
            const GText other(gst_object_get_name(GST_OBJECT(each)));
            if (track_name(other.get()) == track_name(name.get())) {
                GST_ERROR_OBJECT(element_, "pad %s would send the same track as pad %s", name.get(),
                                 other.get());
                return false;
            }
        }
        pads_.push_back(pad);
        publisher = publisher_;
    }
    if (!publisher || connect_pad(*publisher, pad)) return true;
    const std::lock_guard lock(mutex_);
    std::erase(pads_, pad);
    return false;
}

void SinkSession::remove_pad(HawserSinkPad* pad) {
    std::shared_ptr<session::Publisher> publisher;
    {
        const std::lock_guard lock(mutex_);
        std::erase(pads_, pad);
        publisher = publisher_;
    }
    session::TrackWriter* writer = take_writer(pad);
    if (publisher && writer) publisher->remove_track(writer);
    live_changed();
}

void SinkSession::unlock(HawserSinkPad* pad) {
    if (session::TrackWriter* writer = writer_of(track_sink_of(pad))) writer->unlock();
}

void SinkSession::reconnect() {
    if (const auto publisher = this->publisher()) publisher->reconnect();
}

guint SinkSession::num_clients() const {
    const auto publisher = this->publisher();
    return publisher ? publisher->num_clients() : 0;
}

guint SinkSession::current_port() const {
    const auto publisher = this->publisher();
    return publisher ? publisher->port() : 0;
}

CodecStats SinkSession::codec_stats() const {
    CodecStats stats;
    for (const Ptr<HawserSinkPad>& pad : pads()) {
        stats.unknown_metas += unknown_metas(track_sink_of(pad.get()));
        stats.skipped_events += skipped_events(track_sink_of(pad.get()));
    }
    return stats;
}

StructurePtr SinkSession::stats() const {
    std::shared_ptr<session::Publisher> running;
    session::PublisherStats stats;
    {
        const std::lock_guard lock(mutex_);
        if (!stopped_) running = publisher_;
        stats = last_stats_;
    }
    return to_structure(running ? running->stats() : stats, codec_stats());
}

std::vector<Ptr<HawserSinkPad>> SinkSession::pads() const {
    const std::lock_guard lock(mutex_);
    std::vector<Ptr<HawserSinkPad>> held;
    held.reserve(pads_.size());
    for (HawserSinkPad* pad : pads_) held.push_back(Ptr<HawserSinkPad>::ref(pad));
    return held;
}

void SinkSession::live_changed() {
    const auto publisher = this->publisher();
    if (!publisher) return;
    const auto all = pads();
    publisher->set_live(std::any_of(all.begin(), all.end(), [](const Ptr<HawserSinkPad>& pad) {
        return is_live(track_sink_of(pad.get()));
    }));
}

void SinkSession::notify(const char* property) {
    g_object_notify(G_OBJECT(element_), property);
}

void SinkSession::on_state(session::State state, session::State before, const std::string& reason) {
    reporter_.state(state, before, reason);
}

void SinkSession::on_client_added(std::uint64_t id, const std::string& address) {
    tell_of_client("client-added", id, address);
}

void SinkSession::on_client_removed(std::uint64_t id, const std::string& reason) {
    tell_of_client("client-removed", id, reason);
}

// Thousands may come within a moment: what nobody listens to is not queued, and their number is told once for
// all that have come until then.
void SinkSession::tell_of_client(const char* signal, std::uint64_t id, const std::string& text) {
    const guint signal_id = g_signal_lookup(signal, G_OBJECT_TYPE(element_));
    if (g_signal_has_handler_pending(element_, signal_id, 0, TRUE))
        reporter_.post([this, signal_id, id, text] {
            g_signal_emit(element_, signal_id, 0, guint64{id}, text.c_str());
        });
    if (clients_changed_.exchange(true)) return;
    reporter_.post([this] {
        clients_changed_.store(false);
        notify("num-clients");
    });
}

void SinkSession::on_new_group_wanted(const std::string& track, bool all_headers, unsigned count) {
    reporter_.post([this, track, all_headers, count] {
        for (const Ptr<HawserSinkPad>& pad : pads()) {
            const GText name(gst_object_get_name(GST_OBJECT(pad.get())));
            if (track_name(name.get()) != track) continue;
            GST_DEBUG_OBJECT(pad.get(), "a receiver asks for a keyframe");
            gst_pad_push_event(GST_PAD(pad.get()), gst_video_event_new_upstream_force_key_unit(
                                                       GST_CLOCK_TIME_NONE, all_headers, count));
        }
    });
}

}  // namespace hawser::elements
