// A library that holds memory when it is closed; see holder.h. In C++, so that static and thread-local
// objects with destructors are part of it.
#include "holder.h"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace {

std::vector<std::string> names(100, std::string(100, 'n'));
const std::unique_ptr<char[]> large(new char[3'000'000]);
thread_local std::vector<int> of_thread(1000);

} // namespace

extern "C" {

int holder_take(void** blocks) {
    names.emplace_back(500, 'm');
    of_thread.push_back(1);
    for (int i = 0; i < HOLDER_BLOCKS; ++i) {
        blocks[i] = std::malloc(holder_size(i));
        if (blocks[i] == nullptr) {
            return 1;
        }
        std::memset(blocks[i], HOLDER_MARK, holder_size(i));
    }
    return large[0] == 'x';
}

int holder_use() {
    void* blocks[HOLDER_BLOCKS];
    if (holder_take(blocks) != 0) {
        return 1;
    }
    for (int i = 0; i < HOLDER_BLOCKS; ++i) {
        blocks[i] = std::realloc(blocks[i], 2 * holder_size(i));
        if (blocks[i] == nullptr || *static_cast<unsigned char*>(blocks[i]) != HOLDER_MARK) {
            return 1;
        }
        std::free(blocks[i]);
    }
    return 0;
}
}
