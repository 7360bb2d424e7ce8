// The I/O engines themselves: what sending to many and to one, waking up and accepting cost.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/io/shared_reactor.h"
#include "runtime/io/uring_reactor.h"
#include "tests/perf/bench.h"
#include "tests/perf/process.h"

namespace hawser::perf {
namespace {

using io::Engine;

// What the two sides of a connection tell each other and the benchmark.
struct Board {
    std::atomic<int> port, accepted, done, failed;
    std::atomic<double> cpu, wall, work, first, second;
    std::atomic<std::uint64_t> bytes, writes;
};

// --- The far side: connects, and reads or not ---

int connect_to(int port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) return -1;
    return fd;
}

int read_all(Board& board, unsigned connections) {
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    if (!wait_until(10, [&] { return board.port != 0; })) return 1;
    for (unsigned i = 0; i < connections; ++i) {
        const int fd = connect_to(board.port);
        if (fd < 0) {
            board.failed = 1;
            return 1;
        }
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = fd;
        ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
    std::vector<char> buffer(256 * 1024);
    std::array<epoll_event, 256> events;
    for (;;) {
        const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < count; ++i) {
            const ssize_t got =
                ::recv(events[static_cast<std::size_t>(i)].data.fd, buffer.data(), buffer.size(), 0);
            if (got <= 0) return 0;
            board.bytes += static_cast<std::uint64_t>(got);
        }
    }
}

// --- The near side ---

struct Server {
    Server(Engine engine, Board& b) : board(b), reactor(std::move(io::make_reactor(engine)).value()) {
        listening = std::move(reactor->listen({"127.0.0.1", 0}, [this](std::unique_ptr<io::Stream> stream) {
                        streams.push_back(std::move(stream));
                        ++board.accepted;
                    })).value();
        board.port = listening->port();
    }
    ~Server() {
        reactor->run([this] {
            streams.clear();
            listening.reset();
        });
    }

    Board& board;
    std::unique_ptr<io::Reactor> reactor;
    std::unique_ptr<io::ListenSocket> listening;
    std::vector<std::unique_ptr<io::Stream>> streams;
};

// Forks both sides; `serve` runs in the near one, after `connections` have come.
Sample with_connections(Engine engine, unsigned connections, const std::function<int(Server&)>& serve,
                        const std::function<Sample(Board&)>& result) {
    Shared<Board> board;
    const Role reader([&] { return read_all(*board, connections); });
    Role server([&] {
        Server near(engine, *board);
        if (!wait_until(20,
                        [&] { return board->accepted == static_cast<int>(connections) || board->failed; }))
            return 1;
        if (board->failed) return 1;
        return serve(near);
    });
    if (server.wait(120) != 0) return Sample::failed("the sending side failed");
    return result(*board);
}

constexpr double kPeriod = 0.02;

// `connections` × 50/s × 1000 B, each object as header and payload.
Sample fan_out(Engine engine, unsigned connections, double seconds) {
    return with_connections(
        engine, connections,
        [&](Server& server) {
            std::string bytes(1000, 'x');
            const std::array<iovec, 2> parts{{{bytes.data(), 64}, {bytes.data() + 64, bytes.size() - 64}}};
            std::vector<io::Write> writes;
            for (const auto& stream : server.streams) writes.push_back({stream.get(), parts, {}});
            std::uint64_t refused = 0;
            const double cpu = own_cpu_seconds();
            const std::int64_t begin = now_ns();
            std::int64_t work = 0;
            const auto rounds = static_cast<unsigned>(std::max(1.0, seconds / kPeriod));
            for (unsigned round = 0; round < rounds; ++round) {
                sleep_until(begin + static_cast<std::int64_t>(round * kPeriod * 1e9));
                server.reactor->run([&] {
                    const std::int64_t start = now_ns();
                    server.reactor->write_all(writes);
                    work += now_ns() - start;
                    for (const io::Write& one : writes) refused += one.result.bytes != bytes.size();
                });
            }
            server.board.wall = static_cast<double>(now_ns() - begin) / 1e9;
            server.board.cpu = own_cpu_seconds() - cpu;
            server.board.work = static_cast<double>(work) / 1e9;
            server.board.writes = std::uint64_t{rounds} * writes.size();
            return refused == 0 ? 0 : 2;
        },
        [](Board& board) {
            const auto writes = static_cast<double>(board.writes.load());
            return Sample{{"cpu", 100 * board.cpu / board.wall},
                          {"us", 1e6 * board.cpu / writes},
                          {"wall", 1e6 * board.work / writes}};
        });
}

// One stream, as much as goes through it.
Sample one_stream(Engine engine, std::size_t size, double seconds) {
    return with_connections(
        engine, 1,
        [&](Server& server) {
            struct Writer final : io::StreamHandler {
                void on_readable() override {}
                void on_writable() override {
                    for (int turn = 0; turn < 16 && !stopped; ++turn) {
                        const iovec part{bytes.data() + at, bytes.size() - at};
                        io::Write one{stream, {&part, 1}, {}};
                        reactor->write_all({&one, 1});
                        if (one.result.status != io::IoResult::Status::Done) return;
                        total += one.result.bytes;
                        at = (at + one.result.bytes) % bytes.size();
                    }
                    if (!stopped) reactor->post([this] { on_writable(); });
                }
                io::Reactor* reactor = nullptr;
                io::Stream* stream = nullptr;
                std::string bytes;
                std::size_t at = 0;
                bool stopped = false;
                std::atomic<std::uint64_t> total{0};
            } writer;
            writer.reactor = server.reactor.get();
            writer.stream = server.streams[0].get();
            writer.bytes.assign(size, 'x');
            const double cpu = own_cpu_seconds();
            const std::int64_t begin = now_ns();
            server.reactor->run([&] {
                writer.stream->set_handler(&writer);
                writer.on_writable();
            });
            sleep_for(seconds);
            server.board.bytes = writer.total.load();
            server.board.wall = static_cast<double>(now_ns() - begin) / 1e9;
            server.board.cpu = own_cpu_seconds() - cpu;
            server.reactor->run([&] {
                writer.stopped = true;
                writer.stream->set_handler(nullptr);
                writer.stream->abort_on_close();
            });
            server.reactor->run([] {});  // what it posted is through
            return 0;
        },
        [](Board& board) {
            const double gb = static_cast<double>(board.bytes.load()) / 1e9;
            return Sample{{"rate", gb / board.wall}, {"cpu", board.cpu / gb}};
        });
}

// From notify() on one thread to on_notified() on the reactor's, 500 times a second.
Sample wake(Engine engine, Duration busy_poll, double seconds) {
    Shared<Board> board;
    Role role([&] {
        const auto reactor = std::move(io::make_reactor(engine)).value();
        reactor->set_busy_poll(busy_poll);
        struct Bell final : io::Notifiable {
            void on_notified() override { rung = now_ns(); }
            std::atomic<std::int64_t> rung{0};
        } bell;
        std::vector<double> latencies, costs;
        const std::int64_t begin = now_ns();
        for (int i = 0; i < static_cast<int>(seconds * 500); ++i) {
            sleep_until(begin + i * 2'000'000LL);
            bell.rung = 0;
            const std::int64_t start = now_ns();
            reactor->notify(bell);
            costs.push_back(static_cast<double>(now_ns() - start) / 1e3);
            if (!wait_until(5, [&] { return bell.rung != 0; })) return 1;
            latencies.push_back(static_cast<double>(bell.rung - start) / 1e3);
        }
        std::sort(latencies.begin(), latencies.end());
        std::sort(costs.begin(), costs.end());
        board->first = latencies[latencies.size() / 2];
        board->second = latencies[latencies.size() * 99 / 100];
        board->work = costs[costs.size() / 2];
        reactor->run([&] { reactor->forget(bell); });
        return 0;
    });
    if (role.wait(60) != 0) return Sample::failed("no wake-up came");
    return Sample{{"p50", board->first}, {"p99", board->second}, {"cost", board->work}};
}

// The same by who stands in: try_enter(), nothing, leave().
Sample stand_in(Engine engine, double seconds) {
    Shared<Board> board;
    Role role([&] {
        const auto reactor = std::move(io::make_reactor(engine)).value();
        if (!wait_until(5, [&] { return reactor->try_enter(); })) return 1;
        reactor->leave();
        std::vector<double> costs;
        const std::int64_t end = now_ns() + static_cast<std::int64_t>(seconds * 1e9);
        while (now_ns() < end) {
            const std::int64_t start = now_ns();
            int entered = 0;
            for (int i = 0; i < 100; ++i) {
                if (!reactor->try_enter()) continue;
                ++entered;
                reactor->leave();
            }
            costs.push_back(static_cast<double>(now_ns() - start) / 1e3 / std::max(entered, 1));
        }
        std::sort(costs.begin(), costs.end());
        board->first = costs[costs.size() / 2];
        board->second = costs[costs.size() * 99 / 100];
        return 0;
    });
    if (role.wait(60) != 0) return Sample::failed("it never slept");
    return Sample{{"p50", board->first}, {"p99", board->second}, {"cost", board->first}};
}

// `connections` at once, by several processes; each is accepted and adopted.
Sample arrivals(Engine engine, unsigned connections) {
    constexpr unsigned kCallers = 4;
    Shared<Board> board;
    const auto call = [&] {
        wait_until(10, [&] { return board->port != 0; });
        for (unsigned i = 0; i < connections / kCallers; ++i) {
            if (connect_to(board->port) < 0) board->failed = 1;
        }
        ++board->done;
        wait_until(60, [] { return false; });
        return 0;
    };
    Role server([&] {
        const double cpu = own_cpu_seconds();
        Server near(engine, *board);
        const std::int64_t begin = now_ns();
        const int all = static_cast<int>(connections / kCallers * kCallers);
        if (!wait_until(30, [&] { return board->accepted == all || board->failed; })) return 1;
        board->wall = static_cast<double>(now_ns() - begin) / 1e6;
        board->cpu = 1e6 * (own_cpu_seconds() - cpu) / all;
        return 0;
    });
    std::array<std::unique_ptr<Role>, kCallers> callers;
    for (auto& caller : callers) caller = std::make_unique<Role>(call);
    if (server.wait(60) != 0 || board->failed) return Sample::failed("not all were accepted");
    return Sample{{"ms", board->wall}, {"us", board->cpu}};
}

void raise_limit() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace
}  // namespace hawser::perf

int main(int argc, char** argv) {
    using namespace hawser::perf;
    raise_limit();
    Bench bench("io", "I/O engines", argc, argv);
    struct Kind {
        const char* name;
        Engine engine;
    };
    std::vector<Kind> kinds{{"epoll", Engine::Epoll}};
    if (const auto able = hawser::io::UringReactor::probe()) {
        kinds.push_back({"io_uring", Engine::IoUring});
    } else {
        std::printf("Without io_uring: %s.\n\n", able.error().message.c_str());
    }

    for (const unsigned full : {1000U, 8U, 3U, 2U}) {
        const unsigned connections = full > 100 ? bench.count(full) : full;
        Table& table =
            bench.table("write_all() to " + std::to_string(connections) + " connections, 50/s × 1000 B",
                        {{"cpu", "% of a core"}, {"us", "CPU µs a write"}, {"wall", "µs a write"}},
                        "All threads of the sending process; every receiver reads at once.");
        table.ratio("times", "× epoll", "us", "epoll");
        std::vector<Row> rows;
        for (const Kind& kind : kinds)
            rows.push_back(
                {kind.name, [&, kind] { return fan_out(kind.engine, connections, bench.seconds(3)); }});
        bench.run(table, rows);
    }

    Table& one = bench.table("One stream, writes of 100 kB", {{"rate", "GB/s"}, {"cpu", "CPU-s/GB"}});
    Table& waking = bench.table(
        "From notify() to on_notified(), µs", {{"p50", "p50"}, {"p99", "p99"}, {"cost", "notify() itself"}},
        "500 a second, so that the reactor sleeps each time; standing in: try_enter() and leave().");
    Table& arriving = bench.table("Arriving at once: " + std::to_string(bench.count(10000)) + " connections",
                                  {{"ms", "ms until all are accepted"}, {"us", "CPU µs each"}},
                                  "Made by four processes on the same machine, as fast as they can.");
    std::vector<Row> streams, wakes, arrivals_of;
    for (const Kind& kind : kinds) {
        streams.push_back(
            {kind.name, [&, kind] { return one_stream(kind.engine, 100'000, bench.seconds(2)); }});
        arrivals_of.push_back({kind.name, [&, kind] { return arrivals(kind.engine, bench.count(10000)); }});
    }
    using namespace std::chrono_literals;
    wakes.push_back({"asleep", [&] { return wake(Engine::Epoll, 0us, bench.seconds(2)); }});
    wakes.push_back({"busy-poll=3000", [&] { return wake(Engine::Epoll, 3000us, bench.seconds(2)); }});
    wakes.push_back({"standing in", [&] { return stand_in(Engine::Epoll, bench.seconds(0.5)); }});
    bench.run(one, streams);
    bench.run(waking, wakes);
    bench.run(arriving, arrivals_of);
    return bench.finish();
}
