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

// What a test's listener keeps of an object.
struct LandedObject {
    wire::ObjectHeader header;
    std::string payload;
};

inline HeldBytes land_object(const wire::ObjectHeader& header) {
    auto* landed = new LandedObject{header, std::string(header.payload_length, '\0')};
    return HeldBytes({reinterpret_cast<std::byte*>(landed->payload.data()), landed->payload.size()}, landed,
                     [](void* owner) { delete static_cast<LandedObject*>(owner); });
}

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
            while (Item* item = reader->peek()) {
                auto& log = tracks[reader->name()];
                if (item->kind == Item::Kind::Object) {
                    const auto bytes = item->object.bytes();
                    log.objects.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                    auto* landed = static_cast<LandedObject*>(item->object.take());
                    log.headers.push_back(landed->header);
                    delete landed;
                    log.order.push_back("object " + std::to_string(item->sequence));
                } else if (item->kind == Item::Kind::Event) {
                    log.order.push_back((item->event().snapshot ? "sticky " : "event ") +
                                        item->event().event.text());
                } else if (item->kind == Item::Kind::Gap) {
                    const wire::Gap& gap = item->gap().gap;
                    log.lost += gap.lost_objects();
                    log.order.push_back("gap " + std::to_string(gap.first()) + "-" +
                                        std::to_string(gap.next()));
                } else if (item->kind == Item::Kind::Epoch) {
                    log.order.push_back("epoch " + std::to_string(item->epoch().number));
                }
                reader->drop();
                reader->handed();
            }
        }
    }

    // As a reader does that has taken everything; comes back at once.
    void wait() {
        for (TrackReader* reader : readers) {
            reader->unlock();
            EXPECT_EQ(reader->wait(), nullptr);
            reader->unlock_stop();
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
    HeldBytes land(TrackReader&, const wire::ObjectHeader& header) override { return land_object(header); }
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
