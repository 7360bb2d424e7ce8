// All engines behind one face, so that one test says what each must do; and the ends of a connection for
// tests.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "runtime/io/loopback_reactor.h"
#include "runtime/io/reactor.h"
#include "runtime/io/shared_reactor.h"
#include "runtime/io/uring_reactor.h"

namespace hawser::io::test {

using namespace std::chrono_literals;

// Why tests of io_uring cannot run here; empty: they can.
inline std::string uring_refused() {
    const Result<void> able = UringReactor::probe();
    return able ? "" : able.error().message;
}

class Engine {
  public:
    virtual ~Engine() = default;
    virtual Reactor& reactor() = 0;
    // Runs `task` as the reactor would.
    void run(const std::function<void()>& task) { reactor().run(task); }
    // Lets things happen until `done`, asked on the reactor's thread, says so; false after `limit`.
    virtual bool wait(const std::function<bool()>& done, Duration limit = 20s) = 0;
    // As wait(), but leaves the reactor alone: `done` is asked on this thread.
    virtual bool wait_asleep(const std::function<bool()>& done, Duration limit = 20s) = 0;
    // Something happened that wait() may be waiting for. Any thread.
    virtual void changed() {}
};

class SocketEngine final : public Engine {
  public:
    explicit SocketEngine(io::Engine kind) : reactor_(std::move(make_reactor(kind)).value()) {}
    Reactor& reactor() override { return *reactor_; }
    bool wait(const std::function<bool()>& done, Duration limit = 20s) override {
        const auto end = std::chrono::steady_clock::now() + limit;
        std::uint64_t seen = 0;
        for (;;) {
            {
                const std::lock_guard lock(mutex_);
                seen = changes_;
            }
            bool is_done = false;
            run([&] { is_done = done(); });
            if (is_done) return true;
            std::unique_lock lock(mutex_);
            if (!cond_.wait_until(lock, end, [&] { return changes_ != seen; })) return false;
        }
    }
    bool wait_asleep(const std::function<bool()>& done, Duration limit = 20s) override {
        std::unique_lock lock(mutex_);
        return cond_.wait_for(lock, limit, done);
    }
    void changed() override {
        const std::lock_guard lock(mutex_);
        ++changes_;
        cond_.notify_all();
    }

  private:
    std::unique_ptr<EpollReactor> reactor_;
    std::mutex mutex_;
    std::condition_variable cond_;
    std::uint64_t changes_ = 0;  // mutex_
};

class LoopbackEngine final : public Engine {
  public:
    LoopbackReactor& reactor() override { return reactor_; }
    bool wait(const std::function<bool()>& done, Duration limit = 20s) override {
        return reactor_.advance_until(done, limit);
    }
    bool wait_asleep(const std::function<bool()>& done, Duration limit = 20s) override {
        return wait(done, limit);
    }

  private:
    LoopbackReactor reactor_;
};

// One end of a connection: reads all there is, writes all it is given.
class End final : public StreamHandler {
  public:
    explicit End(Engine& engine) : engine_(engine) {}

    void attach(std::unique_ptr<Stream> stream) {
        stream_ = std::move(stream);
        stream_->set_handler(this);
        engine_.changed();
    }
    void drop() { stream_.reset(); }
    Stream* stream() { return stream_.get(); }

    void send(std::string_view bytes) {
        outgoing.append(bytes);
        flush();
    }
    void flush() {
        while (stream_ && written < outgoing.size()) {
            const iovec part{outgoing.data() + written, outgoing.size() - written};
            const IoResult put = stream_->write({&part, 1});
            if (put.status == IoResult::Status::Done) {
                written += put.bytes;
                continue;
            }
            if (put.status == IoResult::Status::WouldBlock) ++blocked;
            if (put.status == IoResult::Status::Failed) write_error = put.error;
            break;
        }
    }
    void read_all() {
        char buffer[10000];
        while (stream_) {
            // Two parts, so that scattering is always tested too.
            const iovec parts[2] = {{buffer, 100}, {buffer + 100, sizeof buffer - 100}};
            const IoResult got = stream_->read(parts);
            if (got.status == IoResult::Status::Done) {
                EXPECT_GT(got.bytes, 0U);
                if (echo) send({buffer, got.bytes});
                received.append(buffer, got.bytes);
                biggest_read = std::max(biggest_read, got.bytes);
                continue;
            }
            if (got.status == IoResult::Status::Closed) closed = true;
            if (got.status == IoResult::Status::Failed) error = got.error;
            break;
        }
    }
    bool over() const { return closed || error != 0; }

    void on_readable() override {
        ++readable;
        engine_.changed();
        if (when_readable) {
            when_readable();  // may destroy this
            return;
        }
        if (reading) read_all();
    }
    void on_writable() override {
        ++writable;
        engine_.changed();
        flush();
    }

    bool reading = true;
    bool echo = false;
    std::function<void()> when_readable;
    std::string received;
    std::string outgoing;
    std::size_t written = 0;
    std::size_t biggest_read = 0;
    int blocked = 0;
    int readable = 0;
    int writable = 0;
    bool closed = false;
    int error = 0;
    int write_error = 0;

  private:
    Engine& engine_;
    std::unique_ptr<Stream> stream_;
};

// Bytes that tell where they belong.
inline std::string pattern(std::size_t size, std::uint32_t seed = 1) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) {
        seed = seed * 1664525 + 1013904223;
        byte = static_cast<char>(seed >> 24);
    }
    return bytes;
}

// A listener and what it accepted, a caller and what became of it. All of it is made and destroyed on the
// reactor's thread.
class Scene {
  public:
    explicit Scene(Engine& engine) : engine_(engine) {}
    ~Scene() {
        engine_.run([this] {
            connecting.clear();
            ends.clear();
            listeners.clear();
        });
    }

    // Listens; who is accepted becomes an End in `accepted`.
    Address listen(const Address& at = {"127.0.0.1", 0}) {
        Address bound = at;
        engine_.run([&] {
            auto listening = engine_.reactor().listen(at, [this](std::unique_ptr<Stream> stream) {
                End& end = add();
                accepted.push_back(&end);
                if (on_accept) on_accept(end);
                end.attach(std::move(stream));
            });
            ASSERT_TRUE(listening.ok()) << listening.error().message;
            bound.port = (*listening)->port();
            listeners.push_back(std::move(*listening));
        });
        return bound;
    }

    // Connects and waits for the outcome.
    End* call(const Address& to, Duration timeout = 5s) {
        End* end = nullptr;
        failure.reset();
        bool done = false;
        bool inside = true;
        engine_.run([&] {
            ConnectOptions options;
            options.timeout = timeout;
            options.on_resolved = [this](const std::string& address) { resolved = address; };
            connecting.push_back(
                engine_.reactor().connect(to, options, [&](Result<std::unique_ptr<Stream>> result) {
                    EXPECT_FALSE(inside) << "called from within connect()";
                    EXPECT_FALSE(done) << "called twice";
                    done = true;
                    if (result) {
                        end = &add();
                        end->attach(std::move(*result));
                    } else {
                        failure = result.error();
                    }
                    engine_.changed();
                }));
            inside = false;
        });
        EXPECT_TRUE(engine_.wait([&] { return done; }));
        return end;
    }

    // A whole connection: {caller, accepted}.
    std::pair<End*, End*> pair(const Address& at = {"127.0.0.1", 0}) {
        const std::size_t before = accepted.size();
        End* caller = call(listen(at));
        EXPECT_NE(caller, nullptr) << (failure ? failure->message : "");
        EXPECT_TRUE(engine_.wait([&] { return accepted.size() > before; }));
        return {caller, accepted.back()};
    }

    End& add() {
        ends.push_back(std::make_unique<End>(engine_));
        return *ends.back();
    }

    std::vector<std::unique_ptr<ListenSocket>> listeners;
    std::vector<std::unique_ptr<Connecting>> connecting;
    std::vector<std::unique_ptr<End>> ends;
    std::vector<End*> accepted;
    std::function<void(End&)> on_accept;
    std::optional<Error> failure;
    std::string resolved;

  private:
    Engine& engine_;
};

}  // namespace hawser::io::test
