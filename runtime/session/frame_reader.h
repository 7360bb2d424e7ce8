// Cuts a byte stream into frames. Small frames are read many at once; the bulk of a large object goes from
// the socket straight into its final memory. Bounds every length before anything is allocated.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "proto/wire/header.h"
#include "runtime/base/result.h"
#include "runtime/io/reactor.h"

namespace hawser::session {

// Where the body bytes of one OBJECT or FRAGMENT frame go: together exactly as many as asked for.
struct Landing {
    std::span<std::byte> first;
    std::span<std::byte> second;
};

// What a FrameReader finds. An error ends the connection.
class FrameSink {
  public:
    // A whole frame of any known type but OBJECT and FRAGMENT.
    virtual Result<void> on_frame(const wire::FramePrefix& prefix, std::span<const std::byte> body) = 0;
    // An object begins; `chunk` bytes of its body follow in this frame. Nothing returned: they are skipped.
    virtual Result<std::optional<Landing>> on_object(const wire::FramePrefix& prefix,
                                                     const wire::ObjectHeader& header, std::size_t chunk) = 0;
    virtual Result<std::optional<Landing>> on_fragment(const wire::FramePrefix& prefix, std::uint64_t offset,
                                                       std::size_t chunk) = 0;
    // The bytes asked for last are in place.
    virtual Result<void> on_chunk(const wire::FramePrefix& prefix) = 0;
    // False: stop reading at this frame's end.
    virtual bool wants_more() const = 0;
    // What was read last has been parsed: what has come of it may be passed on.
    virtual void on_parsed() {}

  protected:
    ~FrameSink() = default;
};

// Nothing is kept for a connection that rests at a frame's end: bytes are read into memory that the thread's
// readers share, and parsed there. Only the beginning of what has not come whole is kept, for so long.
class FrameReader {
  public:
    enum class Outcome {
        WouldBlock,  // all there was has been read
        Paused,      // the sink wants no more for now; call read() again when it does
        Budget,      // enough for one turn; call read() again soon
        Closed,      // the peer closed
    };

    // `buffer`: bytes read at most in one call besides an object's, at most kMostBuffer. Where much comes in
    // small frames a large one saves system calls; it is the thread's, not the reader's.
    explicit FrameReader(std::size_t buffer) { set_buffer(buffer); }

    // Any thread, but one at a time for a reader. `budget`: bytes after which it is enough.
    Result<Outcome> read(io::Stream& stream, FrameSink& sink, std::size_t budget = kTurn);
    // Frames are judged as before the handshake (4 KiB, four types) until this is called.
    void set_handshake_done() { handshake_done_ = true; }
    // Takes effect with the next read.
    void set_buffer(std::size_t size) { buffer_ = static_cast<std::uint32_t>(std::min(size, kMostBuffer)); }
    // Bytes read since the beginning.
    std::uint64_t bytes() const { return bytes_; }
    // Bytes of memory that it holds besides itself.
    std::size_t held() const { return kept_capacity_; }

    static constexpr std::size_t kMostBuffer = 128 * 1024;
    // Bytes that one may read before others get their turn.
    static constexpr std::size_t kTurn = 1 << 20;

  private:
    enum class Step : std::uint8_t { Preamble, Prefix, Body, Header, Chunk, Skip };

    // What has been read and not been parsed.
    using Input = std::span<const std::byte>;
    // As Landing, in fewer bytes: what is still to be filled.
    struct Remaining {
        std::byte* first;
        std::byte* second;
        std::uint32_t first_size;
        std::uint32_t second_size;
    };

    Result<Outcome> read_turn(io::Stream& stream, FrameSink& sink, std::byte* scratch, Input& input,
                              std::size_t budget);
    Result<bool> parse(FrameSink& sink, Input& input);      // true: the sink wants no more
    Result<bool> parse_one(FrameSink& sink, Input& input);  // false: needs more bytes
    Result<bool> parse_body(FrameSink& sink, Input& input);
    Result<void> begin_frame();
    Result<void> begin_chunk(Result<std::optional<Landing>> landing, std::size_t size);
    void landed(std::size_t bytes);
    void keep(Input input);
    void make_room(std::size_t size);

    // Body: the part of the frame that has come; else: what has been read and not been parsed.
    std::unique_ptr<std::byte[]> kept_;
    std::uint32_t kept_begin_ = 0, kept_end_ = 0, kept_capacity_ = 0;
    std::uint32_t buffer_ = 0;
    std::uint32_t window_ = kFirstWindow;  // bytes to read besides a landing, adapted to what comes
    Step step_ = Step::Preamble;
    bool handshake_done_ = false;
    wire::FramePrefix prefix_;
    union {
        Remaining landing_{};  // Chunk
        std::uint32_t skip_;   // Skip: bytes still to be thrown away
    };
    std::uint64_t bytes_ = 0;

    static constexpr std::uint32_t kFirstWindow = 4096;
};
// A publisher has one for each of its ten thousand subscribers.
static_assert(sizeof(FrameReader) <= 80);

}  // namespace hawser::session
