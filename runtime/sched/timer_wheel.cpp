#include "runtime/sched/timer_wheel.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace hawser::sched {

TimerWheel::TimerWheel(TimePoint start) : start_(start) {}

std::uint64_t TimerWheel::tick_of(TimePoint when) const {
    if (when <= start_) return 0;
    const std::int64_t ahead = (when - start_).count();
    const std::int64_t tick = ahead / kTick.count() + (ahead % kTick.count() != 0);
    // The tick after the last one that a TimePoint can express is of no use.
    return static_cast<std::uint64_t>(std::min(tick, (TimePoint::max() - start_) / kTick));
}

std::uint64_t TimerWheel::add(TimePoint when, Callback run) {
    std::uint32_t index = free_;
    if (index != kNone) {
        free_ = timers_[index].next;
    } else {
        index = static_cast<std::uint32_t>(timers_.size());
        timers_.emplace_back();
    }
    Timer& timer = timers_[index];
    timer.tick = tick_of(when);
    timer.run = std::move(run);
    const std::uint64_t id = std::uint64_t{timer.generation} << 32 | (index + 1);
    place(index);
    ++size_;
    return id;
}

bool TimerWheel::cancel(std::uint64_t id) {
    const auto index = static_cast<std::uint32_t>(id) - 1;  // id 0 wraps to kNone, which is out of range
    if (index >= timers_.size() || timers_[index].generation != id >> 32 || timers_[index].list == kNone)
        return false;
    unlink(index);
    const Callback dropped = release(index);  // dies after the wheel is whole again: its captures may call us
    return true;
}

std::size_t TimerWheel::advance(TimePoint now) {
    std::size_t ran = run_all(take(kReady));
    if (now < start_) return ran;
    const auto target = static_cast<std::uint64_t>((now - start_) / kTick);
    while (now_ < target) {
        const auto next = next_list();
        if (!next || next->opens > target) {
            now_ = target;
            break;
        }
        now_ = next->opens;
        std::uint32_t chain = take(next->list);
        if (next->list < kSlots) {
            ran += run_all(chain);
            continue;
        }
        // A slot of a higher level: what is due at this very tick runs now, the rest moves down.
        while (chain != kNone) {
            const std::uint32_t index = chain;
            chain = timers_[index].next;
            place(index);
        }
        ran += run_all(take(kReady));
    }
    return ran;
}

std::optional<TimePoint> TimerWheel::next_expiry() const {
    if (lists_[kReady].first != kNone) return time_of(now_);
    const auto next = next_list();
    if (!next) return std::nullopt;
    return time_of(next->earliest);
}

std::optional<TimerWheel::Next> TimerWheel::next_list() const {
    for (unsigned level = 0; level < kLevels; ++level) {
        if (occupied_[level] == 0) continue;
        const auto slot = static_cast<unsigned>(std::countr_zero(occupied_[level]));
        const std::uint32_t list = level * kSlots + slot;
        const unsigned shift = level * kBits;
        const std::uint64_t above = now_ >> (shift + kBits) << (shift + kBits);
        return Next{list, above | std::uint64_t{slot} << shift, lists_[list].earliest};
    }
    const List& overflow = lists_[kOverflow];
    if (overflow.first == kNone) return std::nullopt;
    constexpr unsigned kShift = kLevels * kBits;
    return Next{kOverflow, overflow.earliest >> kShift << kShift, overflow.earliest};
}

void TimerWheel::place(std::uint32_t index) {
    const std::uint64_t tick = timers_[index].tick;
    if (tick <= now_) return append(kReady, index);
    const unsigned level = (63u - static_cast<unsigned>(std::countl_zero(tick ^ now_))) / kBits;
    if (level >= kLevels) return append(kOverflow, index);
    const auto slot = static_cast<std::uint32_t>(tick >> (level * kBits)) & (kSlots - 1);
    occupied_[level] |= std::uint64_t{1} << slot;
    append(level * kSlots + slot, index);
}

void TimerWheel::append(std::uint32_t list, std::uint32_t index) {
    List& to = lists_[list];
    Timer& timer = timers_[index];
    timer.list = list;
    timer.next = kNone;
    timer.previous = to.last;
    if (to.last == kNone) {
        to.first = index;
        to.earliest = timer.tick;
    } else {
        timers_[to.last].next = index;
        to.earliest = std::min(to.earliest, timer.tick);
    }
    to.last = index;
}

void TimerWheel::unlink(std::uint32_t index) {
    const Timer& timer = timers_[index];
    List& from = lists_[timer.list];
    (timer.previous == kNone ? from.first : timers_[timer.previous].next) = timer.next;
    (timer.next == kNone ? from.last : timers_[timer.next].previous) = timer.previous;
    if (from.first == kNone && timer.list < kOverflow)
        occupied_[timer.list / kSlots] &= ~(std::uint64_t{1} << timer.list % kSlots);
}

std::uint32_t TimerWheel::take(std::uint32_t list) {
    const std::uint32_t first = std::exchange(lists_[list].first, kNone);
    lists_[list].last = kNone;
    if (list < kOverflow) occupied_[list / kSlots] &= ~(std::uint64_t{1} << list % kSlots);
    return first;
}

TimerWheel::Callback TimerWheel::release(std::uint32_t index) {
    Timer& timer = timers_[index];
    timer.list = kNone;
    ++timer.generation;
    timer.next = free_;
    free_ = index;
    --size_;
    return std::exchange(timer.run, nullptr);
}

std::size_t TimerWheel::run_all(std::uint32_t chain) {
    while (chain != kNone) {
        const std::uint32_t index = chain;
        chain = timers_[index].next;
        append(kRunning, index);  // a list again, so that a callback can cancel those after it
    }
    std::size_t ran = 0;
    while (lists_[kRunning].first != kNone) {
        const std::uint32_t index = lists_[kRunning].first;
        unlink(index);
        const Callback run = release(index);
        run();
        ++ran;
    }
    return ran;
}

}  // namespace hawser::sched
