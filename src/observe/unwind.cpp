// Each step finds the rule for a program counter, and by it the registers of the caller. What rules say and
// what the stack holds may both be wrong: memory is only read where it is known that it can be, and the walk
// only goes up.
#include "observe/unwind.h"

#include "base/hash.h"
#include "observe/call_frame.h"
#include "os/loaded_object.h"
#include "os/readable.h"
#include "os/registers.h"

#include <atomic>

namespace lowtide {

namespace {

// Rules that were looked up before: what takes a frame from a microsecond to a few nanoseconds. Any thread
// writes, at any time, also in a signal handler in the midst of a write. INVARIANT: `check` is the key
// exclusive-or the rule; an entry whose halves are of two writers has no key that anybody asks for, but for
// one chance in 2^64.
struct cached_rule {
    std::atomic<uint64_t> check;
    std::atomic<uint64_t> rule;
};
constexpr unsigned cache_shift = 10;
constinit cached_rule cache[1u << cache_shift]{};

cached_rule& entry_of(uint64_t key) noexcept {
    return cache[key * golden >> (64 - cache_shift)];
}

uint64_t find_cached(uint64_t key) noexcept {
    const cached_rule& entry = entry_of(key);
    const uint64_t rule = entry.rule.load(std::memory_order_relaxed);
    return (entry.check.load(std::memory_order_relaxed) ^ rule) == key ? rule : 0;
}

void put_into_cache(uint64_t key, uint64_t rule) noexcept {
    cached_rule& entry = entry_of(key);
    entry.check.store(key ^ rule, std::memory_order_relaxed);
    entry.rule.store(rule, std::memory_order_relaxed);
}

// The objects that a walk has come through; few, and a stack goes to and fro between them. A frame of this
// thread keeps its object from being unloaded, so that what was found holds until the end of the walk, not
// longer.
class object_finder {
public:
    struct known {
        os::loaded_object object;
        uint64_t fingerprint = 0;
    };

    // Null where the address belongs to none.
    const known* find(uintptr_t address) noexcept {
        for (const known& k : known_)
            if (k.object.has(address))
                return &k;
        const os::loaded_object found = os::find_object(address);
        if (!found.has(address))
            return nullptr;
        known& k = known_[next_++ % most];
        k = {found, lowtide::fingerprint(found)};
        return &k;
    }

private:
    static constexpr unsigned most = 4;
    known known_[most];
    unsigned next_ = 0;
};

// The thread's stack, as far as it is known to be there: the pages around what was read last. Nothing else
// tells where a stack ends, which may be a thread's, a signal's or a coroutine's; to ask the kernel is a call
// for each page.
class stack_memory {
public:
    explicit stack_memory(uintptr_t in_use) noexcept : low_(in_use & ~(page - 1)), high_(low_ + page) {}

    bool read(uintptr_t at, uintptr_t& value) noexcept {
        if (at % sizeof(uintptr_t) != 0 || (at - low_ >= high_ - low_ && !admit(at)))
            return false;
        value = load(at);
        return true;
    }

private:
    static constexpr uintptr_t page = 4096; // the smallest there is

    bool admit(uintptr_t at) noexcept {
        if (!os::is_readable(at))
            return false;
        const uintptr_t begin = at & ~(page - 1);
        low_ = begin == high_ ? low_ : begin;
        high_ = begin + page;
        return true;
    }

    // Other functions' frames, which sanitizers guard.
    [[gnu::no_sanitize_address, gnu::no_sanitize_thread]] static uintptr_t load(uintptr_t at) noexcept {
        return *reinterpret_cast<const volatile uintptr_t*>(at);
    }

    uintptr_t low_;
    uintptr_t high_;
};

// For code without call frame information: the frame pointer points to the caller's, behind which is the
// return address. That it holds is a guess.
constexpr frame_rule by_frame_pointer{
    .cfa = {base::fp, 16}, .pc = {base::fp, 8}, .fp = {base::fp, 0}, .bx = {base::kept}};
constexpr uintptr_t most_by_guess = 1u << 20; // bytes of a frame

class walk {
public:
    explicit walk(const os::registers& begin) noexcept : r_(begin), stack_(begin.sp) {}

    [[nodiscard]] uintptr_t pc() const noexcept { return r_.pc; }

    // To the caller. False where there is none, or none can be found.
    bool step() noexcept {
        const frame_rule rule = find_rule(interrupted_ ? r_.pc : r_.pc - 1);
        uintptr_t cfa = 0;
        if (!address_of(rule.cfa, 0, cfa) || (rule.cfa_in_memory && !stack_.read(cfa, cfa)))
            return false;
        // Upwards; but a signal's handler may have a stack of its own.
        if (cfa % sizeof(uintptr_t) != 0 || (cfa <= r_.sp && !rule.signal))
            return false;
        if (rule.pc.from == base::fp && cfa - r_.sp > most_by_guess)
            return false;
        os::registers caller{0, cfa, r_.fp, r_.bx};
        uintptr_t at = 0;
        if (!address_of(rule.pc, cfa, at) || !stack_.read(at, caller.pc))
            return false;
        if (!restore(rule.fp, cfa, caller.fp) || !restore(rule.bx, cfa, caller.bx))
            return false;
        interrupted_ = rule.signal;
        r_ = caller;
        return caller.pc != 0;
    }

private:
    frame_rule find_rule(uintptr_t pc) noexcept {
        const object_finder::known* in = os::has_frame_rules ? objects_.find(pc) : nullptr;
        if (in == nullptr)
            return by_frame_pointer;
        const uint64_t key = pc ^ in->fingerprint;
        if (const uint64_t packed = find_cached(key); packed != 0)
            return unpack(packed);
        frame_rule rule;
        if (!find_frame_rule(in->object, pc, rule))
            rule = by_frame_pointer;
        if (const uint64_t packed = pack(rule); packed != 0)
            put_into_cache(key, packed);
        return rule;
    }

    bool address_of(place p, uintptr_t cfa, uintptr_t& address) const noexcept {
        const auto distance = static_cast<uintptr_t>(intptr_t{p.offset});
        switch (p.from) {
        case base::cfa:
            address = cfa + distance;
            return true;
        case base::sp:
            address = r_.sp + distance;
            return true;
        case base::fp:
            address = r_.fp + distance;
            return true;
        case base::bx:
            address = r_.bx + distance;
            return true;
        default:
            return false;
        }
    }

    // The register's value in the caller. Where that is lost, nobody should need it: 0, which is no address.
    bool restore(place p, uintptr_t cfa, uintptr_t& value) noexcept {
        if (p.from == base::kept)
            return true;
        uintptr_t at = 0;
        if (address_of(p, cfa, at))
            return stack_.read(at, value);
        value = 0;
        return true;
    }

    os::registers r_;
    stack_memory stack_;
    object_finder objects_;
    bool interrupted_ = true; // pc is an instruction of its own, not the one behind a call
};

} // namespace

unsigned unwind(uintptr_t* frames, unsigned most) noexcept {
    constexpr unsigned most_own = 64; // frames of this library's between the program's
    walk w(os::registers_here());
    unsigned count = 0;
    for (unsigned steps = 0; count < most && steps < most + most_own && w.step(); ++steps)
        if (!os::is_in_library(w.pc()))
            frames[count++] = w.pc();
    return count;
}

} // namespace lowtide
