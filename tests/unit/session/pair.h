// A publisher and subscribers on one in-memory network and a manual clock, with everything they say written
// down.
#pragma once

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/base/random.h"
#include "runtime/io/loopback_reactor.h"
#include "runtime/session/publisher_core.h"
#include "runtime/session/subscriber_core.h"

namespace hawser::session {

using namespace std::chrono_literals;

inline std::shared_ptr<io::Reactor> borrowed(io::Reactor& reactor) {
    return {&reactor, [](io::Reactor*) {}};
}

struct Sender final : PublisherListener {
    explicit Sender(io::LoopbackReactor& reactor, PublisherConfig config = {}, std::uint64_t seed = 1)
        : random(seed), publisher({borrowed(reactor)}, random, fill(std::move(config)), *this) {}

    static PublisherConfig fill(PublisherConfig config) {
        if (config.link.address.host.empty()) config.link.address = {"host", 7000};
        if (config.link.stream == "/") config.link.stream = "/cam";
        return config;
    }

    TrackWriter& track(const std::string& name, std::uint8_t priority = 4) {
        return **publisher.add_track(name, priority, Duration::max());
    }

    void on_state(State state, State, const std::string& reason) override {
        states.push_back(to_string(state));
        last_reason = reason;
    }
    void on_client_added(std::uint64_t, const std::string&) override { ++added; }
    void on_client_removed(std::uint64_t, const std::string& reason) override { removed.push_back(reason); }
    void on_new_group_wanted(const std::string& track, bool, unsigned) override {
        groups_wanted.push_back(track);
    }
    void on_warning(const Error& error) override { warnings.push_back(error.message); }
    void on_failed(const Error& error) override { failures.push_back(error.message); }

    SeededRandom random;
    std::vector<std::string> states, removed, groups_wanted, warnings, failures;
    std::string last_reason;
    int added = 0;
    PublisherCore publisher;
};

struct Receiver final : SubscriberListener {
    explicit Receiver(io::LoopbackReactor& reactor, SubscriberConfig config = {}, std::uint64_t seed = 2)
        : random(seed), subscriber(borrowed(reactor), random, fill(std::move(config)), *this) {}

    static SubscriberConfig fill(SubscriberConfig config) {
        if (config.link.address.host.empty()) config.link.address = {"host", 7000};
        if (config.link.stream == "/") config.link.stream = "/cam";
        return config;
    }

    // Takes everything that waits, handing it "downstream".
    void take() {
        for (TrackReader* reader : readers) {
            auto& track = static_cast<SubscriberTrack&>(*reader);
            while (track.has_items()) {
                Item item;
                if (!reader->pop(item)) break;
                auto& log = tracks[reader->name()];
                if (const auto* object = std::get_if<ObjectItem>(&item.what)) {
                    const auto bytes = object->payload.bytes();
                    log.objects.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                    log.headers.push_back(object->header);
                    log.order.push_back("object " + std::to_string(item.sequence));
                } else if (const auto* event = std::get_if<EventItem>(&item.what)) {
                    log.order.push_back((event->snapshot ? "sticky " : "event ") + event->event.text());
                } else if (const auto* gap = std::get_if<GapItem>(&item.what)) {
                    log.lost += gap->gap.lost_objects();
                    log.order.push_back("gap " + std::to_string(gap->gap.first()) + "-" +
                                        std::to_string(gap->gap.next()));
                } else if (const auto* epoch = std::get_if<EpochItem>(&item.what)) {
                    log.order.push_back("epoch " + std::to_string(epoch->number));
                }
                reader->handed();
            }
        }
    }

    void on_state(State state, State, const std::string& reason) override {
        states.push_back(to_string(state));
        last_reason = reason;
    }
    void on_track(TrackReader& track) override { readers.push_back(&track); }
    void on_tracks_complete() override { complete = true; }
    void on_recovered(const Recovery& recovery) override { recoveries.push_back(recovery); }
    void on_gap(const std::string& track, const wire::Gap& gap) override {
        gaps.push_back(track + " " + std::to_string(gap.lost_objects()));
    }
    HeldBytes land(TrackReader&, std::size_t size) override {
        auto* block = new std::string(size, '\0');
        return HeldBytes({reinterpret_cast<std::byte*>(block->data()), size}, block,
                         [](void* owner) { delete static_cast<std::string*>(owner); });
    }
    void on_warning(const Error& error) override { warnings.push_back(error.message); }
    void on_failed(const Error& error) override { failures.push_back(error.message); }

    struct Log {
        std::vector<std::string> objects;
        std::vector<wire::ObjectHeader> headers;
        std::vector<std::string> order;
        std::uint64_t lost = 0;
    };
    SeededRandom random;
    std::vector<TrackReader*> readers;
    std::map<std::string, Log> tracks;
    std::vector<std::string> states, gaps, warnings, failures;
    std::vector<Recovery> recoveries;
    std::string last_reason;
    bool complete = false;
    SubscriberCore subscriber;
};

inline PublishResult publish(TrackWriter& track, const std::string& payload, bool group_start = true,
                             std::uint64_t pts = wire::kNone) {
    ObjectIn object;
    object.header.pts = pts;
    object.group_start = group_start;
    object.running_time = pts;
    const std::span<const std::byte> piece(reinterpret_cast<const std::byte*>(payload.data()),
                                           payload.size());
    object.payload = std::span(&piece, 1);
    return track.publish(object);
}

inline void send_event(TrackWriter& track, wire::Event::Kind kind, const std::string& text,
                       bool sticky = true) {
    wire::Event event;
    event.set_kind(kind);
    event.set_sticky(sticky);
    event.set_text(text);
    track.event(event);
}

inline PublisherConfig no_waiting() {
    PublisherConfig config;
    config.link.mode = Mode::Listener;
    config.wait_for_connection = false;
    return config;
}

}  // namespace hawser::session
