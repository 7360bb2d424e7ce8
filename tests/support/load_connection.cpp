#include "tests/support/load_connection.h"

#include <algorithm>
#include <cstring>

#include "hawser/wire.pb.h"
#include "tests/support/load_client.h"

namespace hawser::test {
namespace {

void bump(std::atomic<std::uint64_t>& counter, std::uint64_t by = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

bool parse(google::protobuf::MessageLite& message, std::span<const std::byte> body) {
    return message.ParseFromArray(body.data(), static_cast<int>(body.size()));
}

}  // namespace

LoadConnection::LoadConnection(const LoadOptions& options, LoadCounters& counters, unsigned number)
    : options_(options), counters_(counters), number_(number) {}

void LoadConnection::fail(std::string why) {
    if (broken_) return;
    broken_ = true;
    trouble_ = std::move(why);
    bump(counters_.wrong);
}

void LoadConnection::write_frame(wire::FrameType type, const std::string& body) {
    std::array<std::byte, wire::kPrefixSize> prefix;
    wire::encode({static_cast<std::uint32_t>(body.size()), type, 0, 0, 0}, prefix);
    output_.append(reinterpret_cast<const char*>(prefix.data()), prefix.size());
    output_ += body;
}

void LoadConnection::start() {
    if (options_.protocol == LoadProtocol::Raw) {
        subscribed_ = true;
        return;
    }
    output_ += wire::kPreamble;
    wire::Hello hello;
    hello.set_min_version(wire::kVersion);
    hello.set_max_version(wire::kVersion);
    hello.set_role(wire::ROLE_SUBSCRIBER);
    hello.set_stream(options_.stream);
    // Unlike those of another load client on the same sender.
    timespec time{};
    clock_gettime(CLOCK_REALTIME, &time);
    hello.set_session((static_cast<std::uint64_t>(time.tv_nsec) << 32) ^
                      (static_cast<std::uint64_t>(time.tv_sec) << 16) ^ (number_ + 1));
    hello.set_generation(1);
    hello.set_agent("hawser-load");
    write_frame(wire::FrameType::Hello, hello.SerializeAsString());
}

std::size_t LoadConnection::take(std::span<const std::byte> bytes, std::int64_t now) {
    if (options_.protocol == LoadProtocol::Raw) return take_raw(bytes, now);
    std::size_t at = 0;
    if (!preamble_) {
        if (bytes.size() < wire::kPreamble.size()) return 0;
        if (std::memcmp(bytes.data(), wire::kPreamble.data(), wire::kPreamble.size()) != 0)
            fail("not a Hawser peer");
        preamble_ = true;
        at = wire::kPreamble.size();
    }
    while (!broken_ && bytes.size() - at >= wire::kPrefixSize) {
        const auto prefix = wire::decode_prefix(bytes.subspan(at).first<wire::kPrefixSize>());
        if (const char* wrong = wire::check_frame(prefix, asked_)) {
            fail(wrong);
            break;
        }
        if (bytes.size() - at - wire::kPrefixSize < prefix.length) break;
        take_frame(prefix, bytes.subspan(at + wire::kPrefixSize, prefix.length), now);
        at += wire::kPrefixSize + prefix.length;
    }
    bump(counters_.bytes, at);
    return at;
}

std::size_t LoadConnection::take_raw(std::span<const std::byte> bytes, std::int64_t now) {
    const std::size_t size = options_.object_size;
    std::size_t at = 0;
    if (size == 0) {
        at = bytes.size();
        if (!any_) object_done(0, now);
        counters_.connections[number_].bytes.fetch_add(at, std::memory_order_relaxed);
    }
    for (; size > 0 && bytes.size() - at >= size; at += size) {
        take_payload(bytes.subspan(at, size), 0, now);
        object_done(size, now);
    }
    bump(counters_.bytes, at);
    return at;
}

LoadConnection::Track* LoadConnection::track_of(std::uint16_t id) {
    for (auto& track : tracks_) {
        if (track.id == id && id != 0) return &track;
    }
    return nullptr;
}

void LoadConnection::take_frame(const wire::FramePrefix& prefix, std::span<const std::byte> body,
                                std::int64_t now) {
    using wire::FrameType;
    Track* track = track_of(prefix.track);
    switch (prefix.type) {
        case FrameType::Object:
        case FrameType::Fragment:
        case FrameType::Event:
        case FrameType::Gap:
            if (track == nullptr || !track->told) {
                fail("an entry of a track whose start was not told");
                return;
            }
            break;
        default:
            break;
    }
    switch (prefix.type) {
        case FrameType::Object:
            take_object(*track, prefix, body, now);
            break;
        case FrameType::Fragment:
            if (prefix.sequence != track->next || track->body == 0) {
                fail("a fragment of an object that is not under way");
            } else if (wire::decode_fragment_offset(body.first<wire::kFragmentHeaderSize>()) !=
                       track->offset) {
                fail("a fragment in the wrong place");
            } else {
                take_body(*track, body.subspan(wire::kFragmentHeaderSize), now);
            }
            break;
        case FrameType::Event:
            if (prefix.flags & wire::kSnapshot) break;
            if (prefix.sequence != track->next) fail("an event out of sequence");
            ++track->next;
            wants_ack_ = true;
            break;
        case FrameType::Gap:
            take_gap(*track, body);
            break;
        case FrameType::Announce:
            take_announce(body);
            break;
        case FrameType::SubscribeOk:
            take_subscribe_ok(body);
            break;
        case FrameType::Welcome:
            asked_ = true;
            break;
        case FrameType::Ping: {
            wire::Ping ping;
            wire::Pong pong;
            if (!parse(ping, body)) fail("a PING that cannot be parsed");
            pong.set_id(ping.id());
            pong.set_sent(ping.sent());
            pong.set_received(static_cast<std::uint64_t>(now));
            write_frame(FrameType::Pong, pong.SerializeAsString());
            break;
        }
        case FrameType::Goaway:
        case FrameType::Error: {
            wire::Error error;
            over_ = broken_ = true;
            trouble_ = prefix.type == FrameType::Goaway || !parse(error, body) ? "GOAWAY" : error.text();
            break;
        }
        default:
            break;
    }
}

void LoadConnection::take_announce(std::span<const std::byte> body) {
    wire::Announce announce;
    if (!parse(announce, body)) return fail("an ANNOUNCE that cannot be parsed");
    epoch_ = announce.epoch();
    // Older senders do not say.
    const auto interval = []<class T>(const T& message) -> std::int64_t {
        if constexpr (requires { message.ack_interval(); }) return message.ack_interval() * 1'000'000LL;
        return 0;
    };
    if (const std::int64_t asked = interval(announce); asked > 0) ack_interval_ = asked;
    for (const auto& info : announce.tracks()) {
        if (track_of(static_cast<std::uint16_t>(info.id())) != nullptr) continue;
        Track* free = nullptr;
        for (auto& track : tracks_) {
            if (track.id == 0 && free == nullptr) free = &track;
        }
        if (free == nullptr) return fail("more tracks than the load client knows");
        free->id = static_cast<std::uint16_t>(info.id());
        free->told = subscribed_;  // those that come later start at 0
    }
    if (!asked_) return fail("ANNOUNCE before WELCOME");
    if (!subscribed_ && epoch_ != 0) {
        bool first = true;
        for (const auto& track : tracks_) first = first && !track.told;
        if (first && !sent_subscribe_) {
            sent_subscribe_ = true;
            write_frame(wire::FrameType::Subscribe, wire::Subscribe().SerializeAsString());
        }
    }
}

void LoadConnection::take_subscribe_ok(std::span<const std::byte> body) {
    wire::SubscribeOk ok;
    if (!parse(ok, body)) return fail("a SUBSCRIBE_OK that cannot be parsed");
    for (const auto& start : ok.tracks()) {
        Track* track = track_of(static_cast<std::uint16_t>(start.track()));
        if (track == nullptr) return fail("SUBSCRIBE_OK names a track that was not announced");
        track->told = true;
        track->next = track->acked = start.start();
    }
    subscribed_ = true;
    bump(counters_.subscribed);
}

void LoadConnection::take_gap(Track& track, std::span<const std::byte> body) {
    wire::Gap gap;
    if (!parse(gap, body)) return fail("a GAP that cannot be parsed");
    if (gap.first() != track.next || gap.next() <= gap.first()) return fail("a GAP that does not fit");
    track.next = gap.next();
    index_ += gap.lost_objects();
    // The object under way is one of them; its stamp has told its index already.
    if (options_.check_content && track.body > 0 && track.offset > track.extension) --index_;
    track.body = 0;
    counters_.connections[number_].lost.fetch_add(gap.lost_objects(), std::memory_order_relaxed);
    bump(counters_.lost, gap.lost_objects());
    wants_ack_ = true;
}

void LoadConnection::take_object(Track& track, const wire::FramePrefix& prefix,
                                 std::span<const std::byte> body, std::int64_t now) {
    if (prefix.sequence != track.next || track.body != 0) return fail("an object out of sequence");
    const auto header = wire::decode_object_header(body.first<wire::kObjectHeaderSize>());
    track.body = header.body_length();
    track.extension = header.extension_length;
    track.offset = 0;
    const bool more = header.body_length() > body.size() - wire::kObjectHeaderSize;
    if (more != ((prefix.flags & wire::kMore) != 0)) return fail("MORE does not say what is the case");
    take_body(track, body.subspan(wire::kObjectHeaderSize), now);
}

void LoadConnection::take_body(Track& track, std::span<const std::byte> body, std::int64_t now) {
    if (body.size() > track.body) return fail("more bytes than the object has");
    const std::uint64_t skip = track.offset < track.extension ? track.extension - track.offset : 0;
    if (body.size() > skip) take_payload(body.subspan(skip), track.offset + skip - track.extension, now);
    track.offset += body.size();
    track.body -= body.size();
    if (track.body > 0) return;
    ++track.next;
    wants_ack_ = true;
    object_done(track.offset - track.extension, now);
}

void LoadConnection::take_payload(std::span<const std::byte> part, std::uint64_t offset, std::int64_t now) {
    if (!options_.check_content) return;
    if (offset == 0) {
        if (part.size() < sizeof(LoadStamp)) return fail("an object without a stamp");
        stamp_ = read_load_stamp(part);
        if (any_ && stamp_.index != index_ + 1)
            fail("object " + std::to_string(stamp_.index) + " came after " + std::to_string(index_));
        index_ = stamp_.index;
        if (stamp_.sent > now) fail("an object from the future");
    }
    if (offset % sizeof(std::uint64_t) != 0 || !check_load_part(part, stamp_.index, offset))
        fail("object " + std::to_string(stamp_.index) + " has another content");
}

void LoadConnection::object_done(std::size_t payload, std::int64_t now) {
    auto& mine = counters_.connections[number_];
    if (!any_) {
        any_ = true;
        mine.first.store(now, std::memory_order_relaxed);
        mine.first_index.store(index_, std::memory_order_relaxed);
        counters_.last_first.store(now, std::memory_order_relaxed);
        bump(counters_.served);
    }
    mine.bytes.store(mine.bytes.load(std::memory_order_relaxed) + payload, std::memory_order_relaxed);
    mine.objects.store(mine.objects.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    mine.last_index.store(index_, std::memory_order_relaxed);
    bump(counters_.objects);
    if (stamp_.sent != 0) counters_.delays.add(now - stamp_.sent);
}

void LoadConnection::write_ack() {
    wire::Ack ack;
    for (auto& track : tracks_) {
        if (track.id == 0 || track.next == track.acked) continue;
        auto* position = ack.add_tracks();
        position->set_track(track.id);
        position->set_next(track.next);
        track.acked = track.next;
    }
    wants_ack_ = false;
    if (ack.tracks_size() == 0) return;
    write_frame(wire::FrameType::Ack, ack.SerializeAsString());
    bump(counters_.acks);
}

void LoadConnection::write_ping(std::int64_t now) {
    if (options_.protocol == LoadProtocol::Raw) {
        output_ += '.';
        return;
    }
    wire::Ping ping;
    ping.set_sent(static_cast<std::uint64_t>(now));
    write_frame(wire::FrameType::Ping, ping.SerializeAsString());
}

}  // namespace hawser::test
