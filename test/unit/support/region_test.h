// What the tests of regions share: regions that end with the test, options by name, cleanups that are any
// code.
#pragma once

#include "lowtide/region.h"

#include <cerrno>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <string>

#ifndef __has_feature
#define __has_feature(x) 0
#endif

namespace lowtide::test {

// A sanitizer has its own way to end a program, and its own words.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) ||     \
    __has_feature(thread_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

// lowtide_region_options, as C++ can name a part of the fields without a warning.
struct shape {
    const char* name = nullptr;
    size_t first_chunk = 0;
    size_t largest_chunk = 0;
    size_t limit = 0;
    unsigned warm_chunks = 0;
    int guarded = 0;

    [[nodiscard]] lowtide_region_options options() const {
        return {
            sizeof(lowtide_region_options), name, first_chunk, largest_chunk, limit, warm_chunks, guarded};
    }
};

inline lowtide_region* create(lowtide_region* parent = nullptr, const shape& like = {}) {
    const lowtide_region_options options = like.options();
    return lowtide_region_create(parent, &options);
}

struct destroyer {
    void operator()(lowtide_region* r) const { lowtide_region_destroy(r); }
};
using owned_region = std::unique_ptr<lowtide_region, destroyer>;

inline owned_region create_owned(const shape& like = {}) {
    owned_region r(create(nullptr, like));
    EXPECT_NE(r, nullptr);
    return r;
}

inline lowtide_region_statistics stats_of(const lowtide_region* r) {
    lowtide_region_statistics s{};
    s.size = sizeof(s);
    EXPECT_EQ(lowtide_region_stats(r, &s), 0);
    return s;
}

inline void at_end(lowtide_region* r, std::function<void()> run) {
    using call = std::function<void()>;
    const auto run_once = [](void* data) {
        const std::unique_ptr<call> owner(static_cast<call*>(data));
        (*owner)();
    };
    ASSERT_EQ(lowtide_region_add_cleanup(r, run_once, new call(std::move(run))), 0);
}

// What the death of a program that misused a region has to say.
inline std::string last_words(const char* call) {
    return sanitized ? ""
                     : std::string("lowtide: ") + call +
                           " of 0?x?[0-9a-f]*: not a region, or one that was destroyed";
}

} // namespace lowtide::test
