#include "entry/watch.h"

#include "os/generation.h"

namespace lowtide {

namespace {

constexpr uint64_t look_every_ms = 100;
constexpr uint64_t look_pause_factor = 10;
// Processes are moved, and containers get other limits, while they run.
constexpr uint64_t find_every_ms = 10'000;
constexpr size_t reserve_share = 16;
constexpr size_t unattended_share = 64;
constexpr size_t step_share = 4;
constexpr size_t least_step = mebibyte;
// Memory is scarce when tasks have waited for it for more than this share of the time since the last look,
// and for a while afterwards.
constexpr int64_t stalled_share = 10;
constexpr uint64_t scarce_ms = 1000;
// All that is free is returned again when so much more is held, or after so long.
constexpr size_t relief_step = 64;
constexpr uint64_t relief_every_ms = 200;

size_t lowest(size_t a, size_t b) noexcept {
    return a < b ? a : b;
}

size_t or_none(size_t limit) noexcept {
    return limit == 0 ? SIZE_MAX : limit;
}

} // namespace

void watch::apply_options() noexcept {
    limits_->set_hard(or_none(settings_->hard_limit));
    set_soft(by_group_.load(std::memory_order_relaxed));
}

void watch::set_soft(size_t by_group) noexcept {
    by_group_.store(by_group, std::memory_order_relaxed);
    limits_->set_soft(lowest(or_none(settings_->limit), by_group));
}

// A thread of the parent may have been looking when this process was forked.
bool watch::begin_look() noexcept {
    const uint32_t here = os::generation();
    uint32_t in = looking_in_.load(std::memory_order_relaxed);
    if (in == here || !looking_in_.compare_exchange_strong(in, here, std::memory_order_acquire))
        return false;
    if (known_in_ != here) {
        known_in_ = here;
        next_find_ms_ = 0;
        group_stalled_us_ = machine_stalled_us_ = -1;
    }
    return true;
}

void watch::look(bool attended, size_t dirty) noexcept {
    const uint64_t now = system_->now_ms();
    if ((now < next_look_ms_.load(std::memory_order_relaxed) && !is_look_due()) || !begin_look())
        return;
    const bool is_small = limits_->held() < ceiling::least_watched;
    next_look_ms_.store(now + look_every_ms, std::memory_order_relaxed);
    if (settings_->pressure && !is_small) {
        look_at_group(now, attended, dirty);
        look_at_pressure(now);
    } else { // what was found when it was large mustn't stay
        cpu_quota_.store(0, std::memory_order_relaxed);
        set_soft(SIZE_MAX);
        limits_->set_dirty_unattended(SIZE_MAX);
    }
    const uint64_t took = system_->now_ms() - now;
    if (took != 0) // as in front::tick()
        next_look_ms_.store(now + look_every_ms + took * look_pause_factor, std::memory_order_relaxed);
    const size_t held = limits_->held();
    const size_t soft = limits_->soft();
    const size_t step = soft > held ? (soft - held) / step_share : 0;
    const size_t next = soft == SIZE_MAX ? SIZE_MAX : held + (step > least_step ? step : least_step);
    look_at_.store(is_small ? ceiling::least_watched : next, std::memory_order_relaxed);
    look_after_.store(is_small ? SIZE_MAX : next - held, std::memory_order_relaxed);
    limits_->forget_taken();
    looking_in_.store(0, std::memory_order_release);
}

void watch::look_at_group(uint64_t now, bool attended, size_t dirty) noexcept {
    if (now >= next_find_ms_) {
        next_find_ms_ = now + find_every_ms;
        group_.find(system_->root);
        cpu_quota_.store(group_.cpu_quota(), std::memory_order_relaxed);
    }
    const size_t held = limits_->held();
    const os::control_group::memory memory = group_.read_memory();
    const bool limited = memory.headroom != group_.unlimited;
    const size_t limit = lowest(memory.limit, memory.high);
    limits_->set_dirty_unattended(limited && !attended ? limit / unattended_share : SIZE_MAX);
    if (!limited)
        return set_soft(SIZE_MAX);
    const size_t reserve = limit / reserve_share;
    // Dirty memory that isn't there (ends of runs that nobody touched) is when it is used again, and would
    // not be noticed.
    const size_t there = system_->anonymous_resident_bytes();
    const size_t missing = held > there ? lowest(held - there, dirty) : 0;
    const size_t most = held + memory.headroom;
    set_soft(most > reserve + missing ? most - reserve - missing : 0);
}

// Idle processes need no trigger (they have returned everything), and one for those that aren't would keep a
// descriptor open.
void watch::look_at_pressure(uint64_t now) noexcept {
    const auto passed_us = static_cast<int64_t>(now - stalled_ms_) * 1000;
    const auto wait = [passed_us](int64_t& seen, int64_t stalled) {
        const bool known = stalled >= 0 && seen >= 0 && passed_us > 0;
        const bool much = known && (stalled - seen) * stalled_share > passed_us;
        seen = stalled;
        return much;
    };
    const bool group_waits = wait(group_stalled_us_, group_.own_stalled_us());
    const bool machine_waits = wait(machine_stalled_us_, group_.machine_stalled_us());
    stalled_ms_ = now;
    // Of the whole machine: tasks of another group may wait at that one's own limit.
    if (group_waits || (machine_waits && system_->memory_is_scarce()))
        scarce_until_ms_ = now + scarce_ms;
    if (now < scarce_until_ms_)
        set_soft(0);
}

bool watch::asks_for_relief() const noexcept {
    const size_t held = limits_->held();
    return held > limits_->soft() &&
           (held >= relief_at() ||
            system_->now_ms() - relieved_ms_.load(std::memory_order_relaxed) >= relief_every_ms);
}

size_t watch::relief_at() const noexcept {
    const size_t relieved = relieved_.load(std::memory_order_relaxed);
    const size_t again = relieved + relieved / relief_step;
    const size_t soft = limits_->soft();
    return soft == SIZE_MAX || again < soft ? soft : again;
}

bool watch::is_look_due() const noexcept {
    return limits_->held() >= look_at_.load(std::memory_order_relaxed) ||
           limits_->taken() >= look_after_.load(std::memory_order_relaxed);
}

void watch::expect_attention() const noexcept {
    limits_->expect_attention_after(look_after_.load(std::memory_order_relaxed));
    limits_->expect_attention_at(lowest(relief_at(), look_at_.load(std::memory_order_relaxed)));
}

void watch::note_relief() noexcept {
    relieved_.store(limits_->held(), std::memory_order_relaxed);
    relieved_ms_.store(system_->now_ms(), std::memory_order_relaxed);
}

} // namespace lowtide
