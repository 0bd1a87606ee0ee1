// Forced restarts: a program is interrupted at every instruction of every restartable sequence, once and
// again and again, and must neither lose a block nor hand one out twice.
//
// To be stopped by a tracer is an interruption like any other: the kernel takes the thread off the processor,
// and when it goes on, it does so at the sequence's abort handler. That this really happens is verified each
// time.
//
//   stepping LIBRARY STEPPED once|always|single-step
#include "stepping.h"
#include "disassembly.h"
#include "library_symbols.h"

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace rseq_test;

namespace {

// What is interrupted, in a process with these options.
struct subject {
    const char* options;
    std::vector<const char*> sequences;
    size_t fast; // so many of them, the first
};
const subject usual = {nullptr,
                       {"lowtide_malloc", "lowtide_new", "lowtide_free", "lowtide_free_sized",
                        "lowtide_delete_sized", "lowtide_rseq_pop", "lowtide_rseq_push",
                        "lowtide_rseq_exchange"},
                       5};
const subject sampled = {"sample:64K", {"lowtide_malloc_counted", "lowtide_free"}, 2};
// A slow path is short: what takes longer than this many instructions for one call goes round in circles.
constexpr long most_steps = 200000;

// ---- the stepped process

class process {
public:
    process(const char* library, const char* program, const char* options) : id_(fork()) {
        if (id_ == 0) {
            setenv("LD_PRELOAD", library, 1);
            unsetenv("LOWTIDE_CONF");
            if (options != nullptr)
                setenv("LOWTIDE_CONF", options, 1);
            unsetenv("GLIBC_TUNABLES");
            ptrace(PTRACE_TRACEME, 0, 0, 0);
            execl(program, program, static_cast<char*>(nullptr));
            _exit(127);
        }
        wait_for_trap();
        ptrace(PTRACE_SETOPTIONS, id_, 0, PTRACE_O_EXITKILL);
    }

    [[nodiscard]] pid_t id() const { return id_; }

    // Runs until the next breakpoint; one instruction. To the address it stopped at.
    uint64_t go_on() { return resume(PTRACE_CONT); }
    uint64_t step() { return resume(PTRACE_SINGLESTEP); }

    [[nodiscard]] long message() const { return static_cast<long>(peek_register(offsetof(user, regs.rax))); }
    void answer(long with) { poke_register(offsetof(user, regs.rax), static_cast<uint64_t>(with)); }
    void set_instruction(uint64_t address) { poke_register(offsetof(user, regs.rip), address); }

    void set_breakpoint(uint64_t address) {
        if (saved_.contains(address))
            return;
        const auto word = static_cast<uint64_t>(ptrace(PTRACE_PEEKTEXT, id_, address, 0));
        saved_[address] = static_cast<uint8_t>(word);
        poke_byte(address, 0xcc);
    }
    void remove_breakpoint(uint64_t address) {
        const auto found = saved_.find(address);
        if (found == saved_.end())
            return;
        poke_byte(address, found->second);
        saved_.erase(found);
    }
    void remove_breakpoints() {
        while (!saved_.empty())
            remove_breakpoint(saved_.begin()->first);
    }
    [[nodiscard]] bool has_breakpoint(uint64_t address) const { return saved_.contains(address); }

    // It is to end by itself, with success.
    void require_end() {
        ptrace(PTRACE_CONT, id_, 0, 0);
        int status = 0;
        waitpid(id_, &status, 0);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fail("the stepped program ended with status %#x", static_cast<unsigned>(status));
    }

private:
    uint64_t resume(__ptrace_request how) {
        if (ptrace(how, id_, 0, 0) != 0)
            fail("the stepped program can't go on: %s", strerror(errno));
        return wait_for_trap();
    }

    uint64_t wait_for_trap() {
        int status = 0;
        if (waitpid(id_, &status, 0) != id_ || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
            fail("the stepped program did not stop at a breakpoint: status %#x",
                 static_cast<unsigned>(status));
        return peek_register(offsetof(user, regs.rip));
    }

    [[nodiscard]] uint64_t peek_register(size_t offset) const {
        return static_cast<uint64_t>(ptrace(PTRACE_PEEKUSER, id_, offset, 0));
    }
    void poke_register(size_t offset, uint64_t value) { ptrace(PTRACE_POKEUSER, id_, offset, value); }

    void poke_byte(uint64_t address, uint8_t byte) {
        const auto word = static_cast<uint64_t>(ptrace(PTRACE_PEEKTEXT, id_, address, 0));
        if (ptrace(PTRACE_POKETEXT, id_, address, (word & ~uint64_t{0xff}) | byte) != 0)
            fail("no breakpoint at %#lx: %s", address, strerror(errno));
    }

    pid_t id_;
    std::map<uint64_t, uint8_t> saved_;
};

// ---- the sequences

struct sequence {
    const char* name;
    uint64_t abort;
    std::vector<uint64_t> instructions; // from start to one before commit
};

std::vector<sequence> find_sequences(const std::string& library, uint64_t base, const subject& of) {
    const symbol_table symbols = read_symbols(library);
    std::vector<sequence> all;
    for (const char* name : of.sequences) {
        const auto at = [&](const char* label) { return address_of(symbols, std::string(name) + label); };
        sequence s{name, base + at("_abort"), {}};
        for (const instruction& i : disassemble(library, at("_start"), at("_commit")))
            s.instructions.push_back(base + i.address);
        all.push_back(s);
    }
    return all;
}

class stepper {
public:
    stepper(const char* library, const char* program, const subject& of)
        : child_(library, program, of.options), fast_(of.fast) {
        // The first stop is the program's execve, the second its own.
        own_stop_ = child_.go_on();
        sequences_ = find_sequences(library, load_base(child_.id(), library), of);
    }

    // Interrupts the k-th instruction of each sequence, for each k: in each call once, or each time it gets
    // there.
    void interrupt_everywhere(bool always) {
        for (const sequence& s : sequences_) {
            for (size_t k = 0; k < s.instructions.size(); ++k) {
                const unsigned times = interrupt(s, k, always);
                printf("%s, instruction %zu: interrupted %u times\n", s.name, k, times);
                if (times == 0)
                    fail("%s never came to its instruction %zu", s.name, k);
            }
        }
        end();
    }

    // Executes calls one instruction at a time, with the kernel in between after each.
    void single_step() {
        child_.answer(go_on);
        long longest = 0;
        for (unsigned calls = 0;;) {
            child_.go_on();
            if (child_.message() == round_ends)
                break;
            if (child_.message() != operation_begins || ++calls % 3 != 0)
                continue;
            const long steps = step_to_next_stop();
            longest = steps > longest ? steps : longest;
        }
        printf("the longest call took %ld instructions\n", longest);
        child_.go_on();
        end();
    }

private:
    void end() {
        child_.answer(finish);
        child_.require_end();
    }

    long step_to_next_stop() {
        long steps = 1;
        for (; child_.step() != own_stop_; ++steps) {
            if (steps == most_steps)
                fail("a call did not end within %ld instructions", most_steps);
        }
        return steps;
    }

    // Slow paths only come to the end of their sequences when a fast path could have done it, but was
    // interrupted.
    [[nodiscard]] bool is_fast(const sequence& s) const {
        return static_cast<size_t>(&s - sequences_.data()) < fast_;
    }

    void arm(const sequence& s, size_t k) {
        child_.set_breakpoint(s.instructions[k]);
        if (is_fast(s))
            return;
        for (const sequence& other : sequences_) {
            if (is_fast(other))
                child_.set_breakpoint(other.instructions[0]);
        }
    }

    // One round of the program; how often the instruction was interrupted.
    unsigned interrupt(const sequence& s, size_t k, bool always) {
        unsigned times = 0;
        child_.answer(go_on);
        for (;;) {
            const uint64_t at = child_.go_on();
            if (at == own_stop_) {
                if (child_.message() == round_ends)
                    break;
                if (child_.message() == operation_begins)
                    arm(s, k);
                continue;
            }
            const uint64_t interrupted = abort_at(at);
            times += interrupted == s.instructions[k] ? 1 : 0;
            if (always)
                child_.set_breakpoint(interrupted);
        }
        child_.remove_breakpoints();
        child_.go_on(); // to the beginning of the next round
        return times;
    }

    [[nodiscard]] const sequence& containing(uint64_t address) const {
        for (const sequence& s : sequences_) {
            if (address >= s.instructions.front() && address <= s.instructions.back())
                return s;
        }
        fail("the stepped program stopped at %#lx, where no breakpoint is", address);
    }

    // It has stopped at `at`: behind a breakpoint in a sequence. Lets it go on from there, which must lead to
    // the abort handler before anything else is executed. Leaves it there; the address that was interrupted.
    uint64_t abort_at(uint64_t at) {
        for (const sequence& s : sequences_) {
            // The kernel interrupted the thread once more between the breakpoint and this stop, and has
            // restarted it.
            if (at == s.abort)
                return restarted_already(s);
        }
        const uint64_t address = at - 1;
        const sequence& s = containing(address);
        child_.remove_breakpoint(address);
        child_.set_instruction(address);
        child_.set_breakpoint(s.abort);
        const uint64_t next = child_.go_on();
        if (next != s.abort + 1)
            fail("%s was interrupted at its instruction at +%#lx and not restarted: it went on to %#lx",
                 s.name, address - s.instructions.front(), next);
        child_.remove_breakpoint(s.abort);
        child_.set_instruction(s.abort);
        return address;
    }

    uint64_t restarted_already(const sequence& s) {
        for (const uint64_t address : s.instructions) {
            if (!child_.has_breakpoint(address))
                continue;
            child_.remove_breakpoint(address);
            return address;
        }
        fail("%s was restarted, and nobody asked for it", s.name);
    }

    process child_;
    uint64_t own_stop_ = 0;
    size_t fast_;
    std::vector<sequence> sequences_;
};

} // namespace

int main(int argc, char** argv) {
    if (argc != 4 && !(argc == 5 && strcmp(argv[4], "sampled") == 0))
        fail("usage: stepping LIBRARY STEPPED once|always|single-step [sampled]");
    require_concurrency_ids();
    stepper s(argv[1], argv[2], argc == 5 ? sampled : usual);
    if (strcmp(argv[3], "single-step") == 0)
        s.single_step();
    else
        s.interrupt_everywhere(strcmp(argv[3], "always") == 0);
}
