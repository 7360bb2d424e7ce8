// Who has work for a reactor: an intrusive queue with many producers, without locks and without allocation.
#pragma once

#include <atomic>

#include "runtime/io/reactor.h"

namespace hawser::io {

// Producers push onto a stack; the consumer takes all of it at once and turns it round, so that the order is
// first come, first served and no ABA problem can arise. A thing is in here at most once.
//
// All operations that decide about sleeping are sequentially consistent: a producer pushes and then looks
// whether the reactor sleeps; the reactor says that it sleeps and then looks whether the queue is empty. One
// of the two sees the other.
class NotifyQueue {
  public:
    using Queued = NotifyLink::Queued;

    // Any thread. True where `thing` was not waiting here already, or only lazily: only then need the
    // consumer be woken.
    bool push(Notifiable& thing) {
        const Queued before = thing.link.queued.exchange(Queued::Urgently, std::memory_order_seq_cst);
        if (before == Queued::Urgently) return false;
        if (before == Queued::No) put(thing);
        say_urgent();
        return true;
    }

    // What the consumer must be woken for.
    enum class Wake : std::uint8_t { Nothing, UnlessItNaps, Always };
    // Any thread.
    Wake push_lazily(Notifiable& thing) {
        Queued before = Queued::No;
        if (!thing.link.queued.compare_exchange_strong(before, Queued::Lazily, std::memory_order_seq_cst))
            return Wake::Nothing;
        put(thing);
        // Who made it urgent before it was in the queue woke the consumer for something it could not see.
        if (thing.link.queued.load(std::memory_order_seq_cst) != Queued::Urgently) return Wake::UnlessItNaps;
        say_urgent();
        return Wake::Always;
    }

    // Consumer.
    bool empty() const { return first_ == nullptr && incoming_.load(std::memory_order_seq_cst) == nullptr; }
    // Consumer: is anything here that cannot wait for the end of a nap? Meaningful while not empty().
    bool urgent() const { return urgent_.load(std::memory_order_seq_cst); }

    // Consumer: calls everything that was notified before this call; what is notified meanwhile waits for the
    // next one. True where anything was called.
    bool run() {
        // First, so that what becomes urgent from here on says so again.
        if (urgent_.load(std::memory_order_relaxed)) urgent_.store(false, std::memory_order_seq_cst);
        take();
        // forget() may take more in the meantime: the last one of now is where this turn ends.
        bool any = false;
        for (std::size_t left = waiting_; left > 0 && first_ != nullptr; --left) {
            Notifiable* const thing = first_;
            first_ = thing->link.next.load(std::memory_order_relaxed);
            if (first_ == nullptr) last_ = nullptr;
            --waiting_;
            // Before the call: what is announced during it is announced anew.
            thing->link.queued.exchange(Queued::No, std::memory_order_acq_rel);
            thing->on_notified();
            any = true;
        }
        return any;
    }

    // Consumer: `thing` is not in here any more.
    void forget(Notifiable& thing) {
        take();
        Notifiable* before = nullptr;
        for (Notifiable* at = first_; at != nullptr;
             before = at, at = at->link.next.load(std::memory_order_relaxed)) {
            if (at != &thing) continue;
            Notifiable* const after = at->link.next.load(std::memory_order_relaxed);
            if (before != nullptr) {
                before->link.next.store(after, std::memory_order_relaxed);
            } else {
                first_ = after;
            }
            if (last_ == at) last_ = before;
            --waiting_;
            break;
        }
        thing.link.queued.store(Queued::No, std::memory_order_release);
    }

    // Consumer, at its end: takes out whatever is in here, calling nothing of it.
    template <typename Drop>
    void drop_all(Drop drop) {
        for (take(); first_ != nullptr; take()) {
            while (Notifiable* const thing = first_) {
                first_ = thing->link.next.load(std::memory_order_relaxed);
                thing->link.queued.store(Queued::No, std::memory_order_release);
                drop(thing);
            }
            last_ = nullptr;
            waiting_ = 0;
        }
    }

  private:
    void put(Notifiable& thing) {
        Notifiable* top = incoming_.load(std::memory_order_relaxed);
        do {
            thing.link.next.store(top, std::memory_order_relaxed);
        } while (!incoming_.compare_exchange_weak(top, &thing, std::memory_order_seq_cst,
                                                  std::memory_order_relaxed));
    }

    // Where it reads true, run() has yet to clear it and to take what was put in before this.
    void say_urgent() {
        if (!urgent_.load(std::memory_order_seq_cst)) urgent_.store(true, std::memory_order_seq_cst);
    }

    // Moves the stack to the end of the consumer's list.
    void take() {
        Notifiable* top = incoming_.exchange(nullptr, std::memory_order_acquire);
        Notifiable* const newest = top;
        Notifiable* oldest = nullptr;
        while (top != nullptr) {
            Notifiable* const below = top->link.next.load(std::memory_order_relaxed);
            top->link.next.store(oldest, std::memory_order_relaxed);
            oldest = top;
            top = below;
            ++waiting_;
        }
        if (oldest == nullptr) return;
        if (last_ != nullptr) {
            last_->link.next.store(oldest, std::memory_order_relaxed);
        } else {
            first_ = oldest;
        }
        last_ = newest;
    }

    alignas(64) std::atomic<Notifiable*> incoming_{nullptr};
    std::atomic<bool> urgent_{false};          // something in here was pushed urgently since the last run()
    alignas(64) Notifiable* first_ = nullptr;  // consumer, as all below
    Notifiable* last_ = nullptr;
    std::size_t waiting_ = 0;
};

}  // namespace hawser::io
