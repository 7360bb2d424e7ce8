// A peer made of bytes: speaks what the test tells it to, well-formed or not, and keeps what it hears.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/io/loopback_reactor.h"
#include "runtime/session/connection.h"

namespace hawser::session {

inline std::string frame_bytes(wire::FrameType type, const std::string& body, std::uint16_t track = 0,
                               std::uint64_t sequence = 0, std::uint8_t flags = 0) {
    std::string bytes(wire::kPrefixSize, '\0');
    wire::encode({static_cast<std::uint32_t>(body.size()), type, flags, track, sequence},
                 std::span<std::byte, wire::kPrefixSize>(reinterpret_cast<std::byte*>(bytes.data()),
                                                         wire::kPrefixSize));
    return bytes + body;
}

// An OBJECT frame with whatever lengths the header claims.
inline std::string object_frame(const wire::ObjectHeader& header, const std::string& body,
                                std::uint16_t track, std::uint64_t sequence, std::uint8_t flags = 0) {
    std::string bytes(wire::kObjectHeaderSize, '\0');
    wire::encode(header, std::span<std::byte, wire::kObjectHeaderSize>(
                             reinterpret_cast<std::byte*>(bytes.data()), wire::kObjectHeaderSize));
    return frame_bytes(wire::FrameType::Object, bytes + body, track, sequence, flags);
}

inline std::string object_frame(const std::string& payload, std::uint16_t track, std::uint64_t sequence) {
    wire::ObjectHeader header;
    header.payload_length = static_cast<std::uint32_t>(payload.size());
    return object_frame(header, payload, track, sequence);
}

inline std::string fragment_frame(std::uint64_t offset, const std::string& chunk, std::uint16_t track,
                                  std::uint64_t sequence, std::uint8_t flags = 0) {
    std::string bytes(wire::kFragmentHeaderSize, '\0');
    wire::encode_fragment_offset(
        offset, std::span<std::byte, wire::kFragmentHeaderSize>(reinterpret_cast<std::byte*>(bytes.data()),
                                                                wire::kFragmentHeaderSize));
    return frame_bytes(wire::FrameType::Fragment, bytes + chunk, track, sequence, flags);
}

inline std::string message_frame(wire::FrameType type, const google::protobuf::MessageLite& body,
                                 std::uint16_t track = 0, std::uint64_t sequence = 0,
                                 std::uint8_t flags = 0) {
    std::string bytes;
    append_frame(bytes, type, body, track, sequence, flags);
    return bytes;
}

class RawPeer final : private io::StreamHandler {
  public:
    struct Frame {
        wire::FramePrefix prefix;
        std::string body;
    };

    explicit RawPeer(io::LoopbackReactor& net) : net_(net) {}

    void call(const std::string& host, std::uint16_t port) {
        connecting_ = net_.connect({host, port}, {}, [this](Result<std::unique_ptr<io::Stream>> stream) {
            ASSERT_TRUE(stream.ok()) << stream.error().message;
            adopt(std::move(*stream));
        });
        net_.run_until_idle();
    }
    // Takes whoever calls; a later caller replaces the one before.
    void listen(const std::string& host, std::uint16_t port) {
        auto socket = net_.listen({host, port},
                                  [this](std::unique_ptr<io::Stream> stream) { adopt(std::move(stream)); });
        ASSERT_TRUE(socket.ok()) << socket.error().message;
        socket_ = std::move(*socket);
    }

    // Sends all of it, however small the pipe is, as long as the other end reads.
    void say(const std::string& bytes) {
        std::size_t done = 0;
        for (int idle = 0; stream_ && done < bytes.size() && idle < 3;) {
            const iovec part{const_cast<char*>(bytes.data()) + done, bytes.size() - done};
            const io::IoResult sent = stream_->write(std::span(&part, 1));
            if (sent.status == io::IoResult::Status::Done) {
                done += sent.bytes;
                idle = 0;
            } else {
                ++idle;
            }
            net_.run_until_idle();
        }
        net_.run_until_idle();
    }
    void hang_up() { stream_.reset(); }

    bool connected() const { return stream_ != nullptr; }
    bool closed() const { return closed_; }  // by the other end
    int calls() const { return calls_; }
    void stop_listening_to_it() { deaf_ = true; }
    const std::string& heard() const { return heard_; }

    // The frames heard so far, without the preamble.
    std::vector<Frame> frames() const {
        std::vector<Frame> all;
        std::size_t at = wire::kPreamble.size();
        while (at + wire::kPrefixSize <= heard_.size()) {
            Frame frame;
            frame.prefix = wire::decode_prefix(std::span<const std::byte, wire::kPrefixSize>(
                reinterpret_cast<const std::byte*>(heard_.data() + at), wire::kPrefixSize));
            frame.body = heard_.substr(at + wire::kPrefixSize, frame.prefix.length);
            at += wire::kPrefixSize + frame.prefix.length;
            all.push_back(std::move(frame));
        }
        return all;
    }
    std::vector<std::string> names() const {
        std::vector<std::string> all;
        for (const Frame& frame : frames()) all.emplace_back(wire::to_string(frame.prefix.type));
        return all;
    }
    // The last message of its type.
    template <typename Message>
    Message last(wire::FrameType type) const {
        Message message;
        bool found = false;
        for (const Frame& frame : frames())
            if (frame.prefix.type == type) found = message.ParseFromString(frame.body);
        EXPECT_TRUE(found) << "no " << wire::to_string(type) << " was heard";
        return message;
    }

  private:
    void adopt(std::unique_ptr<io::Stream> stream) {
        stream_ = std::move(stream);
        heard_.clear();
        closed_ = false;
        ++calls_;
        stream_->set_handler(this);
    }
    void on_readable() override {
        if (deaf_) return;
        char scratch[4096];
        const iovec part{scratch, sizeof scratch};
        for (;;) {
            const io::IoResult got = stream_->read(std::span(&part, 1));
            if (got.status == io::IoResult::Status::Done) {
                heard_.append(scratch, got.bytes);
                continue;
            }
            closed_ = closed_ || got.status != io::IoResult::Status::WouldBlock;
            return;
        }
    }
    void on_writable() override {}

    io::LoopbackReactor& net_;
    std::unique_ptr<io::Connecting> connecting_;
    std::unique_ptr<io::ListenSocket> socket_;
    std::unique_ptr<io::Stream> stream_;
    std::string heard_;
    bool closed_ = false;
    bool deaf_ = false;
    int calls_ = 0;
};

}  // namespace hawser::session
