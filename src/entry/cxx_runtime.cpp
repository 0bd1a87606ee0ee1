#include "entry/cxx_runtime.h"

#include <cstddef>
#include <dlfcn.h>
#include <initializer_list>

extern "C" {
// std::get_new_handler() and std::__throw_bad_alloc() (libstdc++), the Itanium C++ ABI's part of throwing (both
// libraries). Weak: null when no C++ library was there at start-up.
lowtide::new_handler _ZSt15get_new_handlerv() noexcept __attribute__((weak));
void _ZSt17__throw_bad_allocv() __attribute__((weak));
void* dlopen(const char*, int) noexcept __attribute__((weak));
void* dlsym(void* __restrict, const char* __restrict) noexcept __attribute__((weak));
}

namespace lowtide {

namespace {

// A library that came later, by dlopen: perhaps not in the global scope.
void* find(const char* name) {
    if (&dlsym == nullptr || &dlopen == nullptr)
        return nullptr; // static program: everything is linked or absent
    if (void* symbol = dlsym(RTLD_DEFAULT, name))
        return symbol;
    for (const char* library : {"libstdc++.so.6", "libc++abi.so.1", "libc++.so.1"}) {
        void* handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
        void* symbol = handle == nullptr ? nullptr : dlsym(handle, name);
        if (symbol != nullptr)
            return symbol;
    }
    return nullptr;
}

template <typename Function>
Function* found(Function* linked, const char* name) {
    return linked != nullptr ? linked : reinterpret_cast<Function*>(find(name));
}

} // namespace

new_handler current_new_handler() noexcept {
    auto* get = found(&_ZSt15get_new_handlerv, "_ZSt15get_new_handlerv");
    return get == nullptr ? nullptr : get();
}

void throw_bad_alloc() {
    if (auto* thrower = found(&_ZSt17__throw_bad_allocv, "_ZSt17__throw_bad_allocv"))
        thrower();
    // libc++ has no such function: what a throw expression compiles to (Itanium C++ ABI, 2.4).
    auto* allocate = reinterpret_cast<void* (*)(size_t)>(find("__cxa_allocate_exception"));
    auto* raise = reinterpret_cast<void (*)(void*, void*, void (*)(void*))>(find("__cxa_throw"));
    auto* vtable = static_cast<void**>(find("_ZTVSt9bad_alloc"));
    void* type = find("_ZTISt9bad_alloc");
    auto* destroy = reinterpret_cast<void (*)(void*)>(find("_ZNSt9bad_allocD1Ev"));
    if (allocate == nullptr || raise == nullptr || vtable == nullptr || type == nullptr)
        return;
    auto* exception = static_cast<void***>(allocate(sizeof(void*)));
    *exception = vtable + 2; // behind the offset to top and the type information
    raise(exception, type, destroy);
}

} // namespace lowtide
