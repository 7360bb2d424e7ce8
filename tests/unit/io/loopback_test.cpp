// The loopback network's faults, and that its time is exact.
#include "runtime/io/loopback_reactor.h"

#include <gmock/gmock.h>

#include <cerrno>
#include <thread>

#include "tests/unit/io/engines.h"

namespace hawser::io::test {
namespace {

using testing::ElementsAre;
using testing::Pair;

class Loopback : public testing::Test {
  protected:
    LoopbackReactor& reactor() { return engine_.reactor(); }
    void settle() { reactor().run_until_idle(); }
    LoopbackConnection& connection() { return *reactor().connections().back(); }
    Duration since(TimePoint start) { return reactor().clock().now() - start; }

    LoopbackEngine engine_;
    Scene scene_{engine_};
};

TEST_F(Loopback, OneByteAtATime) {
    reactor().faults(Direction::ToListener).most_a_read = 1;
    reactor().faults(Direction::ToCaller).most_a_write = 1;
    scene_.on_accept = [](End& end) { end.echo = true; };
    const auto [caller, accepted] = scene_.pair();
    const std::string bytes = pattern(5000);
    caller->send(bytes);
    settle();
    EXPECT_TRUE(accepted->received == bytes);
    EXPECT_TRUE(caller->received == bytes);
    EXPECT_EQ(accepted->biggest_read, 1U);
    connection().limit_reads(Direction::ToListener, 7);
    caller->send(bytes);
    settle();
    EXPECT_EQ(accepted->biggest_read, 7U);
    EXPECT_TRUE(caller->received == bytes + bytes);
}

TEST_F(Loopback, APipeHoldsOnlySoMuch) {
    reactor().faults(Direction::ToListener).capacity = 1000;
    scene_.on_accept = [](End& end) { end.reading = false; };
    const auto [caller, accepted] = scene_.pair();
    caller->send(pattern(2500));
    settle();
    EXPECT_EQ(caller->written, 1000U);
    EXPECT_EQ(caller->blocked, 1);
    EXPECT_EQ(connection().under_way(Direction::ToListener), 1000U);
    accepted->reading = true;
    accepted->read_all();
    settle();
    EXPECT_TRUE(accepted->received == pattern(2500));
    EXPECT_EQ(connection().written(Direction::ToListener), 2500U);
}

TEST_F(Loopback, CutNow) {
    scene_.on_accept = [](End& end) { end.reading = false; };
    const auto [caller, accepted] = scene_.pair();
    caller->send("lost");
    connection().cut();
    EXPECT_FALSE(connection().open());
    EXPECT_EQ(reactor().open_connection(), nullptr);
    accepted->reading = true;
    settle();
    EXPECT_EQ(accepted->error, ECONNRESET);
    EXPECT_EQ(caller->error, ECONNRESET);
    EXPECT_EQ(accepted->received, "");
    caller->send("x");
    EXPECT_EQ(caller->write_error, ECONNRESET);
}

TEST_F(Loopback, CutAfterSoManyBytes) {
    const auto [caller, accepted] = scene_.pair();
    caller->send("before");
    settle();
    connection().cut_after(Direction::ToListener, 10);
    caller->send("123456");
    settle();
    EXPECT_EQ(accepted->received, "before123456");
    accepted->send("the other direction does not count");
    settle();
    EXPECT_TRUE(connection().open());
    caller->send("7890abc");
    settle();
    EXPECT_EQ(caller->written, 6 + 10U);
    EXPECT_EQ(caller->write_error, ECONNRESET);
    EXPECT_EQ(accepted->error, ECONNRESET);
    EXPECT_EQ(accepted->received, "before123456") << "what was under way at the cut is lost";
}

TEST_F(Loopback, NewConnectionsCanBeDoomed) {
    reactor().faults(Direction::ToCaller).cut_after = 3;
    const auto [caller, accepted] = scene_.pair();
    accepted->send("12345");
    settle();
    EXPECT_EQ(accepted->written, 3U);
    EXPECT_EQ(caller->error, ECONNRESET);
    EXPECT_EQ(accepted->error, ECONNRESET);
}

TEST_F(Loopback, CutUnblocksAWriter) {
    scene_.on_accept = [](End& end) { end.reading = false; };
    const auto [caller, accepted] = scene_.pair();
    caller->send(pattern(1 << 20));
    settle();
    EXPECT_EQ(caller->blocked, 1);
    reactor().cut_all();
    settle();
    EXPECT_EQ(caller->writable, 1);
    EXPECT_EQ(caller->write_error, ECONNRESET);
}

TEST_F(Loopback, AFrozenDirectionHoldsEverythingBack) {
    const auto [caller, accepted] = scene_.pair();
    connection().freeze(Direction::ToListener);
    caller->send("frozen");
    accepted->send("flows");
    reactor().advance(1h);
    EXPECT_EQ(caller->received, "flows");
    EXPECT_EQ(accepted->received, "");
    caller->drop();
    reactor().advance(1h);
    EXPECT_FALSE(accepted->over()) << "the end of the stream is held back too";
    accepted->send("into the void");
    EXPECT_EQ(accepted->write_error, 0);
    connection().thaw(Direction::ToListener);
    settle();
    EXPECT_EQ(accepted->received, "frozen");
    EXPECT_TRUE(accepted->closed);
    accepted->send("x");
    EXPECT_EQ(accepted->write_error, EPIPE);
}

TEST_F(Loopback, AFrozenPipeFillsUp) {
    const auto [caller, accepted] = scene_.pair();
    connection().freeze();
    caller->send(pattern(1 << 20));
    settle();
    EXPECT_EQ(caller->blocked, 1);
    connection().thaw();
    settle();
    EXPECT_TRUE(accepted->received == pattern(1 << 20));
}

TEST_F(Loopback, AResetOvertakesNothingThatIsFrozen) {
    const auto [caller, accepted] = scene_.pair();
    connection().freeze(Direction::ToListener);
    caller->stream()->abort_on_close();
    caller->drop();
    settle();
    EXPECT_FALSE(accepted->over());
    connection().thaw(Direction::ToListener);
    settle();
    EXPECT_EQ(accepted->error, ECONNRESET);
}

TEST_F(Loopback, LatencyIsExact) {
    reactor().faults(Direction::ToListener).latency = 30ms;
    reactor().faults(Direction::ToCaller).latency = 20ms;
    const TimePoint start = reactor().clock().now();
    const auto [caller, accepted] = scene_.pair();
    EXPECT_EQ(since(start), 50ms) << "connecting takes one round trip";
    std::vector<std::pair<std::string, Duration>> log;
    const TimePoint sent = reactor().clock().now();
    accepted->when_readable = [&, from = accepted] {
        from->read_all();
        log.emplace_back("there", since(sent));
        from->send("back");
    };
    caller->when_readable = [&, to = caller] {
        to->read_all();
        log.emplace_back("back", since(sent));
    };
    caller->send("there");
    reactor().advance(5ms);
    caller->drop();
    reactor().advance(100ms);
    // The answer found nobody: the caller was gone by then, and the listener did not know yet.
    EXPECT_THAT(log, ElementsAre(Pair("there", 30ms), Pair("there", 35ms)));
    EXPECT_TRUE(accepted->closed);
    EXPECT_EQ(since(sent), 105ms);
}

TEST_F(Loopback, LessLatencyDoesNotReorder) {
    const auto [caller, accepted] = scene_.pair();
    connection().set_latency(Direction::ToListener, 50ms);
    caller->send("first ");
    connection().set_latency(Direction::ToListener, 0ms);
    caller->send("second");
    settle();
    EXPECT_EQ(accepted->received, "");
    reactor().advance(50ms);
    EXPECT_EQ(accepted->received, "first second");
}

TEST_F(Loopback, RefusedIgnoredUnreachable) {
    const Address at = scene_.listen();
    reactor().refuse(at);
    EXPECT_EQ(scene_.call(at), nullptr);
    EXPECT_EQ(scene_.failure->code, Errc::Refused);
    reactor().unreachable(at);
    EXPECT_EQ(scene_.call({"localhost", at.port}), nullptr);
    EXPECT_EQ(scene_.failure->code, Errc::Unreachable);
    reactor().ignore(at);
    const TimePoint start = reactor().clock().now();
    EXPECT_EQ(scene_.call(at, 700ms), nullptr);
    EXPECT_EQ(scene_.failure->code, Errc::TimedOut);
    EXPECT_EQ(since(start), 700ms);
    reactor().ignore(at, false);
    EXPECT_NE(scene_.call(at), nullptr);
}

TEST_F(Loopback, HostsCanBecomeKnown) {
    scene_.listen({"", 7000});
    reactor().unknown_host("studio");
    EXPECT_EQ(scene_.call({"studio", 7000}), nullptr);
    EXPECT_EQ(scene_.failure->code, Errc::NotFound);
    EXPECT_EQ(scene_.failure->message, "cannot resolve host “studio”: Name or service not known");
    reactor().unknown_host("studio", false);
    reactor().set_resolve_time(3s);
    const TimePoint start = reactor().clock().now();
    EXPECT_NE(scene_.call({"studio", 7000}), nullptr);
    EXPECT_EQ(since(start), 3s);
    EXPECT_EQ(scene_.resolved, "studio:7000");
}

TEST_F(Loopback, ListenersAreToldApartByHostAndPort) {
    scene_.listen({"one", 7000});
    scene_.listen({"two", 7000});
    EXPECT_NE(scene_.call({"one", 7000}), nullptr);
    EXPECT_NE(scene_.call({"two", 7000}), nullptr);
    EXPECT_EQ(scene_.call({"three", 7000}), nullptr);
    EXPECT_EQ(scene_.failure->code, Errc::Refused);
    const auto all = reactor().listen({"::", 7000}, [](auto) {});
    ASSERT_FALSE(all.ok());
    EXPECT_EQ(all.error().code, Errc::AddressInUse);
}

TEST_F(Loopback, AListenerThatGoesBeforeItAcceptsResetsTheCaller) {
    const Address at = scene_.listen();
    std::unique_ptr<Connecting> connecting =
        reactor().connect(at, {}, [&](Result<std::unique_ptr<Stream>> result) {
            scene_.add().attach(std::move(*result));
            scene_.listeners.clear();
        });
    settle();
    EXPECT_TRUE(scene_.accepted.empty());
    ASSERT_EQ(scene_.ends.size(), 1U);
    EXPECT_EQ(scene_.ends[0]->error, ECONNRESET);
}

TEST_F(Loopback, TimersRunAtTheirExactTimesWithDeliveryBetween) {
    const auto [caller, accepted] = scene_.pair();
    std::vector<std::pair<std::string, Duration>> log;
    const TimePoint start = reactor().clock().now();
    accepted->when_readable = [&, from = accepted] {
        from->read_all();
        log.emplace_back("got " + from->received, since(start));
        from->received.clear();
    };
    for (const auto at : {3ms, 1ms, 7ms}) {
        reactor().after(at, [&, at, to = caller] {
            log.emplace_back("timer", since(start));
            to->send(std::to_string(at.count()));
        });
    }
    reactor().advance(5ms);
    EXPECT_THAT(log,
                ElementsAre(Pair("timer", 1ms), Pair("got 1", 1ms), Pair("timer", 3ms), Pair("got 3", 3ms)));
    EXPECT_EQ(since(start), 5ms);
    reactor().advance(1us);
    EXPECT_EQ(log.size(), 4U);
    EXPECT_TRUE(reactor().advance_until([&] { return log.size() == 6; }, 1h));
    EXPECT_EQ(since(start), 7ms) << "it stops as soon as it may";
    EXPECT_FALSE(reactor().advance_until([] { return false; }, 1s));
    EXPECT_EQ(since(start), 1007ms);
}

TEST_F(Loopback, PartialReadsAreNotSignalledAgain) {
    // As strict as epoll's edges: who does not read to the end hears nothing until more arrives.
    const auto [caller, accepted] = scene_.pair();
    accepted->when_readable = [from = accepted] {
        char byte = 0;
        const iovec part{&byte, 1};
        from->stream()->read({&part, 1});
    };
    caller->send("12345");
    settle();
    EXPECT_EQ(accepted->readable, 1);
    caller->send("6");
    settle();
    EXPECT_EQ(accepted->readable, 2);
}

TEST_F(Loopback, ThingsLeftOverOutliveTheirReactor) {
    auto one = std::make_unique<LoopbackReactor>();
    std::unique_ptr<Stream> accepted;
    std::unique_ptr<Stream> called;
    auto listening = one->listen({"", 7000}, [&](auto stream) { accepted = std::move(stream); });
    auto connecting = one->connect({"x", 7000}, {}, [&](auto result) { called = std::move(*result); });
    one->run_until_idle();
    auto pending = one->connect({"x", 7000}, {}, [&](auto) {});
    const auto connection = one->open_connection();
    ASSERT_NE(connection, nullptr);
    one.reset();
    char byte = 0;
    const iovec part{&byte, 1};
    EXPECT_EQ(called->read({&part, 1}).status, IoResult::Status::Failed);
    EXPECT_EQ(accepted->write({&part, 1}).status, IoResult::Status::Failed);
    connection->cut();
    connection->thaw();
}

TEST_F(Loopback, RunFromAnotherThreadWaitsForTheOneThatDrives) {
    std::atomic<bool> ran{false};
    std::thread other([&] {
        EXPECT_FALSE(reactor().in_reactor_thread());
        reactor().run([&] {
            EXPECT_TRUE(reactor().in_reactor_thread());
            ran = true;
        });
    });
    while (!ran) settle();
    other.join();
}

}  // namespace
}  // namespace hawser::io::test
