// Filling memory to the brim: a list of blocks whose links lie in the blocks themselves, since there is no
// other memory to keep them in.
#pragma once

#include "harness.h"

#include <cerrno>
#include <cstdlib>

namespace little_memory {

enum class order { oldest_first, newest_first, every_other_first };

class block_list {
public:
    block_list() = default;
    block_list(const block_list&) = delete;
    block_list& operator=(const block_list&) = delete;

    // Appends blocks until malloc gives none; says how many bytes they have in all. Each page is written.
    size_t fill(size_t size) {
        constexpr size_t kPage = 4096;
        size_t bytes = 0;
        for (;;) {
            errno = 0;
            auto* added = static_cast<node*>(std::malloc(size));
            if (added == nullptr) {
                return bytes;
            }
            for (size_t at = 0; at < size; at += kPage) {
                reinterpret_cast<unsigned char*>(added)[at] = 1;
            }
            *added = {newest_, nullptr, size};
            (newest_ != nullptr ? newest_->newer : oldest_) = added;
            newest_ = added;
            bytes += size;
        }
    }

    void free_all(order how) {
        if (how == order::every_other_first) {
            free_every_other();
        }
        node* next = how == order::newest_first ? newest_ : oldest_;
        while (next != nullptr) {
            node* gone = next;
            next = how == order::newest_first ? gone->older : gone->newer;
            std::free(gone);
        }
        oldest_ = newest_ = nullptr;
    }

private:
    struct node {
        node* older;
        node* newer;
        size_t size;
    };

    // Leaves a hole beside each block that stays.
    void free_every_other() {
        for (node* stays = oldest_; stays != nullptr; stays = stays->newer) {
            node* gone = stays->newer;
            if (gone == nullptr) {
                return;
            }
            stays->newer = gone->newer;
            (gone->newer != nullptr ? gone->newer->older : newest_) = stays;
            std::free(gone);
        }
    }

    node* oldest_ = nullptr;
    node* newest_ = nullptr;
};

} // namespace little_memory
