// What concurrent structures need from the machine.
#pragma once

#include <atomic>
#include <cstddef>

namespace hawser {

// Fields of different threads stand at least this far apart. A constant of ours: the standard's changes with
// compiler flags.
inline constexpr std::size_t kCacheLine = 64;

// Orders a store before a later load (StoreLoad), which release and acquire do not: "publish, then look
// whether anyone sleeps" against "say that I sleep, then look whether there is work". ThreadSanitizer knows
// no fences; there it is a read-modify-write of a local, which is as strong on the machine and, unlike one of
// a shared word, hides no race from the tool.
inline void full_fence() {
#if defined(__SANITIZE_THREAD__)
    std::atomic<unsigned> local{0};
    local.fetch_add(1, std::memory_order_seq_cst);
#else
    std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

// Between two looks of a thread that spins: lets the core's other thread run, and saves power.
inline void cpu_relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield" ::: "memory");
#endif
}

// Fetches a cache line that is going to be written, while other work goes on: it takes as long as some
// hundred instructions where another core has read it. Any address will do.
inline void prefetch_for_writing(const void* line) {
#if defined(__x86_64__)
    asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(line)));
#else
    __builtin_prefetch(line, 1);
#endif
}

}  // namespace hawser
