#include "runtime/supervise/books.h"

#include <algorithm>
#include <map>

namespace hawser::supervise {
namespace {

// Pad "sink_3" of a sender and pad "src_3" of a receiver are ends of the same track.
std::string track_name(const std::string& pad) {
    return pad.starts_with("sink_") ? "src_" + pad.substr(5) : pad;
}

struct Received {
    Entry sum;
    unsigned lives = 0;  // receiver processes that took part
    bool died = false;   // one of them not in order
    // The sequence up to which one has everything since it joined, where it joined behind the stream's
    // beginning.
    std::uint64_t complete_to = 0;
};

}  // namespace

std::vector<TrackFigures> read_figures(const CounterBlock& block) {
    std::vector<TrackFigures> figures;
    for (std::size_t i = 0; i < CounterBlock::kSlots; ++i) {
        const CounterSlot& slot = block.slot(i);
        if (!CounterBlock::valid(slot)) continue;
        TrackFigures f;
        f.role = slot.role;
        f.epoch = slot.epoch;
        f.stream = slot.stream;
        f.track = slot.track;
        f.objects = slot.get(Counter::Objects);
        f.bytes = slot.get(Counter::Bytes);
        f.events = slot.get(Counter::Events);
        f.replayed = slot.get(Counter::Replayed);
        f.lost = slot.get(Counter::Lost);
        f.doubled = slot.get(Counter::Doubled);
        f.delivered = slot.get(Counter::Delivered);
        f.next_sequence = slot.get(Counter::LastSequence);
        f.ended = slot.get(Counter::Ended) != 0;
        figures.push_back(std::move(f));
    }
    return figures;
}

Entry& Entry::operator+=(const Entry& other) {
    sent += other.sent;
    received += other.received;
    bytes += other.bytes;
    events += other.events;
    replayed += other.replayed;
    lost += other.lost;
    doubled += other.doubled;
    before_joining += other.before_joining;
    lost_with_sender += other.lost_with_sender;
    lost_with_receiver += other.lost_with_receiver;
    received_again += other.received_again;
    missing += other.missing;
    return *this;
}

bool EpochEntry::balances() const {
    return std::all_of(tracks.begin(), tracks.end(),
                       [](const TrackEntry& t) { return t.figures.missing == 0; });
}

bool LinkBooks::balance() const {
    return std::all_of(epochs.begin(), epochs.end(), [](const EpochEntry& e) { return e.balances(); });
}

LinkBooks add_up(const std::string& from, const std::string& to, const std::vector<Incarnation>& senders,
                 const std::vector<Incarnation>& receivers, bool late_joining) {
    const std::string stream = ("/" + from).substr(0, sizeof(CounterSlot::stream) - 1);
    std::map<std::pair<std::uint64_t, std::string>, Received> arrived;
    for (const Incarnation& life : receivers) {
        for (const TrackFigures& f : life.tracks) {
            if (f.role != CounterRole::Subscriber || f.stream != stream) continue;
            Received& r = arrived[{f.epoch, track_name(f.track)}];
            r.sum.received += f.objects;
            r.sum.bytes += f.bytes;
            r.sum.replayed += f.replayed;
            r.sum.lost += f.lost;
            r.sum.doubled += f.doubled;
            r.died |= !life.in_order;
            // Sequences count objects and events; what it has not is told in gaps, so all since it joined is
            // here.
            if (f.next_sequence > f.objects + f.events + f.lost)
                r.complete_to = std::max(r.complete_to, f.next_sequence);
            ++r.lives;
        }
    }

    LinkBooks books{.from = from, .to = to, .epochs = {}, .total = {}};
    for (const Incarnation& life : senders) {
        for (const TrackFigures& f : life.tracks) {
            if (f.role != CounterRole::Publisher || f.stream != stream) continue;
            auto epoch = std::find_if(books.epochs.begin(), books.epochs.end(),
                                      [&](const EpochEntry& e) { return e.epoch == f.epoch; });
            if (epoch == books.epochs.end()) {
                epoch = books.epochs.insert(books.epochs.end(), EpochEntry{});
                epoch->epoch = f.epoch;
                epoch->number = static_cast<unsigned>(books.epochs.size());
                epoch->sender_incarnation = life.number;
                epoch->sender_in_order = life.in_order;
                epoch->ended = true;
            }
            epoch->ended &= f.ended;

            const auto found = arrived.find({f.epoch, track_name(f.track)});
            const Received r = found == arrived.end() ? Received{} : found->second;
            if (found != arrived.end()) arrived.erase(found);
            TrackEntry entry{track_name(f.track), r.sum};
            Entry& e = entry.figures;
            e.sent = f.objects;
            e.events = f.events;
            std::int64_t rest =
                static_cast<std::int64_t>(e.sent) - static_cast<std::int64_t>(e.received + e.lost);
            // Whose death or late arrival explains a rest, in that order. More received than sent is never
            // explained but by a receiver that was started again and got some of it a second time.
            if (rest > 0 && r.died) {
                e.lost_with_receiver = static_cast<std::uint64_t>(rest);
                rest = 0;
            } else if (rest < 0 && r.lives > 1) {
                e.received_again = static_cast<std::uint64_t>(-rest);
                rest = 0;
            } else if (rest > 0 && !life.in_order) {
                e.lost_with_sender = static_cast<std::uint64_t>(rest);
                rest = 0;
            } else if (rest > 0 &&
                       (late_joining || (f.next_sequence > 0 && r.complete_to == f.next_sequence))) {
                e.before_joining = static_cast<std::uint64_t>(rest);
                rest = 0;
            }
            e.missing = rest;
            epoch->total += e;
            books.total += e;
            epoch->tracks.push_back(std::move(entry));
        }
    }
    // Received, but sent by nobody: counters that contradict each other.
    for (const auto& [key, r] : arrived) {
        if (r.sum.received == 0) continue;
        EpochEntry stray;
        stray.epoch = key.first;
        stray.number = static_cast<unsigned>(books.epochs.size()) + 1;
        stray.tracks.push_back({key.second, r.sum});
        stray.tracks.back().figures.missing = -static_cast<std::int64_t>(r.sum.received);
        stray.total += stray.tracks.back().figures;
        books.total += stray.total;
        books.epochs.push_back(std::move(stray));
    }
    for (EpochEntry& epoch : books.epochs)
        std::sort(epoch.tracks.begin(), epoch.tracks.end(),
                  [](const TrackEntry& a, const TrackEntry& b) { return a.track < b.track; });
    return books;
}

}  // namespace hawser::supervise
