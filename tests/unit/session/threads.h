// Publisher and subscriber on real sockets and real threads, for tests of what happens between these.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "runtime/io/epoll_reactor.h"
#include "runtime/session/publisher.h"
#include "runtime/session/subscriber.h"
#include "tests/unit/session/pair.h"

namespace hawser::session {

inline constexpr auto kLong = 20s;  // nothing takes so long but what hangs

// Lets a test wait for something that other threads say.
class Said {
  public:
    void set(const std::function<void()>& change) {
        const std::lock_guard lock(mutex_);
        change();
        cond_.notify_all();
    }
    bool wait(const std::function<bool()>& until, Duration limit = kLong) {
        std::unique_lock lock(mutex_);
        return cond_.wait_for(lock, limit, until);
    }

  private:
    std::mutex mutex_;
    std::condition_variable cond_;
};

struct Source final : PublisherListener {
    Source(const std::shared_ptr<io::Reactor>& reactor, PublisherConfig config)
        : Source(std::vector{reactor}, std::move(config)) {}
    Source(std::vector<std::shared_ptr<io::Reactor>> reactors, PublisherConfig config) {
        config.link.mode = Mode::Listener;
        config.link.address = {"127.0.0.1", 0};
        config.link.stream = "/cam";
        publisher = Publisher::create(std::move(reactors), config, *this);
    }
    TrackWriter& track(const std::string& name) { return **publisher->add_track(name, 4, Duration::max()); }
    void on_state(State, State, const std::string&) override {}
    void on_client_added(std::uint64_t, const std::string&) override {
        said.set([&] { ++added; });
    }
    void on_client_removed(std::uint64_t, const std::string&) override {
        said.set([&] { ++removed; });
    }
    void on_new_group_wanted(const std::string&, bool, unsigned) override {}
    void on_warning(const Error& error) override {
        said.set([&] { warnings.push_back(error.message); });
    }
    void on_failed(const Error&) override {}

    Said said;
    std::vector<std::string> warnings;
    int added = 0, removed = 0;  // clients
    std::unique_ptr<Publisher> publisher;
};

// Takes objects, one thread a track. While `held`, it hands nothing on.
struct Sink final : SubscriberListener {
    Sink(const std::shared_ptr<io::Reactor>& reactor, std::uint16_t port, SubscriberConfig config = {}) {
        config.link.mode = Mode::Caller;
        config.link.address = {"127.0.0.1", port};
        config.link.stream = "/cam";
        config.link.reconnect = {.min_delay = 1ms, .max_delay = 10ms};
        subscriber = Subscriber::create(reactor, config, *this);
    }
    ~Sink() {
        hold(false);
        subscriber->stop();
        for (std::thread& thread : threads) thread.join();
    }
    void hold(bool on) {
        said.set([&] { held = on; });
    }
    std::size_t got(const std::string& track) {
        std::size_t count = 0;
        said.set([&] { count = objects[track].size(); });
        return count;
    }
    void take(TrackReader& reader) {
        said.set([&] { readers[&reader] = std::this_thread::get_id(); });
        while (Item* item = reader.wait()) {
            said.wait([&] { return !held; }, 3600s);
            said.set([&] {
                if (item->kind == Item::Kind::Object)
                    objects[reader.name()].emplace_back(
                        reinterpret_cast<const char*>(item->object.bytes().data()),
                        std::min<std::size_t>(item->object.bytes().size(), 24));
                else if (item->kind == Item::Kind::Gap)
                    lost += item->gap().gap.lost_objects();
            });
            reader.drop();
            reader.handed();
        }
    }
    void on_state(State state, State, const std::string&) override {
        said.set([&] { streaming += state == State::Streaming; });
    }
    void on_track(TrackReader& track) override {
        threads.emplace_back([this, &track] { take(track); });
    }
    void on_tracks_complete() override {}
    void on_recovered(const Recovery&) override {}
    void on_gap(const std::string&, const wire::Gap&) override {}
    HeldBytes land(TrackReader& reader, const wire::ObjectHeader& header) override {
        said.set([&] { ++(read_by_reader(reader) ? by_reader : by_reactor); });
        return land_object(header);
    }
    void on_warning(const Error&) override {}
    void on_failed(const Error&) override {}

    bool read_by_reader(TrackReader& reader) const {
        const auto at = readers.find(&reader);
        return at != readers.end() && at->second == std::this_thread::get_id();
    }

    Said said;
    bool held = false;
    int by_reader = 0, by_reactor = 0;  // objects, by who read them from the socket
    std::map<const TrackReader*, std::thread::id> readers;
    int streaming = 0;  // times
    std::uint64_t lost = 0;
    std::map<std::string, std::vector<std::string>> objects;
    std::vector<std::thread> threads;
    std::unique_ptr<Subscriber> subscriber;
};

inline std::string numbered(int i, std::size_t size) {
    std::string text = "object " + std::to_string(i) + " ";
    text.resize(std::max<std::size_t>(size, 24), '.');
    return text;
}

inline void expect_sequence(const std::vector<std::string>& got, int count) {
    ASSERT_EQ(got.size(), static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) ASSERT_EQ(got[static_cast<std::size_t>(i)], numbered(i, 0)) << i;
}

}  // namespace hawser::session
