#include "entry/cxx_runtime.h"

#include "base/print.h"
#include "os/machine.h"

#include <dlfcn.h>
#include <initializer_list>

// Strong where the program brings the library, weak where it may have none: null, then, at start-up.
#ifdef LOWTIDE_SHARED
#define LOWTIDE_RUNTIME __attribute__((weak))
#else
#define LOWTIDE_RUNTIME
#endif

extern "C" {
// std::get_new_handler() and std::__throw_bad_alloc().
lowtide::new_handler _ZSt15get_new_handlerv() noexcept LOWTIDE_RUNTIME;
void _ZSt17__throw_bad_allocv() LOWTIDE_RUNTIME;
void __gxx_personality_v0() LOWTIDE_RUNTIME;
}

namespace lowtide {

namespace {

[[noreturn]] void give_up(size_t size) noexcept {
    char text[160];
    printer line(text);
    line.print(
        "lowtide: operator new of {} bytes failed, and no C++ run-time library is there to throw bad_alloc\n",
        size);
    os::abort_process(line.text());
}

} // namespace

#ifdef LOWTIDE_SHARED

namespace {

constexpr std::initializer_list<const char*> runtime_libraries = {"libstdc++.so.6", "libc++abi.so.1",
                                                                  "libc++.so.1"};

void* find_in(const char* object, const char* name) noexcept {
    void* handle = dlopen(object, RTLD_LAZY | RTLD_NOLOAD);
    return handle == nullptr ? nullptr : dlsym(handle, name);
}

// In the caller's object and what it depends on, or in a library that came later.
void* find_locally(const char* name, const void* caller) noexcept {
    Dl_info info{};
    if (dladdr(caller, &info) != 0 && info.dli_fname != nullptr)
        if (void* symbol = find_in(info.dli_fname, name))
            return symbol;
    for (const char* library : runtime_libraries)
        if (void* symbol = find_in(library, name))
            return symbol;
    return nullptr;
}

void* find(const char* name, const void* caller) noexcept {
    void* symbol = dlsym(RTLD_DEFAULT, name);
    return symbol != nullptr ? symbol : find_locally(name, caller);
}

} // namespace

new_handler current_new_handler(const void* caller) noexcept {
    auto* get = &_ZSt15get_new_handlerv;
    if (get == nullptr)
        get = reinterpret_cast<decltype(get)>(find("_ZSt15get_new_handlerv", caller));
    return get == nullptr ? nullptr : get();
}

void throw_bad_alloc(size_t size, const void* caller) {
    auto* thrower = &_ZSt17__throw_bad_allocv;
    if (thrower == nullptr)
        thrower = reinterpret_cast<decltype(thrower)>(find("_ZSt17__throw_bad_allocv", caller));
    if (thrower != nullptr)
        thrower();
    // libc++ has no such function: what a throw expression compiles to (Itanium C++ ABI, 2.4).
    auto* allocate = reinterpret_cast<void* (*)(size_t)>(find("__cxa_allocate_exception", caller));
    auto* raise = reinterpret_cast<void (*)(void*, void*, void (*)(void*))>(find("__cxa_throw", caller));
    auto* vtable = static_cast<void**>(find("_ZTVSt9bad_alloc", caller));
    void* type = find("_ZTISt9bad_alloc", caller);
    auto* destroy = reinterpret_cast<void (*)(void*)>(find("_ZNSt9bad_allocD1Ev", caller));
    if (allocate != nullptr && raise != nullptr && vtable != nullptr && type != nullptr) {
        auto* exception = static_cast<void***>(allocate(sizeof(void*)));
        *exception = vtable + 2; // behind the offset to top and the type information
        raise(exception, type, destroy);
    }
    give_up(size);
}

bool can_catch() noexcept {
    return &__gxx_personality_v0 != nullptr;
}

void* runtime_definition(const char* name, const void* caller) noexcept {
    return find_locally(name, caller);
}

#else

new_handler current_new_handler(const void*) noexcept {
    return _ZSt15get_new_handlerv();
}

void throw_bad_alloc(size_t size, const void*) {
    _ZSt17__throw_bad_allocv();
    give_up(size);
}

bool can_catch() noexcept {
    return true;
}

void* runtime_definition(const char*, const void*) noexcept {
    return nullptr;
}

#endif

} // namespace lowtide
