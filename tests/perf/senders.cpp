// The senders that broadcast.h names.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gst/gst.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <deque>
#include <map>
#include <memory>

#include "tests/perf/broadcast.h"
#include "tests/perf/raw_ends.h"
#include "tests/support/pipeline.h"

namespace hawser::perf {
namespace {

// "…HOST…PORT…"
std::string filled_in(std::string text, int port) {
    const auto replace = [&](const std::string& what, const std::string& with) {
        for (auto at = text.find(what); at != std::string::npos; at = text.find(what))
            text.replace(at, what.size(), with);
    };
    replace("HOST", "127.0.0.1");
    replace("PORT", std::to_string(port));
    return text;
}

GstBuffer* make_object(const Broadcast& broadcast, std::uint64_t index, std::int64_t now) {
    GstBuffer* buffer = gst_buffer_new_allocate(nullptr, broadcast.size, nullptr);
    GstMapInfo map;
    if (gst_buffer_map(buffer, &map, GST_MAP_WRITE)) {
        test::write_load_object(std::as_writable_bytes(std::span(map.data, map.size)), {now, index});
        gst_buffer_unmap(buffer, &map);
    }
    GST_BUFFER_PTS(buffer) = static_cast<GstClockTime>(static_cast<double>(index) * 1e9 / broadcast.rate);
    return buffer;
}

gboolean on_query(GstPad* pad, GstObject* parent, GstQuery* query) {
    if (GST_QUERY_TYPE(query) == GST_QUERY_LATENCY) {  // a camera's, say
        gst_query_set_latency(query, TRUE, 0, GST_CLOCK_TIME_NONE);
        return TRUE;
    }
    return gst_pad_query_default(pad, parent, query);
}

int run_gst(const std::string& description, const Broadcast& broadcast, BroadcastFlow& flow) {
    test::init_gst();
    GError* error = nullptr;
    GstElement* pipeline = gst_pipeline_new(nullptr);
    GstElement* sink =
        gst_parse_launch_full(description.c_str(), nullptr, GST_PARSE_FLAG_PLACE_IN_BIN, &error);
    if (error != nullptr) {
        std::fprintf(stderr, "%s: %s\n", description.c_str(), error->message);
        flow.failed = true;
        return 1;
    }
    gst_bin_add(GST_BIN(pipeline), sink);
    GstElement* element = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    GstPad* peer = gst_element_get_static_pad(element, "sink");
    if (peer == nullptr) peer = gst_element_request_pad_simple(element, "sink_%u");
    GstPad* pad = gst_pad_new("src", GST_PAD_SRC);
    gst_object_ref_sink(pad);
    gst_pad_set_query_function(pad, on_query);
    gst_pad_set_active(pad, TRUE);
    gst_pad_link_full(pad, peer, GST_PAD_LINK_CHECK_NOTHING);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    gst_pad_push_event(pad, gst_event_new_stream_start("perf"));
    GstCaps* caps = gst_caps_new_empty_simple("application/x-test");
    gst_pad_push_event(pad, gst_event_new_caps(caps));
    gst_caps_unref(caps);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(pad, gst_event_new_segment(&segment));
    flow.ready = true;
    const std::int64_t begun = now_ns(), period = static_cast<std::int64_t>(1e9 / broadcast.rate);
    for (std::uint64_t index = 0; !flow.stop; ++index) {
        const std::int64_t due = begun + static_cast<std::int64_t>(index) * period;
        sleep_until(due);
        const std::int64_t now = now_ns();
        if (now - due > period / 2) flow.late = flow.late + 1;
        if (gst_pad_push(pad, make_object(broadcast, index, now)) != GST_FLOW_OK) {
            flow.failed = true;
            break;
        }
        flow.sent = index + 1;
    }
    flow.stopped = true;
    wait_until(30, [&] { return flow.finish.load(); });
    gst_pad_set_active(pad, FALSE);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pad);
    gst_object_unref(peer);
    gst_object_unref(element);
    gst_object_unref(pipeline);
    return 0;
}

// One thread, one epoll, a send for each connection and turn: by send(), or by io_uring with 256 a system
// call. What a connection does not take at once waits in a queue that all share.
class RawServer {
  public:
    RawServer(int port, const Broadcast& broadcast, BroadcastFlow& flow, bool uring)
        : broadcast_(broadcast), flow_(flow), uring_(uring) {
        if (uring_ && io_uring_queue_init(kSubmit, &ring_, 0) != 0) {
            uring_ = false;
            flow_.failed = true;
        }
        listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        const int on = 1;
        setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        do_not_pace(listener_);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
            listen(listener_, SOMAXCONN) != 0)
            flow_.failed = true;
        epoll_ = epoll_create1(EPOLL_CLOEXEC);
        timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        const auto period = static_cast<long>(1e9 / broadcast.rate);
        itimerspec every{};
        every.it_interval.tv_sec = every.it_value.tv_sec = period / 1'000'000'000;
        every.it_interval.tv_nsec = every.it_value.tv_nsec = period % 1'000'000'000;
        timerfd_settime(timer_, 0, &every, nullptr);
        watch(listener_, EPOLLIN, EPOLL_CTL_ADD);
        watch(timer_, EPOLLIN, EPOLL_CTL_ADD);
    }
    RawServer(const RawServer&) = delete;
    RawServer& operator=(const RawServer&) = delete;
    ~RawServer() {
        for (const auto& [fd, client] : clients_) close(fd);
        close(listener_);
        close(timer_);
        close(epoll_);
        if (uring_) io_uring_queue_exit(&ring_);
    }

    int run() {
        flow_.ready = !flow_.failed;
        std::array<epoll_event, 512> events;
        while (!flow_.finish && !flow_.failed) {
            const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 20);
            for (int i = 0; i < count; ++i) {
                const int fd = events[i].data.fd;
                if (fd == timer_) {
                    tick();
                } else if (fd == listener_) {
                    accept_all();
                } else if (events[i].events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) {
                    close(fd);
                    clients_.erase(fd);
                } else {
                    if (events[i].events & EPOLLIN) drop_answer(fd);
                    if (events[i].events & EPOLLOUT) send_to(fd, clients_.at(fd));
                }
            }
        }
        return 0;
    }

  private:
    struct Client {
        std::uint64_t at = 0;  // byte of the stream that it gets next
        bool waits = false;
    };

    static constexpr std::uint32_t kAlways = EPOLLIN | EPOLLRDHUP;
    static constexpr unsigned kSubmit = 256;

    static void drop_answer(int fd) {
        std::array<std::byte, 256> answer;
        [[maybe_unused]] const ssize_t got = recv(fd, answer.data(), answer.size(), MSG_DONTWAIT);
    }
    void watch(int fd, std::uint32_t events, int how) const {
        epoll_event event{};
        event.events = events;
        event.data.fd = fd;
        epoll_ctl(epoll_, how, fd, &event);
    }
    void accept_all() {
        for (int fd; (fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
            const int on = 1;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            watch(fd, kAlways, EPOLL_CTL_ADD);
            clients_[fd] = {sent_end_, false};  // from the next object that is sent
        }
    }
    void tick() {
        std::uint64_t times = 0;
        if (read(timer_, &times, sizeof times) != sizeof times) return;
        if (flow_.stop) {
            if (!flow_.stopped) push_out();
            flow_.stopped = true;
            return;
        }
        const std::int64_t now = now_ns();
        for (; times > 0; --times) {
            const std::size_t at = stream_.size();
            stream_.resize(at + broadcast_.size);
            test::write_load_object(std::span(stream_).subspan(at), {now, flow_.sent});
            flow_.sent = flow_.sent + 1;
            if (flow_.sent % broadcast_.batch == 0) push_out();
        }
    }
    void push_out() {
        sent_end_ = begin_ + stream_.size();
        if (uring_)
            send_together();
        else
            for (auto& [fd, client] : clients_)
                if (!client.waits) send_to(fd, client);
        std::uint64_t least = sent_end_;
        for (const auto& [fd, client] : clients_) least = std::min(least, client.at);
        // Keeps what somebody still wants, at most 64 MB of it, and forgets the rest now and then.
        if (least - begin_ > 1 << 20 || stream_.size() > 64 << 20) {
            stream_.erase(stream_.begin(), stream_.begin() + static_cast<std::ptrdiff_t>(least - begin_));
            begin_ = least;
        }
    }
    void send_to(int fd, Client& client) {
        const std::size_t left = sent_end_ - client.at;
        took(fd, client, left == 0 ? 0 : send(fd, &stream_[client.at - begin_], left, MSG_NOSIGNAL));
    }
    void send_together() {
        unsigned queued = 0;
        for (auto& one : clients_) {
            Client& client = one.second;
            if (client.waits || client.at == sent_end_ || flow_.failed) continue;
            io_uring_sqe* entry = io_uring_get_sqe(&ring_);
            io_uring_prep_send(entry, one.first, &stream_[client.at - begin_], sent_end_ - client.at,
                               MSG_NOSIGNAL | MSG_DONTWAIT);
            io_uring_sqe_set_data(entry, &one);
            if (++queued == kSubmit) reap(std::exchange(queued, 0));
        }
        reap(queued);
    }
    void reap(unsigned count) {
        if (count == 0) return;
        // Sends that must not wait are through when they have been submitted.
        if (io_uring_submit_and_wait(&ring_, count) != static_cast<int>(count)) {
            flow_.failed = true;
            return;
        }
        unsigned head = 0, seen = 0;
        io_uring_cqe* done = nullptr;
        io_uring_for_each_cqe(&ring_, head, done) {
            auto& [fd, client] = *static_cast<std::pair<const int, Client>*>(io_uring_cqe_get_data(done));
            took(fd, client, done->res);
            ++seen;
        }
        io_uring_cq_advance(&ring_, seen);
    }
    void took(int fd, Client& client, ssize_t sent) const {
        if (sent > 0) client.at += static_cast<std::uint64_t>(sent);
        const bool waits = client.at < sent_end_;
        if (waits != client.waits) watch(fd, kAlways | (waits ? EPOLLOUT : 0U), EPOLL_CTL_MOD);
        client.waits = waits;
    }

    const Broadcast& broadcast_;
    BroadcastFlow& flow_;
    bool uring_;
    io_uring ring_{};
    int listener_, epoll_, timer_;
    std::map<int, Client> clients_;
    std::vector<std::byte> stream_;  // from byte begin_ of the stream on
    std::uint64_t begin_ = 0, sent_end_ = 0;
};

}  // namespace

Sender gst_sender(const std::string& sink) {
    return [=](int port, const Broadcast& broadcast, BroadcastFlow& flow) {
        return run_gst(filled_in(sink, port), broadcast, flow);
    };
}

Sender hawser_sender(const std::string& properties) {
    return gst_sender(
        "hawsersink name=sink uri=hawser://HOST:PORT/perf wait-for-connection=false max-clients=16000 " +
        properties);
}

Sender tcp_sender() {
    return gst_sender("tcpserversink name=sink sync=false host=HOST port=PORT");
}

Sender raw_sender(bool uring) {
    return [uring](int port, const Broadcast& broadcast, BroadcastFlow& flow) {
        return RawServer(port, broadcast, flow, uring).run();
    };
}

}  // namespace hawser::perf
