// What only real sockets and a real thread can show.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>

#include "runtime/io/epoll_sockets.h"
#include "runtime/io/tcp.h"
#include "tests/unit/io/engines.h"

namespace hawser::io::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

bool has_ipv6() {
    auto address = resolve({"::1", 0}, Resolve::Literal);
    return address.ok() && tcp::listen({"::1", 0}, *address).ok();
}

class Sockets : public testing::TestWithParam<io::Engine> {
  protected:
    void SetUp() override {
        if (GetParam() == io::Engine::IoUring && !uring_refused().empty()) GTEST_SKIP() << uring_refused();
        engine_ = std::make_unique<SocketEngine>(GetParam());
        scene_ = std::make_unique<Scene>(*engine_);
    }
    Reactor& reactor() { return engine_->reactor(); }

    std::unique_ptr<SocketEngine> engine_;
    std::unique_ptr<Scene> scene_;
};

INSTANTIATE_TEST_SUITE_P(Engines, Sockets, testing::Values(io::Engine::Epoll, io::Engine::IoUring),
                         [](const auto& engine) {
                             return engine.param == io::Engine::Epoll ? "Epoll" : "IoUring";
                         });

TEST_P(Sockets, SpeaksIpv6) {
    if (!has_ipv6()) GTEST_SKIP() << "no IPv6 here";
    scene_->on_accept = [](End& end) { end.echo = true; };
    const auto [caller, accepted] = scene_->pair({"::1", 0});
    engine_->run([to = caller] { to->send("six"); });
    ASSERT_TRUE(engine_->wait([to = caller] { return to->received == "six"; }));
    EXPECT_THAT(caller->stream()->peer_address(), StartsWith("[::1]:"));
    EXPECT_THAT(accepted->stream()->peer_address(), StartsWith("[::1]:"));
}

TEST_P(Sockets, TheIpv6WildcardTakesIpv4Along) {
    if (!has_ipv6()) GTEST_SKIP() << "no IPv6 here";
    for (const char* host : {"::", ""}) {
        const Address at = scene_->listen({host, 0});
        const std::size_t before = scene_->accepted.size();
        ASSERT_NE(scene_->call({"127.0.0.1", at.port}), nullptr);
        ASSERT_NE(scene_->call({"::1", at.port}), nullptr);
        ASSERT_TRUE(engine_->wait([&] { return scene_->accepted.size() == before + 2; }));
        EXPECT_THAT(scene_->accepted[before]->stream()->peer_address(), StartsWith("127.0.0.1:"));
    }
}

TEST_P(Sockets, ANameWithSeveralAddressesIsTriedThroughToTheEnd) {
    // Where "localhost" is ::1 first, this listener is found at the second try only.
    const Address at = scene_->listen();
    EXPECT_NE(scene_->call({"localhost", at.port}), nullptr);
}

TEST_P(Sockets, AnAddressOfAnotherMachineCannotBeListenedOn) {
    engine_->run([&] {
        const auto listening = reactor().listen({"192.0.2.1", 0}, [](auto) {});
        ASSERT_FALSE(listening.ok());
        EXPECT_EQ(listening.error().code, Errc::NotFound);
        EXPECT_THAT(listening.error().message, HasSubstr("this machine has no such address"));
    });
}

TEST_P(Sockets, ListensFromAnyThread) {
    auto listening = reactor().listen({"127.0.0.1", 0}, [](auto) {});
    ASSERT_TRUE(listening.ok());
    EXPECT_NE(scene_->call({"127.0.0.1", (*listening)->port()}), nullptr);
    listening->reset();
}

TEST_P(Sockets, AnUnansweredConnectionTimesOut) {
    // A listener that accepts nobody and whose backlog is full: the next one's SYN goes unanswered.
    const auto address = resolve({"127.0.0.1", 0}, Resolve::Literal);
    const Fd deaf(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(deaf.get(), address.value()[0].get(), address.value()[0].length), 0);
    ASSERT_EQ(::listen(deaf.get(), 0), 0);
    const SocketAddress at = local_address(deaf.get());
    std::vector<tcp::Attempt> crowd;
    for (int i = 0; i < 4; ++i) crowd.push_back(tcp::start_connect(at));

    const TimePoint before = SteadyClock::instance().now();
    EXPECT_EQ(scene_->call({"127.0.0.1", at.port()}, 150ms), nullptr);
    ASSERT_TRUE(scene_->failure.has_value());
    EXPECT_EQ(scene_->failure->code, Errc::TimedOut) << scene_->failure->message;
    EXPECT_THAT(scene_->failure->message, HasSubstr("no answer in time"));
    EXPECT_GE(SteadyClock::instance().now() - before, 150ms);
}

TEST_P(Sockets, SurvivesTheLackOfDescriptors) {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "UBSan needs descriptors to look at objects, and calls each one bad when there are none";
#endif
    const Address at = scene_->listen();
    tcp::Attempt caller = tcp::start_connect(resolve(at, Resolve::Literal).value()[0]);
    ASSERT_TRUE(engine_->wait([&] { return scene_->accepted.size() == 1; }));

    // The next connection finds no descriptor left; accepting starts again when there are some.
    Fd reserved(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const int next = ::dup(reserved.get());
    ASSERT_GE(next, 0);
    rlimit low = before;
    low.rlim_cur = static_cast<rlim_t>(next) + 1;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
    EXPECT_LT(::dup(reserved.get()), 0);
    const SocketAddress to = resolve(at, Resolve::Literal).value()[0];
    EXPECT_TRUE(::connect(reserved.get(), to.get(), to.length) == 0 || errno == EINPROGRESS);
    bool over = false;
    engine_->run([&] { reactor().after(20ms, [&] { over = true, engine_->changed(); }); });
    EXPECT_TRUE(engine_->wait([&] { return over; }));
    EXPECT_EQ(scene_->accepted.size(), 1U);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    ::close(next);
    EXPECT_TRUE(engine_->wait([&] { return scene_->accepted.size() == 2; }));
}

TEST_P(Sockets, RunWaitsForItsTask) {
    EXPECT_FALSE(reactor().in_reactor_thread());
    int ran = 0;
    reactor().run([&] {
        EXPECT_TRUE(reactor().in_reactor_thread());
        reactor().run([&] { ++ran; });
        ++ran;
    });
    EXPECT_EQ(ran, 2);
}

TEST_P(Sockets, WakesUpForEachOfManyLonelyNotifications) {
    // Each finds the reactor asleep or just about to sleep: a lost wake-up would hang here.
    struct Counter final : Notifiable {
        void on_notified() override {
            const std::lock_guard lock(mutex);
            ++count;
            cond.notify_one();
        }
        std::mutex mutex;
        std::condition_variable cond;
        int count = 0;
    } counter;
    for (int i = 1; i <= 5000; ++i) {
        reactor().notify(counter);
        std::unique_lock lock(counter.mutex);
        ASSERT_TRUE(counter.cond.wait_for(lock, 20s, [&] { return counter.count == i; })) << i;
    }
    engine_->run([&] { reactor().forget(counter); });
}

TEST_P(Sockets, AStreamCostsLittle) {
    // With 16 for its slot in the reactor (32 where that has just grown) and 8 for malloc: 112 bytes at most.
    EXPECT_LE(sizeof(EpollStream), 72U);
}

TEST_P(Sockets, AcceptedConnectionsHaveTheDataOptions) {
    const auto [caller, accepted] = scene_->pair();
    for (End* end : {caller, accepted}) {
        for (const auto& [level, option, expected] : {std::array<int, 3>{IPPROTO_TCP, TCP_NODELAY, 1},
                                                      {IPPROTO_TCP, TCP_NOTSENT_LOWAT, tcp::kNotSentLowWater},
                                                      {SOL_SOCKET, SO_KEEPALIVE, 1},
                                                      {IPPROTO_TCP, TCP_KEEPIDLE, 5},
                                                      {IPPROTO_TCP, TCP_KEEPINTVL, 1},
                                                      {IPPROTO_TCP, TCP_KEEPCNT, 3}}) {
            int value = 0;
            socklen_t length = sizeof value;
            ASSERT_EQ(::getsockopt(end->stream()->descriptor(), level, option, &value, &length), 0);
            EXPECT_EQ(value, expected) << option;
        }
    }
}

// Whatever the system's is: BBR's pacing costs the loopback a quarter of its throughput.
TEST_P(Sockets, ConnectionsWithinTheMachineDoNotPace) {
    const auto [caller, accepted] = scene_->pair();
    for (End* end : {caller, accepted}) {
        std::array<char, 16> name{};
        socklen_t length = name.size();
        ASSERT_EQ(
            ::getsockopt(end->stream()->descriptor(), IPPROTO_TCP, TCP_CONGESTION, name.data(), &length), 0);
        EXPECT_FALSE(std::string_view(name.data()).starts_with("bbr")) << name.data();
    }
}

TEST_P(Sockets, AStreamMovesToAnotherReactor) {
    SocketEngine other(GetParam());
    const auto [caller, accepted] = scene_->pair();
    const std::string name = accepted->stream()->peer_address();
    Fd socket;
    engine_->run([&, to = caller, from = accepted] {
        from->reading = false;
        to->send("unread");
        const int descriptor = from->stream()->descriptor();
        socket = from->stream()->release();
        EXPECT_EQ(socket.get(), descriptor);
        EXPECT_EQ(from->stream()->descriptor(), -1);
        EXPECT_FALSE(from->stream()->release());
        EXPECT_EQ(from->stream()->peer_address(), name);
        char byte = 0;
        const iovec part{&byte, 1};
        EXPECT_EQ(from->stream()->read({&part, 1}).status, IoResult::Status::Failed);
        EXPECT_EQ(from->stream()->write({&part, 1}).status, IoResult::Status::Failed);
        from->drop();
    });
    End moved(other);
    other.run([&] {
        auto adopted = other.reactor().adopt(std::move(socket));
        ASSERT_TRUE(adopted.ok()) << adopted.error().message;
        EXPECT_EQ((*adopted)->peer_address(), name);
        moved.attach(std::move(*adopted));
    });
    EXPECT_TRUE(other.wait([&] { return moved.received == "unread"; }));
    other.run([&] { moved.send("here I am"); });
    EXPECT_TRUE(engine_->wait([to = caller] { return to->received == "here I am"; }));
    other.run([&] { moved.drop(); });
    EXPECT_TRUE(engine_->wait([to = caller] { return to->closed; }));
}

// One event tells of both, and no other comes: who has read the bytes must find the end.
TEST_P(Sockets, TheEndIsFoundBehindTheBytesItCameWith) {
    for (const bool reset : {false, true}) {
        const Address at = scene_->listen();
        const SocketAddress to = resolve(at, Resolve::Literal).value()[0];
        Fd peer(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const std::size_t before = scene_->accepted.size();
        ASSERT_EQ(::connect(peer.get(), to.get(), to.length), 0);
        ASSERT_TRUE(engine_->wait([&] { return scene_->accepted.size() > before; }));
        // While the reactor is busy.
        engine_->run([&] {
            EXPECT_EQ(::send(peer.get(), "bytes", 5, MSG_NOSIGNAL), 5);
            if (reset) tcp::reset_on_close(peer.get());
            peer.reset();
        });
        End* const end = scene_->accepted.back();
        ASSERT_TRUE(engine_->wait([&] { return end->over(); }));
        if (!reset) {
            EXPECT_EQ(end->received, "bytes");
        }
    }
}

TEST_P(Sockets, EachPieceIsHeardOf) {
    const auto [caller, accepted] = scene_->pair();
    std::string all;
    for (int i = 0; i < 2000; ++i) {
        all += pattern(static_cast<std::size_t>(i % 50 + 1), static_cast<std::uint32_t>(i));
        engine_->run([&, to = caller] { to->send(std::string_view(all).substr(to->outgoing.size())); });
    }
    ASSERT_TRUE(engine_->wait([&, from = accepted] { return from->received.size() == all.size(); }));
    engine_->run([&, from = accepted] { EXPECT_TRUE(from->received == all); });
}

TEST_P(Sockets, WhatIsNoSocketIsNotAdopted) {
    engine_->run([&] { EXPECT_EQ(reactor().adopt(Fd()).error().code, Errc::NoResource); });
}

TEST_P(Sockets, AnotherThreadReadsInTheReactorsPlace) {
    const auto [caller, accepted] = scene_->pair();
    Stream* const stream = accepted->stream();
    engine_->run([&] { stream->watch_readable(false); });
    const std::string bytes = pattern(1 << 20);
    engine_->run([&, to = caller] { to->send(bytes); });
    std::string got;
    while (got.size() < bytes.size()) {
        pollfd wait{stream->descriptor(), POLLIN, 0};
        ASSERT_EQ(::poll(&wait, 1, 20'000), 1);
        char buffer[50'000];
        const iovec part{buffer, sizeof buffer};
        const IoResult result = stream->read({&part, 1});
        if (result.status == IoResult::Status::WouldBlock) continue;
        ASSERT_EQ(result.status, IoResult::Status::Done);
        got.append(buffer, result.bytes);
    }
    EXPECT_TRUE(got == bytes);
    EXPECT_EQ(accepted->readable, 0);
}

// Waits until the reactor sleeps, and stands in for it.
void enter(Reactor& reactor) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (!reactor.try_enter()) {
        ASSERT_LT(std::chrono::steady_clock::now(), end);
        std::this_thread::yield();
    }
}

TEST_P(Sockets, WhoStandsInWakesItForAnEarlierTimer) {
    std::atomic<bool> ran{false};
    engine_->run([&] { reactor().after(1h, [] {}); });
    enter(reactor());
    reactor().after(5ms, [&] { ran = true, engine_->changed(); });
    EXPECT_FALSE(ran);
    reactor().leave();
    EXPECT_TRUE(engine_->wait_asleep([&] { return ran.load(); }));
}

TEST_P(Sockets, WhoStandsInRunsWhatCameMeanwhile) {
    std::atomic<int> ran{0};
    std::thread::id runner;
    enter(reactor());
    std::thread other([&] { reactor().post([&] { runner = std::this_thread::get_id(), ++ran; }); });
    other.join();
    reactor().post([&] { ++ran; });
    EXPECT_EQ(ran, 0);
    reactor().leave();
    EXPECT_EQ(ran, 2);
    EXPECT_EQ(runner, std::this_thread::get_id());
}

TEST_P(Sockets, WhatKeepsComingIsLeftToTheReactor) {
    std::atomic<int> ran{0};
    int here = 0;
    const auto self = std::this_thread::get_id();
    std::function<void()> again = [&] {
        if (std::this_thread::get_id() == self) ++here;
        if (++ran < 100) return reactor().post(again);
        engine_->changed();
    };
    enter(reactor());
    reactor().post(again);
    reactor().leave();
    EXPECT_LT(here, 100);
    EXPECT_TRUE(engine_->wait([&] { return ran == 100; }));
}

// Rings at a time.
struct TimedBell final : Notifiable {
    explicit TimedBell(SocketEngine& e) : engine(e) {}
    void on_notified() override {
        at = engine.reactor().clock().now();
        if (and_then) and_then();
        ++rung;
        engine.changed();
    }
    SocketEngine& engine;
    TimePoint at;
    std::atomic<int> rung{0};
    std::function<void()> and_then;
};

TEST_P(Sockets, WhoStandsInEndsANapAndMayAskForAnother) {
    TimedBell lazy(*engine_), sleepy(*engine_);
    sleepy.and_then = [&] {
        reactor().notify_lazily(lazy);
        reactor().nap(50ms);
    };
    reactor().notify(sleepy);
    ASSERT_TRUE(engine_->wait_asleep([&] { return sleepy.rung == 1; }));
    enter(reactor());
    reactor().nap(1h);
    reactor().leave();
    EXPECT_EQ(lazy.rung, 1) << "it had waited for the end of the nap";
    // The nap that the reactor has gone to sleep for is over at some time, and the new one goes on.
    reactor().notify_lazily(lazy);
    EXPECT_FALSE(engine_->wait_asleep([&] { return lazy.rung == 2; }, 150ms));
    reactor().notify(lazy);
    EXPECT_TRUE(engine_->wait_asleep([&] { return lazy.rung == 2; }));
}

// The reactor must wake once, to sleep for that long only.
TEST_P(Sockets, WhoStandsInMayTurnASleepIntoANap) {
    TimedBell lazy(*engine_);
    enter(reactor());
    const TimePoint start = reactor().clock().now();
    reactor().nap(30ms);
    reactor().leave();
    reactor().notify_lazily(lazy);
    EXPECT_TRUE(engine_->wait_asleep([&] { return lazy.rung == 1; }));
    EXPECT_GE(lazy.at - start, 30ms);
}

TEST_P(Sockets, NobodyElseStandsInMeanwhile) {
    enter(reactor());
    std::thread([&] { EXPECT_FALSE(reactor().try_enter()); }).join();
    SocketEngine other(GetParam());
    enter(other.reactor());
    EXPECT_FALSE(reactor().in_reactor_thread());
    EXPECT_TRUE(other.reactor().in_reactor_thread());
    other.reactor().leave();
    EXPECT_TRUE(reactor().in_reactor_thread());
    reactor().leave();
}

TEST_P(Sockets, CountsItsTurns) {
    const TurnStats before = reactor().turn_stats();
    engine_->run([] {
        const auto end = std::chrono::steady_clock::now() + 20ms;
        while (std::chrono::steady_clock::now() < end) {
        }
    });
    engine_->run([] {});
    const TurnStats after = reactor().turn_stats();
    EXPECT_GE(after.busy_ns - before.busy_ns, 20'000'000U);
    EXPECT_EQ(after.busy_ns, reactor().busy_ns());
    EXPECT_GT(after.turns, before.turns);
}

TEST_P(Sockets, SpinsBeforeItSleeps) {
    reactor().set_busy_poll(200ms);
    engine_->run([] {});
    engine_->run([] {});
    const TurnStats before = reactor().turn_stats();
    EXPECT_FALSE(reactor().try_enter()) << "it is awake";
    // Each comes within the time it spins.
    for (int i = 0; i < 10; ++i) engine_->run([] {});
    EXPECT_LT(reactor().turn_stats().wakes - before.wakes, 5U);
    reactor().set_busy_poll(0ms);
    enter(reactor());
    reactor().leave();
}

TEST_P(Sockets, WhatWasPostedBeforeTheEndIsRun) {
    int ran = 0;
    {
        auto one = std::move(make_reactor(GetParam())).value();
        for (int i = 0; i < 100; ++i) one->post([&, reactor = one.get()] { reactor->post([&] { ++ran; }); });
    }
    EXPECT_EQ(ran, 100);
}

TEST_P(Sockets, ThingsLeftOverOutliveTheirReactor) {
    // Nobody should do this; it must not crash all the same.
    SocketEngine engine(GetParam());
    auto one = std::move(make_reactor(GetParam())).value();
    std::unique_ptr<ListenSocket> listening;
    std::unique_ptr<Stream> accepted;
    std::unique_ptr<Stream> called;
    std::vector<std::unique_ptr<Connecting>> connecting;
    one->run([&] {
        auto made = one->listen({"127.0.0.1", 0}, [&](auto stream) {
            accepted = std::move(stream);
            engine.changed();
        });
        listening = std::move(*made);
        connecting.push_back(one->connect({"127.0.0.1", listening->port()}, {}, [&](auto result) {
            called = std::move(*result);
            engine.changed();
        }));
    });
    ASSERT_TRUE(engine.wait([&] {
        bool both = false;
        one->run([&] { both = accepted && called; });
        return both;
    }));
    one->run([&] {
        connecting.push_back(one->connect({"nosuch.invalid", 1}, {}, [](auto) {}));
        connecting.push_back(one->connect({"127.0.0.1", listening->port()}, {}, [](auto) {}));
    });
    one.reset();
    char byte = 0;
    const iovec part{&byte, 1};
    EXPECT_EQ(called->read({&part, 1}).status, IoResult::Status::Failed);
    EXPECT_EQ(accepted->write({&part, 1}).status, IoResult::Status::Failed);
}

TEST_P(Sockets, ASilentPeerDoesNotHoldTheDescriptorForLong) {
    // The peer neither reads nor closes: the lingering socket ends by time. Its end is seen as a reset by who
    // writes.
    const auto [caller, accepted] = scene_->pair();
    engine_->run([from = accepted] { from->drop(); });
    ASSERT_TRUE(engine_->wait([to = caller] { return to->closed; }));
    bool over = false;
    engine_->run([&] { reactor().after(1100ms, [&] { over = true, engine_->changed(); }); });
    ASSERT_TRUE(engine_->wait([&] { return over; }));
    ASSERT_TRUE(engine_->wait([to = caller] {
        to->send("anybody?");
        return to->write_error != 0;
    }));
}

// --- The shared ones ---

TEST(SharedReactor, IsOneForEachIndex) {
    const std::shared_ptr<Reactor> zero = std::move(shared_reactor(io::Engine::Epoll, 0)).value();
    const std::shared_ptr<Reactor> one = std::move(shared_reactor(io::Engine::Epoll, 1)).value();
    EXPECT_NE(zero, one);
    EXPECT_EQ(one, std::move(shared_reactor(io::Engine::Epoll, 1)).value());
}

TEST(SharedReactor, MayBeLetGoOfByWhoStandsInForIt) {
    for (int i = 0; i < 20; ++i) {
        std::shared_ptr<Reactor> owner = std::move(shared_reactor()).value();
        Reactor* const reactor = owner.get();
        enter(*reactor);
        owner.reset();
        reactor->leave();
    }
}

TEST(SharedReactor, IsOneForAllAndEndsWithTheLastOwner) {
    std::shared_ptr<Reactor> first = std::move(shared_reactor()).value();
    std::shared_ptr<Reactor> second = std::move(shared_reactor()).value();
    EXPECT_EQ(first, second);
    const std::weak_ptr<Reactor> watch(first);
    first.reset();
    second->run([] {});
    second.reset();
    EXPECT_TRUE(watch.expired());
    std::shared_ptr<Reactor> third = std::move(shared_reactor()).value();
    bool ran = false;
    third->run([&] { ran = true; });
    EXPECT_TRUE(ran);
}

TEST(SharedReactor, MayBeLetGoOfOnItsOwnThread) {
    for (int i = 0; i < 20; ++i) {
        // Shared: the reactor's thread may still be unlocking when this one has seen all.
        struct Said {
            std::mutex mutex;
            std::condition_variable cond;
            bool alone = false;  // the task's owner is the last
            bool gone = false;
        };
        const auto said = std::make_shared<Said>();
        std::shared_ptr<Reactor> owner = std::move(shared_reactor()).value();
        // Whoever calls the reactor keeps it for so long.
        owner->post([said, last = owner]() mutable {
            {
                std::unique_lock lock(said->mutex);
                said->cond.wait_for(lock, 20s, [&] { return said->alone; });
            }
            last.reset();
            const std::lock_guard lock(said->mutex);
            said->gone = true;
            said->cond.notify_one();
        });
        owner.reset();
        std::unique_lock lock(said->mutex);
        said->alone = true;
        said->cond.notify_one();
        ASSERT_TRUE(said->cond.wait_for(lock, 20s, [&] { return said->gone; }));
    }
}

TEST(SharedReactor, ComesAndGoesFromManyThreads) {
    std::vector<std::thread> threads;
    std::atomic<int> ran{0};
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int n = 0; n < 100; ++n) {
                const std::shared_ptr<Reactor> reactor = std::move(shared_reactor()).value();
                reactor->run([&] { ++ran; });
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(ran, 400);
}

}  // namespace
}  // namespace hawser::io::test
