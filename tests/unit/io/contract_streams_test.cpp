// The contract of streams and their handlers.
#include <cerrno>

#include "tests/unit/io/contract.h"

namespace hawser::io::test {
namespace {

using testing::HasSubstr;

INSTANTIATE_TEST_SUITE_P(Engines, Contract, testing::Values("Epoll", "IoUring", "Loopback"),
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

}  // namespace
}  // namespace hawser::io::test
