// The C surface that asks about the allocator or tells it something: glibc's malloc_trim(3), mallopt(3),
// mallinfo(3), malloc_stats(3), malloc_info(3), and lowtide/lowtide.h. Any thread may call these, before main
// too.
#include "base/versioned.h"
#include "entry/fast_path.h"
#include "entry/heap.h"
#include "lowtide/lowtide.h"
#include "observe/text.h"
#include "os/machine.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <malloc.h>

using namespace lowtide;

namespace {

account current_account() noexcept {
    account a;
    the_heap.fill(a);
    return a;
}

void to_stderr(void*, const char* text, size_t size) noexcept {
    os::write_all(2, text, size);
}

} // namespace

#pragma GCC visibility push(default)

extern "C" {

int malloc_trim(size_t) noexcept {
    return the_heap.trim() != 0 ? 1 : 0;
}

// There is nothing to tune by these here; known ones are accepted so that programs that set them go on.
int mallopt(int parameter, int) noexcept {
    switch (parameter) {
    case M_MXFAST:
    case M_NLBLKS:
    case M_GRAIN:
    case M_KEEP:
    case M_TRIM_THRESHOLD:
    case M_TOP_PAD:
    case M_MMAP_THRESHOLD:
    case M_MMAP_MAX:
    case M_CHECK_ACTION:
    case M_PERTURB:
    case M_ARENA_TEST:
    case M_ARENA_MAX:
        return 1;
    default:
        return 0;
    }
}

// What has a mapping of its own counts like the rest, and not in `hblkhd` as well: programs add that to
// `uordblks` or to `arena`, and others, that know no mappings of their own, don't.
struct mallinfo2 mallinfo2(void) noexcept {
    const account a = current_account();
    struct mallinfo2 m {};
    m.arena = a.pages.committed_bytes + a.huge_bytes;
    m.uordblks = a.live_bytes;
    m.fordblks = m.arena > a.live_bytes ? m.arena - a.live_bytes : 0;
    m.keepcost = a.pages.dirty_bytes;
    for (const class_account& c : a.classes)
        m.ordblks += c.objects - c.live;
    return m;
}

struct mallinfo mallinfo(void) noexcept {
    const auto clamped = [](size_t n) { return n > INT32_MAX ? INT32_MAX : static_cast<int>(n); };
    const struct mallinfo2 m = mallinfo2();
    struct mallinfo narrow {};
    narrow.arena = clamped(m.arena);
    narrow.ordblks = clamped(m.ordblks);
    narrow.uordblks = clamped(m.uordblks);
    narrow.fordblks = clamped(m.fordblks);
    narrow.keepcost = clamped(m.keepcost);
    return narrow;
}

void malloc_stats(void) noexcept {
    char buffer[1024];
    const account a = current_account();
    printer out(buffer, to_stderr);
    print_account(out, a);
}

int malloc_info(int options, FILE* stream) noexcept {
    if (options != 0) {
        errno = EINVAL;
        return -1;
    }
    char buffer[1024];
    const account a = current_account();
    printer out(
        buffer,
        [](void* to, const char* text, size_t size) noexcept {
            fwrite(text, 1, size, static_cast<FILE*>(to));
        },
        stream);
    print_xml(out, a);
    return 0;
}

const char* lowtide_version(void) noexcept {
    return LOWTIDE_VERSION;
}

int lowtide_owns(const void* p) noexcept {
    return the_heap.owns(p) ? 1 : 0;
}

int lowtide_stats(struct lowtide_statistics* out) noexcept {
    const account a = current_account();
    const struct lowtide_statistics now = {sizeof(now),
                                           a.live_bytes,
                                           a.cached_bytes,
                                           a.pages.dirty_bytes,
                                           a.pages.committed_bytes + a.huge_bytes,
                                           a.returned_bytes,
                                           a.metadata_bytes};
    return give_known_fields(now, out);
}

} // extern "C"

#pragma GCC visibility pop
