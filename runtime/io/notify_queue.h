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
    // Any thread. True where `thing` was not waiting here already: only then need the consumer be woken.
    bool push(Notifiable& thing) {
        if (thing.link.queued.exchange(true, std::memory_order_acq_rel)) return false;
        Notifiable* top = incoming_.load(std::memory_order_relaxed);
        do {
            thing.link.next.store(top, std::memory_order_relaxed);
        } while (!incoming_.compare_exchange_weak(top, &thing, std::memory_order_seq_cst,
                                                  std::memory_order_relaxed));
        return true;
    }

    // Consumer.
    bool empty() const { return first_ == nullptr && incoming_.load(std::memory_order_seq_cst) == nullptr; }

    // Consumer: calls everything that was notified before this call; what is notified meanwhile waits for the
    // next one. True where anything was called.
    bool run() {
        take();
        // forget() may take more in the meantime: the last one of now is where this turn ends.
        bool any = false;
        for (std::size_t left = waiting_; left > 0 && first_ != nullptr; --left) {
            Notifiable* const thing = first_;
            first_ = thing->link.next.load(std::memory_order_relaxed);
            if (first_ == nullptr) last_ = nullptr;
            --waiting_;
            // Before the call: what is announced during it is announced anew.
            thing->link.queued.exchange(false, std::memory_order_acq_rel);
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
        thing.link.queued.store(false, std::memory_order_release);
    }

  private:
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
    alignas(64) Notifiable* first_ = nullptr;  // consumer, as all below
    Notifiable* last_ = nullptr;
    std::size_t waiting_ = 0;
};

}  // namespace hawser::io
