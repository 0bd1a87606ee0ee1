// dlopen and dlclose: of the library itself, into a process whose malloc is another; and of other libraries
// that hold memory of ours when they go.
#include "harness.h"
#include "libraries/holder.h"
#include "scratch.h"
#include "workload.h"

#include <cstring>
#include <dlfcn.h>
#include <link.h>

using namespace harness;
using namespace workload;

namespace {

struct allocator {
    void* (*malloc)(size_t);
    void* (*calloc)(size_t, size_t);
    void* (*realloc)(void*, size_t);
    void (*free)(void*);
    int (*owns)(const void*);
};

template <class Function>
void look_up(void* handle, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(handle, name));
    REQUIRE(function != nullptr);
}

allocator functions_of(void* handle) {
    allocator a{};
    look_up(handle, "malloc", a.malloc);
    look_up(handle, "calloc", a.calloc);
    look_up(handle, "realloc", a.realloc);
    look_up(handle, "free", a.free);
    if (any_allocator_allowed()) {
        a.owns = [](const void*) { return 1; };
    } else {
        look_up(handle, "lowtide_owns", a.owns);
    }
    return a;
}

void use(const allocator& a) {
    for (size_t size : {1, 16, 100, 1000, 10'000, 100'000, 1'000'000, 100'000'000}) {
        void* blocks[] = {a.malloc(size), a.calloc(size, 1), a.realloc(nullptr, size)};
        for (void* block : blocks) {
            REQUIRE(block != nullptr && a.owns(block));
            std::memset(block, 0x5a, size < 100'000 ? size : 100'000);
        }
        for (void* block : blocks) {
            a.free(block);
        }
    }
}

void* use_in_thread(void* argument) {
    use(*static_cast<const allocator*>(argument));
    return nullptr;
}

void load_use_and_close(int flags) {
    churn on_glibc(1);
    on_glibc.run(1000);
    void* handle = dlopen(library_path().c_str(), flags);
    REQUIRE(handle != nullptr);
    allocator ours = functions_of(handle);
    on_glibc.run(1000);
    void* foreign = std::malloc(100);
    REQUIRE(any_allocator_allowed() || !ours.owns(foreign));
    std::free(foreign);
    use(ours);
    pthread_t thread = start_thread(use_in_thread, &ours);
    use(ours);
    join_thread(thread);
    pid_t child = fork_guarded();
    if (child == 0) {
        use(ours);
        on_glibc.run(1000);
        exit(0);
    }
    require_success(child);
    REQUIRE(dlclose(handle) == 0);
    on_glibc.run(1000);
    use_every_size();
    pthread_t later = start_thread(
        [](void*) -> void* {
            use_every_size();
            return nullptr;
        },
        nullptr);
    join_thread(later);
}

struct taken {
    holder_take_function take;
    void** blocks;
};

void* take_and_die(void* argument) {
    auto* these = static_cast<taken*>(argument);
    REQUIRE(these->take(these->blocks) == 0);
    return nullptr;
}

// How many copies of the small library with static TLS can be loaded before ld.so has no room for more.
int load_static_tls_until_full(const scratch_directory& scratch, int most) {
    int loaded = 0;
    while (loaded < most &&
           dlopen(scratch.copy_of(STATIC_TLS_LIBRARY, loaded).c_str(), RTLD_NOW) != nullptr) {
        ++loaded;
    }
    return loaded;
}

int tls_size_of_library(dl_phdr_info* info, size_t, void* size) {
    if (library_path() == info->dlpi_name) {
        for (const ElfW(Phdr)* p = info->dlpi_phdr; p != info->dlpi_phdr + info->dlpi_phnum; ++p) {
            if (p->p_type == PT_TLS) {
                *static_cast<size_t*>(size) = p->p_memsz;
            }
        }
        return 1;
    }
    return 0;
}

} // namespace

PROMISE_ON_GLIBC(the_library_can_be_loaded_beside_another_malloc) {
    load_use_and_close(RTLD_NOW | RTLD_LOCAL);
}

PROMISE_ON_GLIBC(the_library_can_be_loaded_globally_beside_another_malloc) {
    load_use_and_close(RTLD_NOW | RTLD_GLOBAL);
}

PROMISE_ON_GLIBC(the_library_can_be_loaded_lazily) {
    load_use_and_close(RTLD_LAZY);
}

PROMISE_ON_GLIBC(the_library_can_be_loaded_with_deepbind) {
    load_use_and_close(RTLD_NOW | RTLD_DEEPBIND);
}

PROMISE_ON_GLIBC(the_library_can_be_loaded_and_closed_again_and_again) {
    for (int i = 0; i < 200; ++i) {
        void* handle = dlopen(library_path().c_str(), RTLD_NOW);
        REQUIRE(handle != nullptr);
        allocator ours = functions_of(handle);
        ours.free(ours.malloc(100));
        REQUIRE(dlclose(handle) == 0);
    }
}

// Memory taken before dlclose is still there afterwards, and so are the library's threads and handlers: it is
// never really unmapped.
PROMISE_ON_GLIBC(memory_survives_the_closing_of_the_library) {
    void* handle = dlopen(library_path().c_str(), RTLD_NOW);
    REQUIRE(handle != nullptr);
    allocator ours = functions_of(handle);
    void* blocks[200];
    for (size_t i = 0; i < std::size(blocks); ++i) {
        blocks[i] = ours.malloc(16 + i * 1000);
        REQUIRE(blocks[i] != nullptr);
        mark(blocks[i], 16 + i * 1000, i);
    }
    REQUIRE(dlclose(handle) == 0);
    pid_t child = fork_guarded();
    if (child == 0) {
        exit(0);
    }
    require_success(child);
    for (void* block : blocks) {
        require_intact(block);
    }
    handle = dlopen(library_path().c_str(), RTLD_NOW);
    REQUIRE(handle != nullptr);
    allocator again = functions_of(handle);
    for (void* block : blocks) {
        require_intact(block);
        REQUIRE(again.owns(block));
        again.free(block);
    }
}

PROMISE_ON_GLIBC(at_most_512_bytes_of_static_tls_are_taken) {
    void* handle = dlopen(library_path().c_str(), RTLD_NOW);
    REQUIRE(handle != nullptr);
    size_t size = 0;
    REQUIRE(dl_iterate_phdr(tls_size_of_library, &size) == 1);
    REQUIRE(size <= 512);
}

// Other libraries may have taken most of the space that ld.so keeps for static TLS of late libraries.
PROMISE_ON_GLIBC(the_library_can_be_loaded_when_only_512_bytes_of_static_tls_are_left) {
    scratch_directory scratch;
    pid_t prober = fork_guarded();
    if (prober == 0) {
        _exit(load_static_tls_until_full(scratch, 200));
    }
    const int status = wait_for(prober);
    REQUIRE(WIFEXITED(status));
    const int most = WEXITSTATUS(status);
    constexpr int kCopiesIn512Bytes = 512 / STATIC_TLS_SIZE;
    REQUIRE(most >= kCopiesIn512Bytes && most < 200);
    REQUIRE(load_static_tls_until_full(scratch, most - kCopiesIn512Bytes) == most - kCopiesIn512Bytes);
    void* handle = dlopen(library_path().c_str(), RTLD_NOW);
    REQUIRE(handle != nullptr);
    allocator ours = functions_of(handle);
    use(ours);
}

PROMISE(the_library_can_be_loaded_again_into_a_process_that_runs_on_it) {
    churn mine(1);
    for (int flags : {RTLD_NOW, RTLD_NOW | RTLD_GLOBAL, RTLD_NOW | RTLD_DEEPBIND}) {
        mine.run(100);
        void* handle = dlopen(library_path().c_str(), flags);
        REQUIRE(handle != nullptr);
        allocator same = functions_of(handle);
        same.free(std::malloc(100));
        std::free(same.malloc(100));
        REQUIRE(dlclose(handle) == 0);
    }
}

PROMISE(memory_of_a_closed_library_stays_valid) {
    scratch_directory scratch;
    void* kept[20][HOLDER_BLOCKS];
    for (int i = 0; i < 20; ++i) {
        void* handle = dlopen(scratch.copy_of(HOLDER_LIBRARY, i).c_str(), RTLD_NOW);
        REQUIRE(handle != nullptr);
        holder_take_function take;
        look_up(handle, "holder_take", take);
        // In a thread: a thread-local object of the library's keeps it loaded while its thread lives.
        taken these{take, kept[i]};
        join_thread(start_thread(take_and_die, &these));
        REQUIRE(dlclose(handle) == 0);
        REQUIRE(dlopen(scratch.copy_of(HOLDER_LIBRARY, i).c_str(), RTLD_NOW | RTLD_NOLOAD) == nullptr);
    }
    churn mine(1);
    mine.run(2000);
    for (auto& blocks : kept) {
        for (int i = 0; i < HOLDER_BLOCKS; ++i) {
            const auto* bytes = static_cast<const unsigned char*>(blocks[i]);
            for (size_t at = 0; at < holder_size(i); ++at) {
                REQUIRE(bytes[at] == HOLDER_MARK);
            }
            std::free(blocks[i]);
        }
    }
}

// A library opened with RTLD_DEEPBIND uses the C library's malloc and free throughout: not ours, and no harm.
PROMISE(a_library_opened_with_deepbind_works_on_its_own_malloc) {
    void* handle = dlopen(HOLDER_LIBRARY, RTLD_NOW | RTLD_DEEPBIND);
    REQUIRE(handle != nullptr);
    holder_use_function use_within;
    look_up(handle, "holder_use", use_within);
    churn mine(1);
    for (int i = 0; i < 200; ++i) {
        mine.run(20);
        REQUIRE(use_within() == 0);
    }
    REQUIRE(dlclose(handle) == 0);
}
