#include "observe/reach.h"

#include "os/resident.h"
#include "os/vm.h"

namespace lowtide {

bool reach::start() noexcept {
    const uintptr_t waiting = os::map(most_waiting * sizeof(found_object), os::page_size());
    waiting_ = reinterpret_cast<found_object*>(waiting);
    bool complete = waiting != 0;
    map_.for_each_leaf([&](const page_map_leaf&, size_t leaf) {
        const uintptr_t at = leaves_ == most_leaves ? 0 : os::map(bytes_of_bits, os::page_size());
        complete &= at != 0;
        if (at != 0)
            bits_[leaves_++] = {at, bytes_of_bits, leaf};
    });
    return complete;
}

reach::~reach() {
    for (size_t i = 0; i < leaves_; ++i)
        os::release(bits_[i].base, bits_[i].bytes);
    if (waiting_ != nullptr)
        os::release(reinterpret_cast<uintptr_t>(waiting_), most_waiting * sizeof(found_object));
}

uint64_t* reach::word_of(uintptr_t object) const noexcept {
    for (size_t i = 0; i < leaves_; ++i)
        if (bits_[i].leaf == object >> leaf_shift)
            return reinterpret_cast<uint64_t*>(bits_[i].base) +
                   (object & ((uintptr_t{1} << leaf_shift) - 1)) / min_alignment / 64;
    return nullptr;
}

static uint64_t bit_of(uintptr_t object) noexcept {
    return uint64_t{1} << object / min_alignment % 64;
}

bool reach::is_reached(uintptr_t object) const noexcept {
    const uint64_t* word = word_of(object);
    return word != nullptr && (*word & bit_of(object)) != 0;
}

// Heaps of the program's own, and pools, are searched as the program's memory is, from outside.
found_object reach::object_at(uintptr_t address) const noexcept {
    span* s = map_.around(address);
    if (s == nullptr || s->owned || s->kind == span_kind::pool || s->parked)
        return {};
    if (s->kind != span_kind::slab)
        return {s->base, s->object_size};
    const size_t index = (address - s->base) / s->object_size;
    if (address < s->base || index >= s->capacity || (s->bitmap()[index / 64] >> index % 64 & 1) != 0)
        return {};
    return {s->base + index * s->object_size, s->object_size};
}

bool reach::mark(uintptr_t object) noexcept {
    uint64_t* word = word_of(object);
    if (word == nullptr || (*word & bit_of(object)) != 0)
        return false;
    *word |= bit_of(object);
    return true;
}

void reach::note(uintptr_t word) noexcept {
    const found_object o = object_at(word);
    if (o.size == 0 || (known_ != nullptr && known_->is_reached(o.base)) || !mark(o.base))
        return;
    if (count_ == most_waiting)
        lost_ = true;
    else
        waiting_[count_++] = o;
}

// What isn't in a block may be unmapped by its owner meanwhile.
void reach::search(const found_object& o) noexcept {
    const auto note_all = [this](const volatile uintptr_t* words, size_t bytes) noexcept {
        for (size_t i = 0; i < bytes / sizeof(uintptr_t); ++i)
            if (const uintptr_t word = words[i])
                note(word);
    };
    if (map_.in_block(o.base))
        return note_all(reinterpret_cast<const volatile uintptr_t*>(o.base), o.size);
    uintptr_t piece[512];
    for (size_t at = 0; at < o.size; at += sizeof(piece)) {
        const size_t bytes = o.size - at < sizeof(piece) ? o.size - at : sizeof(piece);
        if (os::copy_if_there(piece, o.base + at, bytes))
            note_all(piece, bytes);
    }
}

void reach::follow(const found_object& o) noexcept {
    search(o);
    drain();
}

void reach::drain() noexcept {
    while (count_ != 0)
        search(waiting_[--count_]);
}

void reach::follow(const uintptr_t* words, size_t count) noexcept {
    for (size_t i = 0; i < count; ++i)
        if (words[i] != 0)
            note(words[i]);
    drain();
}

} // namespace lowtide
