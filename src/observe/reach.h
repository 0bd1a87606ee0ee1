// Which objects of malloc's can be reached: a conservative search, as collectors do it (Boehm and Weiser,
// 1988). Every word that is found in the program's memory may be a pointer; one that leads anywhere into an
// object keeps it, and what lies in that object is searched, too.
//
// Owner: the thread that looks for leaks when the process ends. Nothing is locked: others may still run, and
// what they do meanwhile may be seen or not. Its memory is mappings of its own.
#pragma once

#include "pages/page_map.h"

#include <cstddef>
#include <cstdint>

namespace lowtide {

// An object in use. Size 0: none.
struct found_object {
    uintptr_t base = 0;
    size_t size = 0;
};

class reach {
public:
    // What `known` has reached isn't searched: that is reached anyway.
    explicit reach(const page_map& map, const reach* known = nullptr) noexcept : map_(map), known_(known) {}
    ~reach();
    reach(const reach&) = delete;
    reach& operator=(const reach&) = delete;

    // Takes its memory. False when there is none.
    [[nodiscard]] bool start() noexcept;
    // Where that is, which is no memory of the program's: calls visit(base, bytes).
    template <typename Visit>
    void for_each_mapping(Visit visit) const noexcept {
        for (const bits& b : bits_)
            visit(b.base, b.bytes);
        visit(reinterpret_cast<uintptr_t>(waiting_), most_waiting * sizeof(found_object));
    }

    // What these words lead to, and what that leads to, is reached. `words` may change meanwhile.
    void follow(const uintptr_t* words, size_t count) noexcept;
    // What an object leads to, but not itself.
    void follow(const found_object& o) noexcept;
    // The object is reached from now on, and not searched. False when it was before.
    [[nodiscard]] bool mark(uintptr_t object) noexcept;
    // The object that an address lies in.
    [[nodiscard]] found_object object_at(uintptr_t address) const noexcept;
    [[nodiscard]] bool is_reached(uintptr_t object) const noexcept;

    // There was no room to note what had to be searched: all reached objects have to be once more. Calls
    // again(visit), which has to call visit(object) for each object in use, until nothing is missing.
    template <typename Again>
    void complete(Again again) noexcept {
        while (lost_) {
            lost_ = false;
            again([this](const found_object& o) noexcept {
                if (is_reached(o.base))
                    follow(o);
            });
        }
    }

private:
    // A bit for every 16 bytes of the 4 GiB that a leaf of the page map is about.
    struct bits {
        uintptr_t base = 0;
        size_t bytes = 0;
        size_t leaf = 0;
    };
    static constexpr size_t most_leaves = 64;
    static constexpr size_t bytes_of_bits = (size_t{1} << leaf_shift) / min_alignment / 8;
    static constexpr size_t most_waiting = size_t{1} << 20;

    [[nodiscard]] uint64_t* word_of(uintptr_t object) const noexcept;
    void search(const found_object& o) noexcept;
    void note(uintptr_t word) noexcept;
    void drain() noexcept;

    const page_map& map_;
    const reach* known_;
    bits bits_[most_leaves]{};
    size_t leaves_ = 0;
    found_object* waiting_ = nullptr;
    size_t count_ = 0;
    bool lost_ = false;
};

} // namespace lowtide
