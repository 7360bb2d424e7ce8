// How messages between `hawser` and its workers lie in the stream: each a Varint32 length, then that many
// bytes of Protobuf. Pure byte work: no descriptor is touched here (channel.h does that).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "runtime/base/result.h"

namespace google::protobuf {
class MessageLite;
}

namespace hawser::control {

// Longest message either side sends or accepts, length prefix not counted. A Setup with the longest sensible
// launch text stays far below it; whatever is longer is a bug or not ours.
inline constexpr std::size_t kMaxMessage = 1u << 20;

// Appends `message` with its length to `out`. Error Invalid (and nothing appended) where it is longer than
// kMaxMessage.
Result<void> append_frame(const google::protobuf::MessageLite& message, std::string& out);

// Cuts a byte stream into messages. One thread.
class Deframer {
  public:
    void append(std::string_view bytes);

    // The next whole message's bytes in `message`, valid until the next call of append() or next(): true.
    // False: more bytes are needed. Error Protocol: the stream is broken (length overlong or above
    // kMaxMessage); it stays broken.
    Result<bool> next(std::string_view& message);

    // Bytes of a message that has begun and is not whole yet.
    std::size_t pending() const { return buffer_.size() - consumed_; }

  private:
    std::string buffer_;
    std::size_t consumed_ = 0;
    bool broken_ = false;
};

}  // namespace hawser::control
