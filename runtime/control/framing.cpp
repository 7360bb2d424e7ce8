#include "runtime/control/framing.h"

#include <google/protobuf/message_lite.h>

#include <cstdint>

namespace hawser::control {
namespace {

constexpr std::size_t kMaxPrefix = 5;  // a Varint32

}  // namespace

Result<void> append_frame(const google::protobuf::MessageLite& message, std::string& out) {
    const std::size_t size = message.ByteSizeLong();
    if (size > kMaxMessage)
        return Error{Errc::Invalid, "a control message of " + std::to_string(size) +
                                        " bytes is longer than the " + std::to_string(kMaxMessage) +
                                        " that the other side accepts"};
    for (std::size_t rest = size;; rest >>= 7) {
        if (rest < 0x80) {
            out.push_back(static_cast<char>(rest));
            break;
        }
        out.push_back(static_cast<char>((rest & 0x7f) | 0x80));
    }
    message.AppendToString(&out);
    return {};
}

void Deframer::append(std::string_view bytes) {
    if (broken_) return;
    buffer_.erase(0, consumed_);
    consumed_ = 0;
    buffer_.append(bytes);
}

Result<bool> Deframer::next(std::string_view& message) {
    const auto fail = [this](std::string text) {
        broken_ = true;
        buffer_.clear();
        consumed_ = 0;
        return Error{Errc::Protocol, std::move(text)};
    };
    if (broken_) return Error{Errc::Protocol, "the control stream is broken"};

    const std::string_view rest = std::string_view(buffer_).substr(consumed_);
    std::uint64_t size = 0;
    std::size_t prefix = 0;
    for (;; ++prefix) {
        if (prefix == kMaxPrefix) return fail("a control message's length is not a Varint32");
        if (prefix == rest.size()) return false;
        const auto byte = static_cast<unsigned char>(rest[prefix]);
        size |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * prefix);
        if (byte < 0x80) break;
    }
    ++prefix;
    if (size > kMaxMessage)
        return fail("a control message announces " + std::to_string(size) + " bytes, more than the " +
                    std::to_string(kMaxMessage) + " allowed");
    if (rest.size() - prefix < size) return false;
    message = rest.substr(prefix, size);
    consumed_ += prefix + size;
    return true;
}

}  // namespace hawser::control
