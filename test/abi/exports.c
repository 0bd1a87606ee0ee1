/* What liblowtide.so exports: the whole surface, and nothing else. A function of libc that is exported here
   (strdup, mmap, ...) would take that function's place in every program. */
#include "check.h"
#include "face.h"
#include "sizes.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <string.h>

static const char* const surface[] = {
    /* C */
    "malloc", "calloc", "realloc", "reallocarray", "free", "cfree", "free_sized", "free_aligned_sized",
    "aligned_alloc", "posix_memalign", "memalign", "valloc", "pvalloc", "malloc_usable_size", "malloc_trim",
    "mallopt", "mallinfo", "mallinfo2", "malloc_stats", "malloc_info",
    /* C++: operator new and new[]; plain, nothrow, aligned, aligned and nothrow */
    "_Znwm", "_ZnwmRKSt9nothrow_t", "_ZnwmSt11align_val_t", "_ZnwmSt11align_val_tRKSt9nothrow_t", "_Znam",
    "_ZnamRKSt9nothrow_t", "_ZnamSt11align_val_t", "_ZnamSt11align_val_tRKSt9nothrow_t",
    /* operator delete and delete[]; plain, nothrow, sized, aligned, sized and aligned, aligned and nothrow */
    "_ZdlPv", "_ZdlPvRKSt9nothrow_t", "_ZdlPvm", "_ZdlPvSt11align_val_t", "_ZdlPvmSt11align_val_t",
    "_ZdlPvSt11align_val_tRKSt9nothrow_t", "_ZdaPv", "_ZdaPvRKSt9nothrow_t", "_ZdaPvm",
    "_ZdaPvSt11align_val_t", "_ZdaPvmSt11align_val_t", "_ZdaPvSt11align_val_tRKSt9nothrow_t",
    /* its own */
    "lowtide_owns", "lowtide_version", "lowtide_stats", "lowtide_account_print", "lowtide_profile_set_rate", "lowtide_profile_write",
    "lowtide_region_create", "lowtide_region_strdup", "lowtide_region_destroy", "lowtide_region_reset",
    "lowtide_region_alloc_slow", "lowtide_region_calloc", "lowtide_region_free", "lowtide_region_memdup",
    "lowtide_region_strndup", "lowtide_region_printf", "lowtide_region_vprintf", "lowtide_region_add_cleanup",
    "lowtide_region_remove_cleanup", "lowtide_region_set_handle", "lowtide_region_parent", "lowtide_region_name",
    "lowtide_region_stats", "lowtide_region_print", "lowtide_block_pool_create", "lowtide_block_pool_take",
    "lowtide_block_pool_give", "lowtide_block_pool_destroy", "lowtide_block_pool_try_take",
    "lowtide_block_pool_take_within", "lowtide_block_pool_trim", "lowtide_block_pool_stats",
    "lowtide_block_pool_print", "lowtide_heap_create", "lowtide_heap_malloc", "lowtide_heap_destroy",
    "lowtide_heap_calloc", "lowtide_heap_aligned_alloc", "lowtide_heap_realloc", "lowtide_heap_free",
    "lowtide_heap_usable_size", "lowtide_heap_of", "lowtide_heap_name", "lowtide_heap_walk", "lowtide_heap_stats"};

/* Names of malloc's that glibc exports too: a program that calls them must get our blocks. */
static const char* const libc_names[] = {"__libc_malloc",   "__libc_calloc", "__libc_realloc", "__libc_free",
                                         "__libc_memalign", "__libc_valloc", "__libc_pvalloc"};

static int is_in(const char* const* names, size_t count, const char* name) {
    for (size_t i = 0; i < count; ++i)
        if (strcmp(names[i], name) == 0)
            return 1;
    return 0;
}

static const struct link_map* library(void) {
    Dl_info info;
    struct link_map* map = NULL;
    void* address = NULL;
    memcpy(&address, &lowtide.owns, sizeof address);
    REQUIRE(dladdr1(address, &info, (void**)&map, RTLD_DL_LINKMAP) != 0 && map);
    REQUIRE(strstr(map->l_name, "liblowtide.so"));
    return map;
}

static const void* dynamic_entry(ElfW(Sxword) tag) {
    for (const ElfW(Dyn)* entry = library()->l_ld; entry->d_tag != DT_NULL; ++entry)
        if (entry->d_tag == tag)
            return (const void*)entry->d_un.d_ptr;
    return NULL;
}

/* The dynamic symbol table says nowhere how long it is; the last hash chain ends with it. */
static size_t symbol_count(void) {
    const uint32_t* const hash = (const uint32_t*)dynamic_entry(DT_GNU_HASH);
    REQUIRE(hash);
    const uint32_t buckets = hash[0], first_hashed = hash[1], bloom_words = hash[2];
    const uint32_t* const bucket = hash + 4 + bloom_words * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
    const uint32_t* const chain = bucket + buckets;
    size_t last = 0;
    for (uint32_t i = 0; i < buckets; ++i)
        last = bucket[i] > last ? bucket[i] : last;
    REQUIRE(last >= first_hashed);
    while (!(chain[last - first_hashed] & 1))
        ++last;
    return last + 1;
}

TEST(the_whole_surface_is_exported_and_found_first) {
    for (size_t i = 0; i < COUNT_OF(surface); ++i) {
        Dl_info info = {0};
        void* const found = dlsym(RTLD_DEFAULT, surface[i]);
        at(surface[i], 0, 0);
        if (CHECK(found) && CHECK(dladdr(found, &info) != 0))
            CHECK(strcmp(info.dli_fname, library()->l_name) == 0);
    }
}

TEST(nothing_else_is_exported) {
    const ElfW(Sym)* const symbols = (const ElfW(Sym)*)dynamic_entry(DT_SYMTAB);
    const char* const strings = (const char*)dynamic_entry(DT_STRTAB);
    REQUIRE(symbols && strings);
    size_t exported = 0;
    for (size_t i = 1; i < symbol_count(); ++i) {
        const unsigned char type = symbols[i].st_info & 0xf;
        if (symbols[i].st_shndx == SHN_UNDEF || (symbols[i].st_shndx == SHN_ABS && type == STT_OBJECT))
            continue; /* imported, or the name of a symbol version */
        if (symbols[i].st_info >> 4 == STB_LOCAL)
            continue; /* a section's: no program can name it */
        const char* const name = strings + symbols[i].st_name;
        at(name, i, 0);
        CHECK(is_in(surface, COUNT_OF(surface), name) || is_in(libc_names, COUNT_OF(libc_names), name));
        ++exported;
    }
    CHECK(exported >= COUNT_OF(surface));
}

TEST(functions_of_libc_stay_libcs) {
    static const char* const names[] = {"strdup", "strndup",   "wcsdup",         "realpath",       "mmap",
                                        "mmap64", "munmap",    "mremap",         "madvise",        "brk",
                                        "sbrk",   "memcpy",    "memset",         "memmove",        "memcmp",
                                        "fork",   "vfork",     "pthread_create", "pthread_atfork", "dlopen",
                                        "dlsym",  "sigaction", "abort",          "getenv",         "write"};
    void* const handle = dlopen(library()->l_name, RTLD_NOW | RTLD_NOLOAD);
    REQUIRE(handle);
    for (size_t i = 0; i < COUNT_OF(names); ++i) {
        Dl_info info = {0};
        void* const found = dlsym(handle, names[i]); /* looks in what the library needs, too */
        at(names[i], 0, 0);
        if (found && CHECK(dladdr(found, &info) != 0))
            CHECK(strcmp(info.dli_fname, library()->l_name) != 0);
    }
}
