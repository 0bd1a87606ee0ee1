// The hidden symbols of the library, as its .symtab has them, and where it lies in a process.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <sys/types.h>

namespace rseq_test {

[[noreturn]] __attribute__((format(printf, 1, 2))) void fail(const char* format, ...);

// Skips the test where the kernel has no mm_cid (Linux 6.3): the fast paths are not used there.
void require_concurrency_ids();

// Addresses as the file has them, by name.
using symbol_table = std::map<std::string, uint64_t>;
symbol_table read_symbols(const std::string& library);

// Fails when there is none of this name.
uint64_t address_of(const symbol_table& symbols, const std::string& name);

// What has to be added to such an address in this process. Fails when the library isn't loaded there.
uint64_t load_base(pid_t process, const std::string& library);

} // namespace rseq_test
