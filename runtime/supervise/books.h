// The books of a run: what each epoch of each link sent, and what became of it. Read from the workers'
// counters files, so they are exact even for a worker that was killed.
//
// An epoch (one life of a sender) that ended in order adds up where sent == received − received_again + lost.
// One whose sender died may have more sent than that: the rest was in the dead process's ring and is listed
// as lost with the sender. Objects from before a late joiner's first are neither. Events are counted apart.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/base/counters.h"

namespace hawser::supervise {

// A slot's figures, copied out of a counters file.
struct TrackFigures {
    CounterRole role = CounterRole::Free;
    std::uint64_t epoch = 0;
    std::string stream, track;
    std::uint64_t objects = 0, bytes = 0, events = 0, replayed = 0, lost = 0, doubled = 0, delivered = 0;
    std::uint64_t next_sequence = 0;
    bool ended = false;
};

// One life of a worker process, with what it counted.
struct Incarnation {
    unsigned number = 1;
    bool in_order = false;  // it came to its end by itself, or by a stop that it obeyed
    std::vector<TrackFigures> tracks;
};

// All valid slots of a block.
std::vector<TrackFigures> read_figures(const CounterBlock& block);

struct Entry {
    std::uint64_t sent = 0, received = 0, bytes = 0;  // bytes: received
    std::uint64_t events = 0;                         // sent
    std::uint64_t replayed = 0, lost = 0, doubled = 0;
    std::uint64_t before_joining = 0;      // sent before a late joiner's first object
    std::uint64_t lost_with_sender = 0;    // died in the sender's ring
    std::uint64_t lost_with_receiver = 0;  // under way to a receiver that died
    std::uint64_t received_again = 0;      // of `received`: a second time, by a receiver started again
    std::int64_t missing = 0;  // what nobody can account for: sent − all of the above; must be 0

    Entry& operator+=(const Entry& other);
};

struct TrackEntry {
    std::string track;
    Entry figures;
};

struct EpochEntry {
    std::uint64_t epoch = 0;
    unsigned number = 1;  // from 1, in the order of the sender's lives
    unsigned sender_incarnation = 1;
    bool sender_in_order = false;
    bool ended = false;  // EOS was sent on every track
    Entry total;
    std::vector<TrackEntry> tracks;  // by name

    bool balances() const;  // every track does
};

struct LinkBooks {
    std::string from, to;
    std::vector<EpochEntry> epochs;
    Entry total;

    bool balance() const;
};

// The books of one link. `late_joining`: the receiver may have joined an epoch late (a live link, or it was
// restarted), so that objects may lie before its first. Any receiver may where the sequences prove it: it has
// joined behind the epoch's beginning, and has everything from there to its end.
LinkBooks add_up(const std::string& from, const std::string& to, const std::vector<Incarnation>& senders,
                 const std::vector<Incarnation>& receivers, bool late_joining);

}  // namespace hawser::supervise
