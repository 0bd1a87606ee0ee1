#include "guard/wrong_free.h"

#include "base/print.h"
#include "os/machine.h"

namespace lowtide {

void report_wrong_pointer(const char* call, free_error error, const void* p, const span* s) noexcept {
    char text[256];
    printer line(text);
    if (error == free_error::interior && s != nullptr && s->kind == span_kind::slab) {
        const uintptr_t offset = (reinterpret_cast<uintptr_t>(p) - s->base) / s->object_size * s->object_size;
        line.print("lowtide: {} of {}, which is not the start of a block (interior pointer, size class {}, "
                   "block {})\n",
                   call, p, s->object_size, reinterpret_cast<const void*>(s->base + offset));
    } else if (error == free_error::interior && s != nullptr) {
        line.print(
            "lowtide: {} of {}, which is not the start of a block (interior pointer, block {} of {})\n", call,
            p, reinterpret_cast<const void*>(s->base), byte_count{s->object_size});
    } else if (error == free_error::double_free) {
        const bool again = std::string_view(call) == "free";
        line.print("lowtide: {}{} of {}", again ? "double " : "", call, p);
        if (s != nullptr && s->kind == span_kind::slab)
            line.print(" (size class {})", s->object_size);
        line.print(": this memory is free, or was never handed out\n");
    } else {
        line.print(
            "lowtide: {} of {}: not a pointer from this allocator, or one to a huge block that is gone\n",
            call, p);
    }
    os::abort_process(line.text());
}

void report_pool_block(const char* call, const void* p) noexcept {
    char text[256];
    printer line(text);
    line.print("lowtide: {} of {}: that is in a block pool, to which lowtide_block_pool_give gives it back\n",
               call, p);
    os::abort_process(line.text());
}

void report_wrong_size(const char* call, const void* p, size_t usable, size_t alignment,
                       size_t size) noexcept {
    char text[256];
    printer line(text);
    line.print("lowtide: {} of {} with size {} and alignment {}: this block has {} bytes\n", call, p, size,
               alignment, usable);
    os::abort_process(line.text());
}

} // namespace lowtide
