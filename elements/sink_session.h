// hawsersink's C++ half: its publisher, what that reports, and the writers of the element's pads.
//
// Lock order: mutex_ before any GObject lock of a pad; nothing is called out of the element under mutex_.
#pragma once

#include <gst/gst.h>

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "elements/reporter.h"
#include "elements/sinkpad.h"
#include "elements/stats.h"
#include "elements/tracksink.h"
#include "runtime/io/busy_poll.h"
#include "runtime/session/publisher.h"

namespace hawser::elements {

// What serves the sockets.
struct IoSettings {
    io::Engine engine = io::Engine::Auto;
    guint busy_poll = 0;  // µs
    guint threads = 1;
};

class SinkSession final : public session::PublisherListener, public TrackHost {
  public:
    // `element` owns this.
    explicit SinkSession(GstElement* element) : element_(element), reporter_(element, Direction::Sends) {}
    ~SinkSession();

    // READY→PAUSED, before the track sinks go. A failure is posted.
    bool start(const session::PublisherConfig& config, const IoSettings& io);
    // PAUSED→READY: interrupts what blocks and closes everything, before the track sinks stop…
    void stop();
    // …and lets go of the publisher, once they have.
    void finish();

    // `pad` and its track sink are the element's; the pad gets a writer at once if there is a publisher.
    // False: the track's name is taken (logged).
    bool add_pad(HawserSinkPad* pad);
    // The pad's track sink has been shut down.
    void remove_pad(HawserSinkPad* pad);
    // Makes a blocked writer of this pad return, so that its track sink can be shut down.
    void unlock(HawserSinkPad* pad);

    void reconnect();
    session::State state() const { return reporter_.state(); }
    guint num_clients() const;
    guint current_port() const;
    StructurePtr stats() const;
    // The pads, each with a reference.
    std::vector<Ptr<HawserSinkPad>> pads() const;

    // TrackHost
    void live_changed() override;
    void post_failure() override { reporter_.post_failure(); }
    void fail(const Error& error) override { reporter_.fail_now(error); }

  private:
    // session::PublisherListener; reactor thread
    void on_state(session::State state, session::State before, const std::string& reason) override;
    void on_client_added(std::uint64_t id, const std::string& address) override;
    void on_client_removed(std::uint64_t id, const std::string& reason) override;
    void on_new_group_wanted(const std::string& track, bool all_headers, unsigned count) override;
    void on_warning(const Error& error) override { reporter_.warning(error); }
    void on_failed(const Error& error) override { reporter_.failed(error); }

    std::shared_ptr<session::Publisher> publisher() const;
    bool connect_pad(session::Publisher& publisher, HawserSinkPad* pad);
    void notify(const char* property);
    void tell_of_client(const char* signal, std::uint64_t id, const std::string& text);
    CodecStats codec_stats() const;

    GstElement* const element_;
    Reporter reporter_;
    std::atomic<bool> clients_changed_{false};  // their number is about to be told
    std::list<io::BusyPoll> busy_polls_;        // of each reactor; whoever changes the state

    mutable std::mutex mutex_;
    std::vector<HawserSinkPad*> pads_;               // mutex_; the element holds them
    std::shared_ptr<session::Publisher> publisher_;  // mutex_; from start() to finish()
    bool stopped_ = true;                            // mutex_: last_stats_ is what there is to tell
    session::PublisherStats last_stats_;             // mutex_; of the last run
    std::uint64_t max_object_size_ = 0;              // mutex_
};

}  // namespace hawser::elements
