// Cuts a byte stream into frames. Small frames are parsed out of a buffer; the bulk of an object goes from
// the socket straight into its final memory. Bounds every length before anything is allocated.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

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

  protected:
    ~FrameSink() = default;
};

class FrameReader {
  public:
    enum class Outcome {
        WouldBlock,  // all there was has been read
        Paused,      // the sink wants no more for now; call read() again when it does
        Budget,      // enough for one turn; call read() again soon
        Closed,      // the peer closed
    };

    // `buffer`: bytes read at once for small frames; grows for a longer control frame and shrinks back.
    explicit FrameReader(std::size_t buffer) : buffer_size_(buffer) {}

    Result<Outcome> read(io::Stream& stream, FrameSink& sink);
    // Frames are judged as before the handshake (4 KiB, four types) until this is called.
    void set_handshake_done() { handshake_done_ = true; }
    // Takes effect with the next read.
    void set_buffer(std::size_t size) { buffer_size_ = size; }
    // Bytes read since the beginning.
    std::uint64_t bytes() const { return bytes_; }

  private:
    enum class Step { Preamble, Prefix, Body, Header, Chunk, Skip };

    std::size_t buffered() const { return end_ - begin_; }
    const std::byte* data() const { return buffer_.data() + begin_; }
    Result<bool> parse(FrameSink& sink);  // false: needs more bytes
    Result<bool> parse_one(FrameSink& sink);
    Result<void> begin_frame();
    Result<void> begin_chunk(Result<std::optional<Landing>> landing, std::size_t size);
    void make_room();

    std::size_t buffer_size_;
    std::vector<std::byte> buffer_;
    std::size_t begin_ = 0, end_ = 0;
    std::uint64_t bytes_ = 0;
    bool handshake_done_ = false;

    Step step_ = Step::Preamble;
    wire::FramePrefix prefix_;
    Landing landing_;         // Chunk: what is still to be filled
    std::uint64_t skip_ = 0;  // Skip: bytes still to be thrown away
};

}  // namespace hawser::session
