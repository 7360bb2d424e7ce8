// An unbounded queue from many producers to one consumer: how commands reach a reactor.
//
// D. Vyukov, "Non-intrusive MPSC node-based queue", 1024cores.net, 2010. A push is one atomic exchange and a
// node from the pushing thread's cache (memory/slab_pool.h), in the order of the exchanges; items of one
// producer keep their order.
#pragma once

#include <atomic>
#include <new>
#include <optional>
#include <utility>

#include "runtime/base/fence.h"
#include "runtime/memory/slab_pool.h"

namespace hawser::ring {

// T may be move-only; moving it must not throw. Whatever is left dies with the queue, when all producers have
// stopped.
template <typename T>
class MpscQueue {
  public:
    MpscQueue() : head_(make_node()), tail_(head_.load(std::memory_order_relaxed)) {}
    MpscQueue(const MpscQueue&) = delete;
    MpscQueue& operator=(const MpscQueue&) = delete;
    ~MpscQueue() {
        while (drop()) {
        }
        nodes().destroy(tail_);
    }

    // Any thread.
    void push(T item) {
        Node* node = make_node();
        node->item.emplace(std::move(item));
        Node* before = head_.exchange(node, std::memory_order_acq_rel);
        // Between these two lines the queue ends before the new item, and before any that others push behind
        // it: a producer preempted here hides theirs for that time. It has yet to wake the consumer, so
        // nothing is forgotten.
        before->next.store(node, std::memory_order_release);
    }

    // Consumer. Empty where there is nothing, or nothing that can be seen yet.
    std::optional<T> try_pop() {
        std::optional<T> item;
        if (Node* next = tail_->next.load(std::memory_order_acquire)) {
            item.emplace(std::move(*next->item));
            drop();
        }
        return item;
    }
    // Consumer.
    bool empty() const { return !tail_->next.load(std::memory_order_acquire); }

  private:
    struct Node {
        std::atomic<Node*> next{nullptr};
        std::optional<T> item;
    };

    // One for all queues of this type, for ever: a queue may be among the last things of a process.
    static memory::SlabPool<Node>& nodes() {
        static auto* pool =
            new memory::SlabPool<Node>({.name = "queued commands", .max_idle_bytes = 64 * 1024});
        return *pool;
    }
    static Node* make_node() {
        Node* node = nodes().create();
        if (!node) [[unlikely]]
            throw std::bad_alloc();
        return node;
    }
    // Destroys the oldest item; its node is the new dummy.
    bool drop() {
        Node* next = tail_->next.load(std::memory_order_acquire);
        if (!next) return false;
        next->item.reset();
        nodes().destroy(std::exchange(tail_, next));
        return true;
    }

    alignas(kCacheLine) std::atomic<Node*> head_;  // producers': the newest node
    alignas(kCacheLine) Node* tail_;               // consumer's: a node whose item is gone
};

}  // namespace hawser::ring
