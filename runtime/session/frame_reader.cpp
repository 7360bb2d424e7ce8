#include "runtime/session/frame_reader.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/base/text.h"

namespace hawser::session {
namespace {

// A frame's part of an object from this size on is read straight into its place, for which as little as
// possible of it may have been read before: no more than finds the next frame's header. Below it, copying is
// cheaper than a system call for each.
constexpr std::uint32_t kLarge = 16 * 1024;
constexpr std::uint32_t kReadAhead = 256;
// A reader with at least this buffer is one of few, and may keep its memory.
constexpr std::uint32_t kRichBuffer = 32 * 1024;
constexpr std::uint32_t kMostRichKept = 4096;

template <std::size_t N>
std::span<const std::byte, N> fixed(std::span<const std::byte> bytes) {
    return bytes.first<N>();
}

// The memory into which this thread's readers read. One at a time has it: one that reads inside of another's
// callback gets memory of its own.
class Scratch {
  public:
    Scratch() : mine_(!std::exchange(taken_, true)) {
        if (!mine_ || !shared_) {
            auto made = std::make_unique_for_overwrite<std::byte[]>(FrameReader::kMostBuffer + kReadAhead);
            (mine_ ? shared_ : own_) = std::move(made);
        }
    }
    ~Scratch() {
        if (mine_) taken_ = false;
    }
    Scratch(const Scratch&) = delete;
    std::byte* data() { return mine_ ? shared_.get() : own_.get(); }

  private:
    static thread_local std::unique_ptr<std::byte[]> shared_;
    static thread_local bool taken_;
    const bool mine_;
    std::unique_ptr<std::byte[]> own_;
};
thread_local std::unique_ptr<std::byte[]> Scratch::shared_;
thread_local bool Scratch::taken_ = false;

}  // namespace

Result<FrameReader::Outcome> FrameReader::read(io::Stream& stream, FrameSink& sink, std::size_t budget) {
    Scratch scratch;
    // Out of the way, since a frame's body may have to be put together.
    std::unique_ptr<std::byte[]> before;
    std::uint32_t capacity = 0;
    Input input;
    if (step_ != Step::Body && kept_) {
        before = std::move(kept_);
        capacity = std::exchange(kept_capacity_, 0);
        input = {before.get() + kept_begin_, kept_end_ - kept_begin_};
        kept_begin_ = kept_end_ = 0;
    }
    auto outcome = read_turn(stream, sink, scratch.data(), input, budget);
    if (step_ == Step::Body) return outcome;
    if (before && input.data() >= before.get() && input.data() < before.get() + capacity && !input.empty()) {
        kept_begin_ = static_cast<std::uint32_t>(input.data() - before.get());
        kept_end_ = static_cast<std::uint32_t>(kept_begin_ + input.size());
        kept_ = std::move(before);
        kept_capacity_ = capacity;
        return outcome;
    }
    if (!kept_ && before) {
        kept_ = std::move(before);
        kept_capacity_ = capacity;
    }
    keep(input);
    return outcome;
}

Result<FrameReader::Outcome> FrameReader::read_turn(io::Stream& stream, FrameSink& sink, std::byte* scratch,
                                                    Input& input, std::size_t budget) {
    for (std::size_t turn = 0;;) {
        auto paused = parse(sink, input);
        sink.on_parsed();
        if (!paused) return paused.error();
        if (*paused) return Outcome::Paused;
        if (turn >= budget) return Outcome::Budget;

        // What is left is less than a header: the body's and the object's bytes are in their places.
        const std::size_t left = input.size();
        if (left > 0) std::memmove(scratch, input.data(), left);
        input = {scratch, left};
        std::array<iovec, 3> parts;
        std::size_t count = 0;
        std::size_t direct = 0;
        const auto offer = [&](std::byte* at, std::size_t size) {
            if (size == 0) return;
            parts[count++] = {at, size};
            direct += size;
        };
        if (step_ == Step::Chunk) {
            offer(landing_.first, landing_.first_size);
            offer(landing_.second, landing_.second_size);
        } else if (step_ == Step::Body) {
            // Twice what has come, so that a peer which only promises a long frame costs no memory.
            make_room(std::min<std::size_t>(prefix_.length, 2 * std::size_t{kept_end_} + 1024));
            offer(kept_.get() + kept_end_, std::min(kept_capacity_, prefix_.length) - kept_end_);
        }
        // And behind that, unless the rest of a body comes first.
        const bool whole = step_ != Step::Body || kept_capacity_ >= prefix_.length;
        const std::size_t room = whole ? std::max<std::size_t>(std::min(window_, buffer_), kReadAhead) : 0;
        if (room > 0) parts[count++] = {scratch + left, room};
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
        const std::size_t placed = std::min(got.bytes, direct);
        landed(placed);
        input = {scratch, left + got.bytes - placed};
        // Small frames fill what is offered: more of it saves system calls.
        if (got.bytes == direct + room) window_ = std::min(window_ * 4, std::uint32_t{kMostBuffer});
    }
}

void FrameReader::landed(std::size_t bytes) {
    const auto size = static_cast<std::uint32_t>(bytes);
    if (step_ == Step::Body) {
        kept_end_ += size;
    } else if (step_ == Step::Chunk) {
        const std::uint32_t first = std::min(size, landing_.first_size);
        landing_.first += first;
        landing_.first_size -= first;
        landing_.second += size - first;
        landing_.second_size -= size - first;
    }
}

// Room for `size` bytes in all, behind what is kept.
void FrameReader::make_room(std::size_t size) {
    if (size <= kept_capacity_) return;
    auto larger = std::make_unique_for_overwrite<std::byte[]>(size);
    if (kept_end_ > kept_begin_)
        std::memcpy(larger.get(), kept_.get() + kept_begin_, kept_end_ - kept_begin_);
    kept_ = std::move(larger);
    kept_end_ -= std::exchange(kept_begin_, 0);
    kept_capacity_ = static_cast<std::uint32_t>(size);
}

// What is left is there for the next read.
void FrameReader::keep(Input input) {
    kept_begin_ = kept_end_ = 0;
    if (kept_capacity_ > (buffer_ >= kRichBuffer ? kMostRichKept : input.size())) {
        kept_.reset();
        kept_capacity_ = 0;
    }
    if (input.empty()) return;
    make_room(buffer_ >= kRichBuffer ? std::max<std::size_t>(input.size(), 256) : input.size());
    std::memcpy(kept_.get(), input.data(), input.size());
    kept_end_ = static_cast<std::uint32_t>(input.size());
}

// True: the sink wants no more. False: no whole step is there.
Result<bool> FrameReader::parse(FrameSink& sink, Input& input) {
    for (;;) {
        if (step_ == Step::Prefix && !sink.wants_more()) return true;
        auto progressed = parse_one(sink, input);
        if (!progressed) return progressed.error();
        if (!*progressed) return false;
    }
}

Result<bool> FrameReader::parse_one(FrameSink& sink, Input& input) {
    switch (step_) {
        case Step::Preamble: {
            const std::string_view seen(reinterpret_cast<const char*>(input.data()),
                                        std::min(input.size(), wire::kPreamble.size()));
            if (seen != wire::kPreamble.substr(0, seen.size()))
                return Error{Errc::Protocol,
                             "the peer does not speak Hawser: expected \"" + std::string(wire::kPreamble) +
                                 "\", got \"" +
                                 printable({reinterpret_cast<const char*>(input.data()), input.size()}) +
                                 "\""};
            if (seen.size() < wire::kPreamble.size()) return false;
            input = input.subspan(wire::kPreamble.size());
            step_ = Step::Prefix;
            return true;
        }
        case Step::Prefix: {
            if (input.size() < wire::kPrefixSize) return false;
            prefix_ = wire::decode_prefix(fixed<wire::kPrefixSize>(input));
            input = input.subspan(wire::kPrefixSize);
            if (auto begun = begin_frame(); !begun) return begun.error();
            if (step_ != Step::Header) return true;
            [[fallthrough]];
        }
        case Step::Header: {
            const bool object = prefix_.type == wire::FrameType::Object;
            const std::size_t size = object ? wire::kObjectHeaderSize : wire::kFragmentHeaderSize;
            if (input.size() < size) return false;
            const Input header = input;
            input = input.subspan(size);
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
            if (step_ != Step::Chunk) return true;
            [[fallthrough]];
        }
        case Step::Chunk: {
            for (auto [at, size] : {std::pair(&landing_.first, &landing_.first_size),
                                    std::pair(&landing_.second, &landing_.second_size)}) {
                const std::size_t some = std::min<std::size_t>(*size, input.size());
                if (some == 0) continue;
                std::memcpy(*at, input.data(), some);
                input = input.subspan(some);
                *at += some;
                *size -= static_cast<std::uint32_t>(some);
            }
            if (landing_.first_size > 0 || landing_.second_size > 0) return false;
            step_ = Step::Prefix;
            if (auto done = sink.on_chunk(prefix_); !done) return done.error();
            return true;
        }
        case Step::Body:
            return parse_body(sink, input);
        case Step::Skip: {
            const std::size_t size = std::min<std::size_t>(skip_, input.size());
            input = input.subspan(size);
            skip_ -= static_cast<std::uint32_t>(size);
            if (skip_ > 0) return false;
            step_ = Step::Prefix;
            return true;
        }
    }
    return false;
}

// Out of `input` where it is there as a whole; else it is put together in kept_.
Result<bool> FrameReader::parse_body(FrameSink& sink, Input& input) {
    Input body;
    if (kept_end_ == 0 && input.size() >= prefix_.length) {
        body = input.first(prefix_.length);
        input = input.subspan(prefix_.length);
    } else {
        const std::size_t some = std::min<std::size_t>(prefix_.length - kept_end_, input.size());
        if (some > 0) {
            make_room(kept_end_ + some);
            std::memcpy(kept_.get() + kept_end_, input.data(), some);
            kept_end_ += static_cast<std::uint32_t>(some);
            input = input.subspan(some);
        }
        if (kept_end_ < prefix_.length) return false;
        body = {kept_.get(), prefix_.length};
    }
    step_ = Step::Prefix;
    auto taken = sink.on_frame(prefix_, body);
    kept_begin_ = kept_end_ = 0;
    if (!taken) return taken.error();
    return true;
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
        skip_ = static_cast<std::uint32_t>(size);
        return {};
    }
    step_ = Step::Chunk;
    const Landing& into = **landing;
    landing_ = {into.first.data(), into.second.data(), static_cast<std::uint32_t>(into.first.size()),
                static_cast<std::uint32_t>(into.second.size())};
    if (size >= kLarge) window_ = kReadAhead;
    return {};
}

}  // namespace hawser::session
