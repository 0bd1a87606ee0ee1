// The functions in a file's symbol tables, by address. libdwfl's own look-up goes through all of them each
// time.
#pragma once

#include <elfutils/libdwfl.h>
#include <vector>

namespace lowtide::tools {

class symbol_table {
public:
    void read(Dwfl_Module* module);

    /// Null if no function is there.
    const char* function_at(GElf_Addr address) const;

private:
    struct function {
        GElf_Addr begin;
        GElf_Addr end;
        int preference; // among those that begin at the same address
        const char* name;
    };
    std::vector<function> functions_; // by address, none twice
};

} // namespace lowtide::tools
