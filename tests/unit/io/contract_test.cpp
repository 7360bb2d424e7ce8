// One contract, two engines: what every reactor must do.
#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <thread>

#include "tests/unit/io/engines.h"

namespace hawser::io::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Contract : public testing::TestWithParam<const char*> {
  protected:
    Contract() {
        if (std::string(GetParam()) == "Epoll") {
            engine_ = std::make_unique<EpollEngine>();
        } else {
            engine_ = std::make_unique<LoopbackEngine>();
        }
        scene_ = std::make_unique<Scene>(*engine_);
    }
    Reactor& reactor() { return engine_->reactor(); }
    void run(const std::function<void()>& task) { engine_->run(task); }
    bool wait(const std::function<bool()>& done) { return engine_->wait(done); }
    // The reactor goes on for `time`: only to see that something does not happen.
    void let_pass(Duration time) {
        bool over = false;
        run([&] { reactor().after(time, [&] { over = true, engine_->changed(); }); });
        ASSERT_TRUE(wait([&] { return over; }));
    }

    std::unique_ptr<Engine> engine_;
    std::unique_ptr<Scene> scene_;
};

INSTANTIATE_TEST_SUITE_P(Engines, Contract, testing::Values("Epoll", "Loopback"),
                         [](const auto& engine) { return std::string(engine.param); });

// --- Streams ---

TEST_P(Contract, BytesComeBackAsTheyWere) {
    scene_->on_accept = [](End& end) { end.echo = true; };
    const auto [caller, accepted] = scene_->pair();
    const std::string bytes = pattern(4 << 20);
    run([&, to = caller] { to->send(bytes); });
    ASSERT_TRUE(wait([&, to = caller] { return to->received.size() >= bytes.size(); }));
    run([&, to = caller] { EXPECT_TRUE(to->received == bytes); });
    EXPECT_GT(caller->blocked, 0) << "4 MiB fit into a pipe that should be bounded";
}

TEST_P(Contract, PeersAreNamed) {
    const auto [caller, accepted] = scene_->pair();
    EXPECT_EQ(caller->stream()->peer_address(), "127.0.0.1:" + std::to_string(scene_->listeners[0]->port()));
    EXPECT_THAT(accepted->stream()->peer_address(), HasSubstr("127.0.0.1:"));
    EXPECT_EQ(scene_->resolved, caller->stream()->peer_address());
}

TEST_P(Contract, AWriterWaitsForAReader) {
    scene_->on_accept = [](End& end) { end.reading = false; };
    const auto [caller, accepted] = scene_->pair();
    const std::string bytes = pattern(32 << 20);
    run([&, to = caller] { to->send(bytes); });
    EXPECT_TRUE(wait([to = caller] { return to->blocked > 0; }));
    EXPECT_LT(caller->written, bytes.size());
    run([from = accepted] {
        from->reading = true;
        from->read_all();
    });
    ASSERT_TRUE(wait([&, from = accepted] { return from->received.size() >= bytes.size(); }));
    run([&, to = caller, from = accepted] {
        EXPECT_GT(to->writable, 0);
        EXPECT_TRUE(from->received == bytes);
    });
}

TEST_P(Contract, ClosingComesAfterTheData) {
    const auto [caller, accepted] = scene_->pair();
    const std::string bytes = pattern(100'000);
    run([&, to = caller] {
        to->send(bytes);
        to->drop();
    });
    ASSERT_TRUE(wait([from = accepted] { return from->over(); }));
    EXPECT_TRUE(accepted->closed);
    EXPECT_TRUE(accepted->received == bytes);
}

// What is said last must arrive even where the other side was not listened to any more (a plain close() would
// reset).
TEST_P(Contract, LastWordsArriveAlthoughSomethingIsUnread) {
    scene_->on_accept = [](End& end) { end.reading = false; };
    const auto [caller, accepted] = scene_->pair();
    run([to = caller] {
        to->reading = false;
        to->send(pattern(5000));
    });
    ASSERT_TRUE(wait([from = accepted] { return from->readable > 0; }));
    run([from = accepted] {
        from->send("farewell");
        from->drop();
    });
    run([to = caller] {
        to->reading = true;
        to->send("what?");
        to->read_all();
    });
    ASSERT_TRUE(wait([to = caller] { return to->over(); }));
    EXPECT_EQ(caller->received, "farewell");
    EXPECT_TRUE(caller->closed);
}

TEST_P(Contract, AbortingResets) {
    const auto [caller, accepted] = scene_->pair();
    run([to = caller] {
        to->stream()->abort_on_close();
        to->drop();
    });
    ASSERT_TRUE(wait([from = accepted] { return from->over(); }));
    EXPECT_EQ(accepted->error, ECONNRESET);
    run([from = accepted] { from->send("too late"); });
    EXPECT_TRUE(accepted->write_error == EPIPE || accepted->write_error == ECONNRESET)
        << accepted->write_error;
}

TEST_P(Contract, ABlockedWriterHearsThatThePeerIsGone) {
    scene_->on_accept = [](End& end) { end.reading = false; };
    const auto [caller, accepted] = scene_->pair();
    run([to = caller] { to->send(pattern(32 << 20)); });
    ASSERT_TRUE(wait([to = caller] { return to->blocked > 0; }));
    run([from = accepted] {
        from->stream()->abort_on_close();
        from->drop();
    });
    ASSERT_TRUE(wait([to = caller] { return to->error != 0; }));
    EXPECT_EQ(caller->error, ECONNRESET);
}

TEST_P(Contract, NothingAskedIsNothingDone) {
    const auto [caller, accepted] = scene_->pair();
    run([to = caller] {
        EXPECT_EQ(to->stream()->read({}).status, IoResult::Status::Done);
        EXPECT_EQ(to->stream()->write({}).status, IoResult::Status::Done);
        char byte = 0;
        const iovec empty{&byte, 0};
        EXPECT_EQ(to->stream()->write({&empty, 1}).status, IoResult::Status::Done);
        EXPECT_EQ(to->stream()->read({&empty, 1}).bytes, 0U);
        const iovec one{&byte, 1};
        EXPECT_EQ(to->stream()->read({&one, 1}).status, IoResult::Status::WouldBlock);
    });
}

TEST_P(Contract, ManyPartsAreOneWrite) {
    const auto [caller, accepted] = scene_->pair();
    std::string bytes = pattern(3000);
    std::vector<iovec> parts;
    for (char& byte : bytes) parts.push_back({&byte, 1});
    std::size_t put = 0;
    run([&, to = caller] {
        // More parts than the system takes at once: some are written, none is refused.
        while (put < parts.size()) {
            const IoResult result = to->stream()->write(std::span(parts).subspan(put));
            ASSERT_EQ(result.status, IoResult::Status::Done);
            put += result.bytes;
        }
    });
    ASSERT_TRUE(wait([&, from = accepted] { return from->received.size() == bytes.size(); }));
    EXPECT_TRUE(accepted->received == bytes);
}

// --- Handlers ---

TEST_P(Contract, ALateHandlerHearsWhatIsThereAlready) {
    const auto [caller, accepted] = scene_->pair();
    run([to = caller, from = accepted] {
        from->stream()->set_handler(nullptr);
        to->send("early");
    });
    let_pass(20ms);
    EXPECT_EQ(accepted->readable, 0);
    run([from = accepted] { from->stream()->set_handler(from); });
    ASSERT_TRUE(wait([from = accepted] { return from->received == "early"; }));
}

TEST_P(Contract, WithoutAHandlerNothingIsCalled) {
    const auto [caller, accepted] = scene_->pair();
    run([to = caller, from = accepted] {
        from->stream()->set_handler(nullptr);
        to->send("x");
        to->drop();
    });
    let_pass(20ms);
    EXPECT_EQ(accepted->readable, 0);
}

TEST_P(Contract, AHandlerMayDestroyItsOwnStream) {
    const auto [caller, accepted] = scene_->pair();
    run([to = caller, from = accepted] {
        from->when_readable = [from] { from->drop(); };
        to->send("die");
    });
    ASSERT_TRUE(wait([to = caller] { return to->over(); }));
    EXPECT_EQ(accepted->readable, 1);
}

TEST_P(Contract, AHandlerMayDestroyAllOtherStreams) {
    const Address at = scene_->listen();
    std::vector<End*> callers;
    for (int i = 0; i < 8; ++i) callers.push_back(scene_->call(at));
    ASSERT_TRUE(wait([&] { return scene_->accepted.size() == 8; }));
    int called = 0;
    run([&] {
        for (End* end : scene_->accepted) {
            end->when_readable = [&] {
                ++called;
                for (End* any : scene_->accepted) any->drop();
            };
        }
        // All become readable in one turn; the first one called ends the rest.
        for (End* caller : callers) caller->send("x");
    });
    for (End* caller : callers) ASSERT_TRUE(wait([&] { return caller->over(); }));
    EXPECT_EQ(called, 1);
}

TEST_P(Contract, AWritableHandlerMayDestroyItsStream) {
    struct Destroyer final : StreamHandler {
        explicit Destroyer(Engine& e) : engine(e) {}
        void on_readable() override {}
        void on_writable() override {
            stream.reset();
            engine.changed();
        }
        Engine& engine;
        std::unique_ptr<Stream> stream;
    };
    scene_->on_accept = [](End& end) { end.reading = false; };
    const Address at = scene_->listen();
    Destroyer destroyer(*engine_);
    std::unique_ptr<Connecting> connecting;
    const std::string bytes = pattern(1 << 20);
    bool blocked = false;
    run([&] {
        connecting = reactor().connect(at, {}, [&](Result<std::unique_ptr<Stream>> result) {
            destroyer.stream = std::move(*result);
            destroyer.stream->set_handler(&destroyer);
            iovec part{const_cast<char*>(bytes.data()), bytes.size()};
            while (destroyer.stream->write({&part, 1}).status == IoResult::Status::Done) {
            }
            blocked = true;
            engine_->changed();
        });
    });
    ASSERT_TRUE(wait([&] { return blocked && scene_->accepted.size() == 1; }));
    run([&] {
        scene_->accepted[0]->reading = true;
        scene_->accepted[0]->read_all();
    });
    ASSERT_TRUE(wait([&] { return destroyer.stream == nullptr; }));
    ASSERT_TRUE(wait([&] { return scene_->accepted[0]->over(); }));
    run([&] { connecting.reset(); });
}

// --- Listening and connecting ---

TEST_P(Contract, PortZeroGivesAFreePort) {
    const Address first = scene_->listen();
    const Address second = scene_->listen();
    EXPECT_NE(first.port, 0);
    EXPECT_NE(first.port, second.port);
}

TEST_P(Contract, ATakenPortIsAnError) {
    const Address at = scene_->listen();
    run([&] {
        const auto again = reactor().listen(at, [](std::unique_ptr<Stream>) {});
        ASSERT_FALSE(again.ok());
        EXPECT_EQ(again.error().code, Errc::AddressInUse);
        EXPECT_EQ(
            again.error().message,
            "cannot listen on " + at.text() +
                ": the port is taken (Address already in use); stop the other program or choose another "
                "port, 0 lets the system choose");
    });
}

TEST_P(Contract, APortIsFreeAgainAfterItsListener) {
    const Address at = scene_->listen();
    End* const caller = scene_->call(at);
    ASSERT_TRUE(wait([&] { return scene_->accepted.size() == 1; }));
    run([&] { scene_->listeners.clear(); });
    // The connection outlives it, and does not keep the port.
    EXPECT_EQ(scene_->listen(at).port, at.port);
    run([&] { caller->send("still here"); });
    EXPECT_TRUE(wait([&] { return scene_->accepted[0]->received == "still here"; }));
}

TEST_P(Contract, NobodyListening) {
    const Address at = scene_->listen();
    run([&] { scene_->listeners.clear(); });
    EXPECT_EQ(scene_->call(at), nullptr);
    ASSERT_TRUE(scene_->failure.has_value());
    EXPECT_EQ(scene_->failure->code, Errc::Refused);
    EXPECT_EQ(scene_->failure->message,
              "cannot connect to " + at.text() + ": nobody listens there (Connection refused)");
}

TEST_P(Contract, UnknownHost) {
    if (auto* loopback = dynamic_cast<LoopbackReactor*>(&reactor())) loopback->unknown_host("nosuch.invalid");
    EXPECT_EQ(scene_->call({"nosuch.invalid", 7000}), nullptr);
    ASSERT_TRUE(scene_->failure.has_value());
    EXPECT_EQ(scene_->failure->code, Errc::NotFound);
    EXPECT_THAT(scene_->failure->message, HasSubstr("cannot resolve host “nosuch.invalid”: "));
    EXPECT_EQ(scene_->resolved, "");
}

TEST_P(Contract, NamesAreResolved) {
    const Address at = scene_->listen();
    ASSERT_NE(scene_->call({"localhost", at.port}), nullptr) << scene_->failure->message;
    EXPECT_TRUE(wait([&] { return scene_->accepted.size() == 1; }));
}

TEST_P(Contract, ACancelledAttemptIsNeverHeardOf) {
    const Address at = scene_->listen();
    int heard = 0;
    for (const char* host : {"127.0.0.1", "localhost", "nosuch.invalid"}) {
        run([&] {
            auto connecting = reactor().connect({host, at.port}, {}, [&](auto) { ++heard; });
            connecting.reset();
        });
    }
    ASSERT_NE(scene_->call(at), nullptr);
    EXPECT_EQ(heard, 0);
}

TEST_P(Contract, AnAttemptMayBeCancelledWhileItGoesOn) {
    const Address at = scene_->listen();
    for (const char* host : {"127.0.0.1", "localhost"}) {
        std::unique_ptr<Connecting> connecting;
        bool resolved = false;
        run([&] {
            ConnectOptions options;
            options.on_resolved = [&](const std::string&) {
                connecting.reset();
                resolved = true;
                engine_->changed();
            };
            connecting = reactor().connect({host, at.port}, options,
                                           [](auto) { ADD_FAILURE() << "it was cancelled"; });
        });
        ASSERT_TRUE(wait([&] { return resolved; }));
    }
    ASSERT_NE(scene_->call(at), nullptr);
}

TEST_P(Contract, AnAttemptMayBeDestroyedByItsOwnHandler) {
    const Address at = scene_->listen();
    const Address dead = scene_->listen();
    run([&] { scene_->listeners.pop_back(); });
    for (const Address& to : {at, dead}) {
        std::unique_ptr<Connecting> connecting;
        bool done = false;
        run([&] {
            connecting = reactor().connect(to, {}, [&](auto) {
                connecting.reset();
                done = true;
                engine_->changed();
            });
        });
        ASSERT_TRUE(wait([&] { return done; }));
    }
}

TEST_P(Contract, AListenerMayBeDestroyedByItsOwnHandler) {
    scene_->on_accept = [&](End&) { scene_->listeners.clear(); };
    const Address at = scene_->listen();
    End* const caller = scene_->call(at);
    ASSERT_NE(caller, nullptr);
    ASSERT_TRUE(wait([&] { return scene_->accepted.size() == 1; }));
    EXPECT_EQ(scene_->call(at), nullptr);
    EXPECT_EQ(scene_->failure->code, Errc::Refused);
}

TEST_P(Contract, AnAcceptedStreamMayBeDestroyedAtOnce) {
    Address at{"127.0.0.1", 0};
    run([&] {
        auto listening = reactor().listen(at, [](std::unique_ptr<Stream>) {});
        at.port = (*listening)->port();
        scene_->listeners.push_back(std::move(*listening));
    });
    End* const caller = scene_->call(at);
    ASSERT_NE(caller, nullptr);
    ASSERT_TRUE(wait([&] { return caller->over(); }));
    EXPECT_TRUE(caller->closed);
}

TEST_P(Contract, ManyConnectionsAtOnce) {
    constexpr int kCallers = 300;
    scene_->on_accept = [](End& end) { end.echo = true; };
    const Address at = scene_->listen();
    int through = 0;
    run([&] {
        for (int i = 0; i < kCallers; ++i) {
            scene_->connecting.push_back(
                reactor().connect(at, {}, [&, i](Result<std::unique_ptr<Stream>> result) {
                    ASSERT_TRUE(result.ok()) << result.error().message;
                    End& end = scene_->add();
                    end.attach(std::move(*result));
                    end.send(pattern(1000, static_cast<std::uint32_t>(i)));
                    ++through;
                }));
        }
    });
    ASSERT_TRUE(wait([&] {
        int complete = 0;
        for (const auto& end : scene_->ends) complete += !end->echo && end->received.size() == 1000;
        return through == kCallers && complete == kCallers;
    }));
    for (const auto& end : scene_->ends) {
        EXPECT_TRUE(end->echo || end->received == end->outgoing);
    }
}

// --- Timers ---

TEST_P(Contract, TimersRunInOrderAndNeverEarly) {
    std::vector<int> ran;
    bool early = false;
    run([&] {
        const TimePoint start = reactor().clock().now();
        for (const int ms : {30, 10, 0, 20, 10}) {
            reactor().after(std::chrono::milliseconds(ms), [&, ms, start] {
                ran.push_back(ms);
                early = early || reactor().clock().now() < start + std::chrono::milliseconds(ms);
                engine_->changed();
            });
        }
        EXPECT_TRUE(ran.empty()) << "a timer ran from within after()";
    });
    ASSERT_TRUE(wait([&] { return ran.size() == 5; }));
    EXPECT_THAT(ran, ElementsAre(0, 10, 10, 20, 30));
    EXPECT_FALSE(early);
}

TEST_P(Contract, CancelledTimersDoNotRun) {
    std::vector<int> ran;
    TimerId second = 0;
    run([&] {
        const TimerId never = reactor().after(1ms, [&] { ran.push_back(0); });
        EXPECT_NE(never, 0U);
        reactor().cancel(never);
        reactor().cancel(never);
        reactor().cancel(0);
        reactor().after(2ms, [&] {
            ran.push_back(1);
            reactor().cancel(second);
        });
        second = reactor().after(2ms, [&] { ran.push_back(2); });
        reactor().after(10ms, [&] {
            ran.push_back(3);
            engine_->changed();
        });
    });
    ASSERT_TRUE(wait([&] { return !ran.empty() && ran.back() == 3; }));
    EXPECT_THAT(ran, ElementsAre(1, 3));
}

TEST_P(Contract, ATimerMayCancelItselfAndStartTheNext) {
    int ran = 0;
    TimerId timer = 0;
    std::function<void()> tick = [&] {
        reactor().cancel(timer);
        if (++ran < 5) timer = reactor().after(1ms, tick);
        engine_->changed();
    };
    run([&] { timer = reactor().after(1ms, tick); });
    ASSERT_TRUE(wait([&] { return ran == 5; }));
}

// --- Crossing threads ---

TEST_P(Contract, PostedTasksKeepTheirOrder) {
    std::vector<int> ran;
    for (int i = 0; i < 1000; ++i) {
        reactor().post([&, i] {
            EXPECT_TRUE(reactor().in_reactor_thread());
            ran.push_back(i);
            if (i == 999) reactor().post([&] { ran.push_back(1000), engine_->changed(); });
        });
    }
    ASSERT_TRUE(wait([&] { return ran.size() == 1001; }));
    EXPECT_TRUE(std::is_sorted(ran.begin(), ran.end()));
}

struct Bell final : Notifiable {
    explicit Bell(Engine& e) : engine(e) {}
    void on_notified() override {
        ++rung;
        const std::uint64_t now = work.load();
        EXPECT_GE(now, seen);
        seen = now;
        if (and_then) and_then();
        engine.changed();
    }
    Engine& engine;
    std::atomic<std::uint64_t> work{0};
    std::uint64_t seen = 0;
    int rung = 0;
    std::function<void()> and_then;
};

TEST_P(Contract, ManyNotificationsAreOneCall) {
    Bell bell(*engine_);
    Bell other(*engine_);
    run([&] {
        for (int i = 0; i < 10; ++i) reactor().notify(bell);
        reactor().notify(other);
        EXPECT_EQ(bell.rung, 0) << "called from within notify()";
    });
    ASSERT_TRUE(wait([&] { return other.rung > 0; }));
    EXPECT_EQ(bell.rung, 1);
}

TEST_P(Contract, WhatIsNotifiedDuringItsCallIsCalledAgain) {
    Bell bell(*engine_);
    bell.and_then = [&] {
        if (bell.rung < 3) reactor().notify(bell);
    };
    reactor().notify(bell);
    ASSERT_TRUE(wait([&] { return bell.rung == 3; }));
}

TEST_P(Contract, TheForgottenAreNotCalled) {
    std::array<std::unique_ptr<Bell>, 5> bells;
    for (auto& bell : bells) bell = std::make_unique<Bell>(*engine_);
    run([&] {
        // The first one called destroys all others: those behind it in the queue, and one announced again.
        for (auto& bell : bells) {
            bell->and_then = [&bells, this, self = bell.get()] {
                for (auto& one : bells) {
                    if (one == nullptr || one.get() == self) continue;
                    reactor().notify(*one);
                    reactor().forget(*one);
                    one.reset();
                }
            };
            reactor().notify(*bell);
        }
    });
    Bell last(*engine_);
    reactor().notify(last);
    ASSERT_TRUE(wait([&] { return last.rung == 1; }));
    EXPECT_NE(bells[0], nullptr);
    EXPECT_EQ(bells[0]->rung, 1);
    EXPECT_EQ(bells[1], nullptr);
    // One that waits for nothing can be forgotten, and comes back when it is notified again.
    run([&] {
        reactor().forget(*bells[0]);
        reactor().notify(*bells[0]);
    });
    ASSERT_TRUE(wait([&] { return bells[0]->rung == 2; }));
}

TEST_P(Contract, FourThreadsPostAndNotify) {
    constexpr int kThreads = 4;
    constexpr std::uint64_t kEach = 5000;
    Bell bell(*engine_);
    std::uint64_t posted = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&] {
            for (std::uint64_t n = 0; n < kEach; ++n) {
                bell.work.fetch_add(1);
                reactor().notify(bell);
                if (n % 10 == 0) reactor().post([&] { ++posted, engine_->changed(); });
            }
        });
    }
    // Loopback has no thread of its own; its time does not pass while the others work.
    if (auto* loopback = dynamic_cast<LoopbackReactor*>(&reactor())) {
        while (bell.seen < kThreads * kEach) loopback->run_until_idle();
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(wait([&] { return bell.seen == kThreads * kEach && posted == kThreads * kEach / 10; }));
    run([&] { reactor().forget(bell); });
}

}  // namespace
}  // namespace hawser::io::test
