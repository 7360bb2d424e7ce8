#include "elements/src_session.h"
#include "elements/stats.h"

#include <algorithm>

#include "elements/event_codec.h"
#include "elements/received.h"
#include "runtime/io/shared_reactor.h"

GST_DEBUG_CATEGORY_EXTERN(hawser_src_debug);
#define GST_CAT_DEFAULT hawser_src_debug

namespace hawser::elements {
namespace {

// How long data waits for the pads of all announced tracks. A track may be sparse, and show what it is late
// or never.
constexpr std::chrono::seconds kPadsTogether(1);

// Memory that may be kept for objects to come, in max-queue-bytes: what is queued, and what downstream holds.
constexpr std::size_t kPoolPerQueue = 4;

// "slow-client" for GAP_SLOW_CLIENT.
}  // namespace

SrcSession::SrcSession(GstElement* element)
    : element_(element), reporter_(element, Direction::Receives), combiner_(gst_flow_combiner_new()) {}

SrcSession::~SrcSession() {
    stop();
    finish();
    gst_flow_combiner_free(combiner_);
}

std::shared_ptr<session::Subscriber> SrcSession::subscriber() const {
    const std::lock_guard lock(mutex_);
    return subscriber_;
}

bool SrcSession::start(const Settings& settings) {
    reporter_.start();
    Result<std::shared_ptr<io::Reactor>> reactor = io::shared_reactor(settings.engine);
    if (!reactor) {
        reporter_.fail_now(reactor.error());
        return false;
    }
    std::shared_ptr<session::Subscriber> made =
        session::Subscriber::create(std::move(reactor).value(), settings.subscriber, *this);
    {
        const std::lock_guard lock(mutex_);
        ++run_;
        rebase_ = settings.rebase;
        buffer_lists_ = settings.buffer_lists;
        pool_ = std::make_unique<ReceivePool>(kPoolPerQueue * settings.subscriber.max_queue_bytes);
        flowing_ = false;
        timeline_ = std::make_unique<SharedTimeline>();
        playing_ = stopping_ = false;
        ending_ = false;
        announced_ = 0;
        all_announced_ = no_more_pads_ = false;
        pads_by_.reset();
        group_ids_.clear();
        stream_ids_.clear();
        subscriber_ = made;
    }
    const Result<void> started = made->start();
    if (!started) {
        reporter_.fail_now(started.error());
        return false;
    }
    if (made->port() != 0) g_object_notify(G_OBJECT(element_), "current-port");
    return true;
}

void SrcSession::stop() {
    const std::shared_ptr<session::Subscriber> subscriber = this->subscriber();
    if (!subscriber) return;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        flowing_ = false;
    }
    changed_.notify_all();
    unlock_tracks();
    session::SubscriberStats stats = subscriber->stats();
    subscriber->stop();
    const std::lock_guard lock(mutex_);
    last_stats_ = std::move(stats);
}

void SrcSession::finish() {
    std::vector<std::unique_ptr<SrcTrack>> tracks;
    {
        const std::lock_guard lock(mutex_);
        tracks.swap(tracks_);
    }
    for (const std::unique_ptr<SrcTrack>& track : tracks) track->stop();
    std::shared_ptr<session::Subscriber> subscriber;
    {
        const std::lock_guard lock(mutex_);
        gst_flow_combiner_clear(combiner_);
        subscriber = std::move(subscriber_);
        subscriber_.reset();
    }
    tracks.clear();
    if (subscriber) {
        subscriber.reset();
        pool_.reset();
        g_object_notify(G_OBJECT(element_), "current-port");
    }
    reporter_.stop();
}

void SrcSession::set_playing(bool playing) {
    {
        const std::lock_guard lock(mutex_);
        playing_ = playing;
        flowing_ = false;
    }
    changed_.notify_all();
}

void SrcSession::reconnect() {
    if (const auto subscriber = this->subscriber()) subscriber->reconnect();
}

void SrcSession::end() {
    ending_.store(true, std::memory_order_release);
    unlock_tracks();
}

guint SrcSession::current_port() const {
    const auto subscriber = this->subscriber();
    return subscriber ? subscriber->port() : 0;
}

StructurePtr SrcSession::stats() const {
    std::shared_ptr<session::Subscriber> running;
    session::SubscriberStats stats;
    {
        const std::lock_guard lock(mutex_);
        if (!stopping_) running = subscriber_;
        stats = last_stats_;
    }
    return to_structure(running ? running->stats() : stats);
}

void SrcSession::unlock_tracks() {
    const std::lock_guard lock(mutex_);
    for (const std::unique_ptr<SrcTrack>& track : tracks_) track->unlock();
}

// ---- From the session

void SrcSession::on_state(session::State state, session::State before, const std::string& reason) {
    reporter_.state(state, before, reason);
}

void SrcSession::on_track(session::TrackReader& reader) {
    unsigned run = 0;
    {
        const std::lock_guard lock(mutex_);
        ++announced_;
        run = run_;
    }
    reporter_.post([this, &reader, run] { make_track(reader, run); });
}

void SrcSession::make_track(session::TrackReader& reader, unsigned run) {
    const std::lock_guard lock(mutex_);
    // The reader may be gone where this comes late.
    if (stopping_ || run != run_) return;
    tracks_.push_back(std::make_unique<SrcTrack>(*this, reader, rebase_));
    tracks_.back()->start();
}

void SrcSession::on_tracks_complete() {
    reporter_.post([this] {
        {
            const std::lock_guard lock(mutex_);
            all_announced_ = true;
        }
        check_complete();
    });
}

void SrcSession::exposed() {
    {
        const std::lock_guard lock(mutex_);  // whoever looks now will see it; whoever has looked is waiting
    }
    changed_.notify_all();
    check_complete();
}

void SrcSession::check_complete() {
    {
        const std::lock_guard lock(mutex_);
        if (!all_announced_ || no_more_pads_ || stopping_ || tracks_.size() < announced_) return;
        for (const std::unique_ptr<SrcTrack>& track : tracks_)
            if (!track->is_exposed()) return;
        no_more_pads_ = true;
    }
    gst_element_no_more_pads(element_);
    changed_.notify_all();
}

void SrcSession::on_recovered(const session::Recovery& recovery) {
    reporter_.message(StructurePtr(gst_structure_new(
        "hawser-recovered", "new-epoch", G_TYPE_BOOLEAN, recovery.new_epoch, "epoch", G_TYPE_UINT64,
        guint64{recovery.epoch}, "downtime", G_TYPE_UINT64, static_cast<guint64>(recovery.downtime.count()),
        "replayed", G_TYPE_UINT64, guint64{recovery.replayed}, "lost", G_TYPE_UINT64, guint64{recovery.lost},
        nullptr)));
}

void SrcSession::on_gap(const std::string& track, const wire::Gap& gap) {
    reporter_.message(StructurePtr(gst_structure_new(
        "hawser-gap", "track", G_TYPE_STRING, track.c_str(), "first", G_TYPE_UINT64, guint64{gap.first()},
        "next", G_TYPE_UINT64, guint64{gap.next()}, "lost", G_TYPE_UINT64, guint64{gap.lost_objects()},
        "reason", G_TYPE_STRING, nick(gap.reason()), nullptr)));
}

session::HeldBytes SrcSession::land(session::TrackReader&, const wire::ObjectHeader& header) {
    return elements::land(*pool_, header);
}

void SrcSession::on_failed(const Error& error) {
    reporter_.failed(error);
    // Behind the error message: every track ends with EOS.
    reporter_.post([this] { unlock_tracks(); });
}

// ---- For the tracks

bool SrcSession::wait_playing() {
    if (flowing_.load(std::memory_order_acquire)) return true;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return playing_ || stopping_; });
    if (!no_more_pads_ && pads_by_)
        changed_.wait_until(lock, *pads_by_, [this] { return no_more_pads_ || stopping_; });
    flowing_ = playing_ && !stopping_;
    return !stopping_;
}

Nanoseconds SrcSession::running_time() {
    const GstClockTime now = gst_element_get_current_running_time(element_);
    return GST_CLOCK_TIME_IS_VALID(now) ? static_cast<Nanoseconds>(now) : 0;
}

guint SrcSession::group_id(guint32 senders) {
    const std::lock_guard lock(mutex_);
    const auto [place, added] = group_ids_.try_emplace(senders, 0);
    if (added) place->second = gst_util_group_id_next();
    return place->second;
}

std::string SrcSession::unique_stream_id(const SrcTrack& track, const std::string& wanted) {
    const std::lock_guard lock(mutex_);
    std::string id = wanted;
    for (;;) {
        const auto [place, added] = stream_ids_.try_emplace(id, &track);
        if (added || place->second == &track) return id;
        id += "/" + track.name();
    }
}

void SrcSession::expose(SrcTrack& track) {
    {
        // In the sender's order, as far as the others show what they are in time.
        std::unique_lock lock(mutex_);
        if (!pads_by_) pads_by_ = std::chrono::steady_clock::now() + kPadsTogether;
        changed_.wait_until(lock, *pads_by_, [&] {
            const auto next = std::find_if(tracks_.begin(), tracks_.end(),
                                           [](const auto& each) { return !each->is_exposed(); });
            return stopping_ || next == tracks_.end() || next->get() == &track;
        });
        gst_flow_combiner_add_pad(combiner_, track.pad());
    }
    const std::lock_guard one_at_a_time(pads_);
    gst_element_add_pad(element_, track.pad());  // takes a reference of its own
}

bool SrcSession::combine(SrcTrack& track, GstFlowReturn flow) {
    GstFlowReturn all = GST_FLOW_OK;
    bool complete = false;
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) return false;
        all = gst_flow_combiner_update_pad_flow(combiner_, track.pad(), flow);
        complete = no_more_pads_;
    }
    switch (all) {
        case GST_FLOW_OK:
        case GST_FLOW_EOS:       // the tracks end one by one
        case GST_FLOW_FLUSHING:  // somebody downstream flushes
            return true;
        case GST_FLOW_NOT_LINKED:
            if (!complete) return true;  // somebody may still be linking
            break;
        default:
            break;
    }
    if (reporter_.claim_failure()) GST_ELEMENT_FLOW_ERROR(element_, all);
    unlock_tracks();
    return false;
}

}  // namespace hawser::elements
