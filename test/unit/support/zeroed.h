// Zeroed memory as the start of an object: the library's large tables are never constructed, for zero is
// their valid first state, and the tests begin where the library does.
#pragma once

#include "os/vm.h"

#include <gtest/gtest.h>

namespace lowtide::test {

template <typename T>
class zeroed {
public:
    zeroed() : at_(os::map(bytes(), alignof(T) > os::page_size() ? alignof(T) : os::page_size())) {
        if (at_ == 0)
            throw std::bad_alloc();
    }
    ~zeroed() { os::release(at_, bytes()); }
    zeroed(const zeroed&) = delete;
    zeroed& operator=(const zeroed&) = delete;

    T* get() const { return reinterpret_cast<T*>(at_); }
    T* operator->() const { return get(); }

private:
    static size_t bytes() { return (sizeof(T) + os::page_size() - 1) / os::page_size() * os::page_size(); }

    uintptr_t at_;
};

} // namespace lowtide::test
