#include "runtime/session/frame_reader.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>

#include "runtime/base/text.h"

namespace hawser::session {
namespace {

constexpr std::size_t kTurnBudget = 1 << 20;  // bytes a read() may take before others get their turn

template <std::size_t N>
std::span<const std::byte, N> fixed(const std::byte* bytes) {
    return std::span<const std::byte, N>(bytes, N);
}

std::size_t take(std::span<std::byte>& from, std::size_t size) {
    const std::size_t taken = std::min(from.size(), size);
    from = from.subspan(taken);
    return taken;
}

}  // namespace

void FrameReader::make_room() {
    std::size_t wanted = buffer_size_;
    // Twice what has come, so that a peer which only promises a long frame costs no memory.
    if (step_ == Step::Body)
        wanted = std::max(wanted, std::min<std::size_t>(prefix_.length, 2 * buffered() + 1));
    if (begin_ > 0) {
        std::memmove(buffer_.data(), data(), buffered());
        end_ -= begin_;
        begin_ = 0;
    }
    if (buffer_.size() < wanted) {
        buffer_.resize(wanted);
    } else if (buffer_.size() > wanted && end_ <= wanted) {
        buffer_.resize(wanted);
        buffer_.shrink_to_fit();
    }
}

Result<FrameReader::Outcome> FrameReader::read(io::Stream& stream, FrameSink& sink) {
    for (std::size_t turn = 0; turn < kTurnBudget;) {
        auto parsed = parse(sink);
        if (!parsed) return parsed.error();
        if (*parsed) return Outcome::Paused;

        make_room();
        std::array<iovec, 3> parts;
        std::size_t count = 0;
        std::size_t direct = 0;
        for (const auto& span : {landing_.first, landing_.second}) {
            if (span.empty()) continue;
            parts[count++] = {span.data(), span.size()};
            direct += span.size();
        }
        parts[count++] = {buffer_.data() + end_, buffer_.size() - end_};
        const io::IoResult got = stream.read(std::span(parts.data(), count));
        switch (got.status) {
            case io::IoResult::Status::WouldBlock:
                return Outcome::WouldBlock;
            case io::IoResult::Status::Closed:
                return Outcome::Closed;
            case io::IoResult::Status::Failed:
                return Error{Errc::Closed, std::string("the connection broke: ") + std::strerror(got.error)};
            case io::IoResult::Status::Done:
                break;
        }
        turn += got.bytes;
        bytes_ += got.bytes;
        std::size_t landed = std::min(got.bytes, direct);
        end_ += got.bytes - landed;
        landed -= take(landing_.first, landed);
        take(landing_.second, landed);
    }
    return Outcome::Budget;
}

// True: the sink wants no more. False: the buffer holds no whole step.
Result<bool> FrameReader::parse(FrameSink& sink) {
    for (;;) {
        if (step_ == Step::Prefix && !sink.wants_more()) return true;
        auto progressed = parse_one(sink);
        if (!progressed) return progressed.error();
        if (!*progressed) return false;
    }
}

Result<bool> FrameReader::parse_one(FrameSink& sink) {
    switch (step_) {
        case Step::Preamble: {
            const std::string_view seen(reinterpret_cast<const char*>(data()),
                                        std::min(buffered(), wire::kPreamble.size()));
            if (seen != wire::kPreamble.substr(0, seen.size()))
                return Error{Errc::Protocol,
                             "the peer does not speak Hawser: expected \"" + std::string(wire::kPreamble) +
                                 "\", got \"" +
                                 printable({reinterpret_cast<const char*>(data()), buffered()}) + "\""};
            if (seen.size() < wire::kPreamble.size()) return false;
            begin_ += wire::kPreamble.size();
            step_ = Step::Prefix;
            return true;
        }
        case Step::Prefix: {
            if (buffered() < wire::kPrefixSize) return false;
            prefix_ = wire::decode_prefix(fixed<wire::kPrefixSize>(data()));
            begin_ += wire::kPrefixSize;
            if (auto begun = begin_frame(); !begun) return begun.error();
            return true;
        }
        case Step::Body: {
            if (buffered() < prefix_.length) return false;
            step_ = Step::Prefix;
            const std::span body(data(), prefix_.length);
            begin_ += prefix_.length;
            if (auto taken = sink.on_frame(prefix_, body); !taken) return taken.error();
            return true;
        }
        case Step::Header: {
            const bool object = prefix_.type == wire::FrameType::Object;
            const std::size_t size = object ? wire::kObjectHeaderSize : wire::kFragmentHeaderSize;
            if (buffered() < size) return false;
            const std::byte* header = data();
            begin_ += size;
            const std::size_t chunk = prefix_.length - size;
            auto begun = begin_chunk(
                object
                    ? sink.on_object(
                          prefix_, wire::decode_object_header(fixed<wire::kObjectHeaderSize>(header)), chunk)
                    : sink.on_fragment(prefix_,
                                       wire::decode_fragment_offset(fixed<wire::kFragmentHeaderSize>(header)),
                                       chunk),
                chunk);
            if (!begun) return begun.error();
            return true;
        }
        case Step::Chunk: {
            for (auto* span : {&landing_.first, &landing_.second}) {
                const std::size_t size = std::min(span->size(), buffered());
                if (size == 0) continue;
                std::memcpy(span->data(), data(), size);
                begin_ += take(*span, size);
            }
            if (!landing_.first.empty() || !landing_.second.empty()) return false;
            step_ = Step::Prefix;
            if (auto done = sink.on_chunk(prefix_); !done) return done.error();
            return true;
        }
        case Step::Skip: {
            const std::size_t size = std::min<std::uint64_t>(skip_, buffered());
            begin_ += size;
            skip_ -= size;
            if (skip_ > 0) return false;
            step_ = Step::Prefix;
            return true;
        }
    }
    return false;
}

Result<void> FrameReader::begin_frame() {
    if (handshake_done_ && !wire::is_known(prefix_.type)) {
        if (prefix_.flags & wire::kCritical)
            return Error{Errc::Protocol, "the peer sent a critical frame of unknown type " +
                                             std::to_string(static_cast<int>(prefix_.type)) +
                                             "; it speaks a newer protocol than this one"};
        step_ = Step::Skip;
        skip_ = prefix_.length;
        return {};
    }
    if (const char* wrong = wire::check_frame(prefix_, handshake_done_))
        return Error{Errc::Protocol, std::string("the peer broke the protocol: ") + wrong};
    const bool data = prefix_.type == wire::FrameType::Object || prefix_.type == wire::FrameType::Fragment;
    step_ = data ? Step::Header : Step::Body;
    return {};
}

Result<void> FrameReader::begin_chunk(Result<std::optional<Landing>> landing, std::size_t size) {
    if (!landing) return landing.error();
    if (!landing->has_value()) {
        step_ = Step::Skip;
        skip_ = size;
        return {};
    }
    step_ = Step::Chunk;
    landing_ = **landing;
    return {};
}

}  // namespace hawser::session
