// An unbounded queue from many producers to one consumer: how commands reach a reactor.
//
// D. Vyukov, "Non-intrusive MPSC node-based queue", 1024cores.net, 2010. A push is one allocation and one
// atomic exchange, wait-free, in the order of the exchanges; items of one producer keep their order.
#pragma once

#include <atomic>
#include <optional>
#include <utility>

#include "runtime/base/fence.h"

namespace hawser::ring {

// T may be move-only. Whatever is left dies with the queue, when all producers have stopped.
template <typename T>
class MpscQueue {
  public:
    MpscQueue() : head_(new Node), tail_(head_.load(std::memory_order_relaxed)) {}
    MpscQueue(const MpscQueue&) = delete;
    MpscQueue& operator=(const MpscQueue&) = delete;
    ~MpscQueue() {
        while (Node* node = tail_) {
            tail_ = node->next.load(std::memory_order_acquire);
            delete node;
        }
    }

    // Any thread.
    void push(T item) {
        Node* node = new Node;
        node->item.emplace(std::move(item));
        Node* before = head_.exchange(node, std::memory_order_acq_rel);
        // Between these two lines the queue ends before the new item, and before any that others push behind
        // it: a producer preempted here hides theirs for that time. It has yet to wake the consumer, so
        // nothing is forgotten.
        before->next.store(node, std::memory_order_release);
    }

    // Consumer. Empty where there is nothing, or nothing that can be seen yet.
    std::optional<T> try_pop() {
        Node* next = tail_->next.load(std::memory_order_acquire);
        if (!next) return std::nullopt;
        std::optional<T> item = std::move(next->item);
        next->item.reset();
        delete std::exchange(tail_, next);  // `next` is the new dummy
        return item;
    }
    // Consumer.
    bool empty() const { return !tail_->next.load(std::memory_order_acquire); }

  private:
    struct Node {
        std::atomic<Node*> next{nullptr};
        std::optional<T> item;
    };

    alignas(kCacheLine) std::atomic<Node*> head_;  // producers': the newest node
    alignas(kCacheLine) Node* tail_;               // consumer's: a node whose item is gone
};

}  // namespace hawser::ring
