// The contract of listening and connecting.
#include "tests/unit/io/contract.h"

namespace hawser::io::test {
namespace {

using testing::HasSubstr;

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

}  // namespace
}  // namespace hawser::io::test
