// The 20 replaceable forms of operator new and operator delete as tables: 8 that allocate, 12 that free. A
// form that takes no alignment is given aligned = 16 and ignores it; so with the size.
#ifndef LOWTIDE_TEST_ABI_FORMS_H
#define LOWTIDE_TEST_ABI_FORMS_H

#include <cstddef>
#include <iterator>
#include <new>

struct new_form {
    const char* name;
    bool array, nothrow, aligned;
    void* (*get)(std::size_t size, std::size_t alignment);
};

inline constexpr new_form new_forms[] = {
    {"operator new(size)", false, false, false,
     [](std::size_t size, std::size_t) { return ::operator new(size); }},
    {"operator new[](size)", true, false, false,
     [](std::size_t size, std::size_t) { return ::operator new[](size); }},
    {"operator new(size, nothrow)", false, true, false,
     [](std::size_t size, std::size_t) { return ::operator new(size, std::nothrow); }},
    {"operator new[](size, nothrow)", true, true, false,
     [](std::size_t size, std::size_t) { return ::operator new[](size, std::nothrow); }},
    {"operator new(size, align)", false, false, true,
     [](std::size_t size, std::size_t alignment) {
         return ::operator new (size, std::align_val_t{alignment});
     }},
    {"operator new[](size, align)", true, false, true,
     [](std::size_t size, std::size_t alignment) {
         return ::operator new[](size, std::align_val_t{alignment});
     }},
    {"operator new(size, align, nothrow)", false, true, true,
     [](std::size_t size, std::size_t alignment) {
         return ::operator new (size, std::align_val_t{alignment}, std::nothrow);
     }},
    {"operator new[](size, align, nothrow)", true, true, true,
     [](std::size_t size, std::size_t alignment) {
         return ::operator new[](size, std::align_val_t{alignment}, std::nothrow);
     }},
};

struct delete_form {
    const char* name;
    bool array, aligned;
    void (*give)(void* block, std::size_t size, std::size_t alignment);

    // Whether C++ lets this form free what that form allocated.
    constexpr bool suits(const new_form& form) const {
        return array == form.array && aligned == form.aligned;
    }
};

inline constexpr delete_form delete_forms[] = {
    {"operator delete(p)", false, false,
     [](void* block, std::size_t, std::size_t) { ::operator delete(block); }},
    {"operator delete[](p)", true, false,
     [](void* block, std::size_t, std::size_t) { ::operator delete[](block); }},
    {"operator delete(p, nothrow)", false, false,
     [](void* block, std::size_t, std::size_t) { ::operator delete(block, std::nothrow); }},
    {"operator delete[](p, nothrow)", true, false,
     [](void* block, std::size_t, std::size_t) { ::operator delete[](block, std::nothrow); }},
    {"operator delete(p, size)", false, false,
     [](void* block, std::size_t size, std::size_t) { ::operator delete(block, size); }},
    {"operator delete[](p, size)", true, false,
     [](void* block, std::size_t size, std::size_t) { ::operator delete[](block, size); }},
    {"operator delete(p, align)", false, true,
     [](void* block, std::size_t, std::size_t alignment) {
         ::operator delete (block, std::align_val_t{alignment});
     }},
    {"operator delete[](p, align)", true, true,
     [](void* block, std::size_t, std::size_t alignment) {
         ::operator delete[](block, std::align_val_t{alignment});
     }},
    {"operator delete(p, size, align)", false, true,
     [](void* block, std::size_t size, std::size_t alignment) {
         ::operator delete (block, size, std::align_val_t{alignment});
     }},
    {"operator delete[](p, size, align)", true, true,
     [](void* block, std::size_t size, std::size_t alignment) {
         ::operator delete[](block, size, std::align_val_t{alignment});
     }},
    {"operator delete(p, align, nothrow)", false, true,
     [](void* block, std::size_t, std::size_t alignment) {
         ::operator delete (block, std::align_val_t{alignment}, std::nothrow);
     }},
    {"operator delete[](p, align, nothrow)", true, true,
     [](void* block, std::size_t, std::size_t alignment) {
         ::operator delete[](block, std::align_val_t{alignment}, std::nothrow);
     }},
};

// The block of a new-expression, through where the compiler cannot see: it may not leave out the allocation.
template <class T>
T* opaque(T* block) {
    asm volatile("" : "+r"(block)::"memory");
    return block;
}

static_assert(std::size(new_forms) == 8 && std::size(delete_forms) == 12, "all 20 replaceable forms");

#endif
