// One end of the socketpair between `hawser` and a worker: whole Protobuf messages in and out, never
// blocking. One thread. Owns its descriptor.
#pragma once

#include <google/protobuf/message_lite.h>

#include <functional>
#include <string>
#include <string_view>

#include "runtime/base/clock.h"
#include "runtime/base/fd.h"
#include "runtime/base/result.h"
#include "runtime/control/framing.h"

namespace hawser::control {

class Channel {
  public:
    // Takes a connected stream socket and makes it non-blocking and close-on-exec.
    explicit Channel(Fd socket);

    int fd() const { return socket_.get(); }

    // Queues the message and writes what the socket takes now. Errors: Invalid (too long), Busy (the peer
    // does not read: more than kMaxMessage waits already, the message is dropped), Closed.
    Result<void> send(const google::protobuf::MessageLite& message);

    // True while bytes wait for the socket: call flush() when it becomes writable.
    bool wants_write() const { return !out_.empty(); }
    Result<void> flush();
    // flush() until all is written, at most `limit`: for a process's last words.
    void flush_within(Duration limit);

    // Reads all there is and calls `on_message` for each whole message. True: the peer is still there; false:
    // it closed. Error Protocol: the stream is broken or a message is not a `Message`.
    template <typename Message>
    Result<bool> receive(const std::function<void(const Message&)>& on_message) {
        return receive_bytes([&](std::string_view bytes) {
            Message message;
            if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return false;
            on_message(message);
            return true;
        });
    }

  private:
    Result<bool> receive_bytes(const std::function<bool(std::string_view)>& on_message);

    Fd socket_;
    std::string out_;
    Deframer in_;
};

}  // namespace hawser::control
