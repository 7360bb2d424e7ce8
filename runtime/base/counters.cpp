#include "runtime/base/counters.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "runtime/base/fd.h"
#include "runtime/base/log.h"

namespace hawser {
namespace {

constexpr std::size_t kSize = CounterBlock::kSlots * sizeof(CounterSlot);

void copy_name(char* to, std::size_t size, std::string_view from) {
    const std::size_t length = std::min(from.size(), size - 1);
    std::memcpy(to, from.data(), length);
    to[length] = '\0';
}

}  // namespace

CounterBlock& CounterBlock::process() {
    // Never destroyed: other threads may count until the process is gone.
    static CounterBlock& block = *new CounterBlock([] {
        if (const char* file = std::getenv("HAWSER_COUNTERS"); file && *file) {
            auto mapped = map(file);
            if (mapped) return std::move(mapped).value();
            log().warn("{}; counting in private memory", mapped.error().message);
        }
        return CounterBlock();
    }());
    return block;
}

CounterBlock::CounterBlock() {
    void* memory = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();  // 256 KiB of address space
    slots_ = static_cast<CounterSlot*>(memory);
}

Result<CounterBlock> CounterBlock::map(const std::string& file) {
    const Fd fd(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    struct stat info {};
    if (!fd || fstat(fd.get(), &info) != 0 ||
        (info.st_size < static_cast<off_t>(kSize) && ftruncate(fd.get(), kSize) != 0))
        return Error{Errc::NoResource, "cannot open the counters file " + file + ": " + std::strerror(errno)};
    void* memory = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (memory == MAP_FAILED)
        return Error{Errc::NoResource, "cannot map the counters file " + file + ": " + std::strerror(errno)};
    return CounterBlock(static_cast<CounterSlot*>(memory));
}

CounterBlock::CounterBlock(CounterBlock&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)) {}

CounterBlock::~CounterBlock() {
    if (slots_) munmap(slots_, kSize);
}

CounterSlot& CounterBlock::claim(CounterRole role, std::string_view stream, std::string_view track,
                                 std::uint64_t epoch) {
    for (std::size_t i = 0; i < kSlots; ++i) {
        CounterSlot& slot = slots_[i];
        std::uint32_t free = 0;
        if (slot.claimed.load(std::memory_order_relaxed) != 0 ||
            !slot.claimed.compare_exchange_strong(free, 1, std::memory_order_acq_rel))
            continue;
        slot.role = role;
        slot.epoch = epoch;
        copy_name(slot.stream, sizeof slot.stream, stream);
        copy_name(slot.track, sizeof slot.track, track);
        slot.claimed.store(2, std::memory_order_release);
        return slot;
    }
    log().warn("all {} counter slots are taken; {}{} shares the last one", kSlots, stream, track);
    return slots_[kSlots - 1];
}

}  // namespace hawser
