#include "os/resident.h"

#include "os/machine.h"
#include "os/syscall.h"
#include "os/system_text.h"
#include "os/vm.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/uio.h>

namespace lowtide::os {

// include/uapi/linux/fs.h, since 6.7
namespace {

struct scanned_region {
    uint64_t start;
    uint64_t end;
    uint64_t categories;
};

struct scan_request {
    uint64_t size = sizeof(scan_request);
    uint64_t flags = 0;
    uint64_t start = 0;
    uint64_t end = 0;
    uint64_t walk_end = 0;
    uint64_t regions = 0;
    uint64_t most_regions = 0;
    uint64_t most_pages = 0;
    uint64_t inverted = 0;
    uint64_t all_of = 0;
    uint64_t any_of = 0;
    uint64_t told = 0;
};
static_assert(sizeof(scan_request) == 96);

constexpr long pagemap_scan = 0xc0606610; // _IOWR('f', 16, struct pm_scan_arg)
constexpr uint64_t page_is_present = 1 << 3;
constexpr uint64_t page_is_zero_page = 1 << 5;

constexpr size_t most_pages = page_bits::words * 64;

int open_for_reading(const char* path) noexcept {
    const long fd = system_call(SYS_openat, AT_FDCWD, reinterpret_cast<long>(path), O_RDONLY | O_CLOEXEC);
    return failed(fd) ? -1 : static_cast<int>(fd);
}

} // namespace

void page_bits::set(size_t first, size_t count) noexcept {
    for (size_t page = first; page < first + count && page < most_pages; ++page)
        of[page / 64] |= uint64_t{1} << page % 64;
}

size_t page_bits::count(size_t first, size_t count) const noexcept {
    size_t set = 0;
    for (size_t page = first; count != 0;) {
        const size_t here = count < 64 - page % 64 ? count : 64 - page % 64;
        const uint64_t mask = here == 64 ? ~uint64_t{0} : ((uint64_t{1} << here) - 1) << page % 64;
        set += count_bits_of(of[page / 64] & mask);
        page += here;
        count -= here;
    }
    return set;
}

resident_pages::resident_pages() noexcept : fd_(open_for_reading("/proc/self/pagemap")) {}

resident_pages::~resident_pages() {
    if (fd_ >= 0)
        close_file(fd_);
}

bool resident_pages::scan(uintptr_t base, size_t bytes, page_bits& to) noexcept {
    scanned_region found[32];
    scan_request request;
    request.start = base;
    request.end = base + bytes;
    request.regions = reinterpret_cast<uint64_t>(found);
    request.most_regions = 32;
    request.all_of = page_is_present | page_is_zero_page;
    request.inverted = page_is_zero_page;
    request.told = page_is_present;
    while (request.start < request.end) {
        const long count = system_call(SYS_ioctl, fd_, pagemap_scan, reinterpret_cast<long>(&request));
        if (failed(count) || request.walk_end <= request.start)
            return false;
        for (long i = 0; i < count; ++i)
            to.set((found[i].start - base) / page_size(), (found[i].end - found[i].start) / page_size());
        request.start = request.walk_end;
    }
    return true;
}

bool resident_pages::find(uintptr_t base, size_t bytes, page_bits& to) noexcept {
    to = {};
    const size_t pages = bytes / page_size();
    scans_ = scans_ && fd_ >= 0 && scan(base, bytes, to);
    if (scans_)
        return true;
    to = {};
    unsigned char answers[most_pages];
    const long answer = system_call(SYS_mincore, static_cast<long>(base), static_cast<long>(bytes),
                                    reinterpret_cast<long>(answers));
    if (answer == -ENOMEM && pages > 1) { // something of it isn't mapped
        const size_t half = pages / 2;
        page_bits upper;
        if (!find(base, half * page_size(), to) ||
            !find(base + half * page_size(), bytes - half * page_size(), upper))
            return false;
        for (size_t page = half; page < pages; ++page)
            if (upper.has(page - half))
                to.set(page, 1);
        return true;
    }
    for (size_t page = 0; answer == 0 && page < pages; ++page)
        if ((answers[page] & 1) != 0)
            to.set(page, 1);
    return answer == 0 || answer == -ENOMEM;
}

size_t resident_pages::bytes_in(uintptr_t base, size_t bytes) noexcept {
    const size_t most = most_pages * page_size() < block_size ? most_pages * page_size() : block_size;
    const uintptr_t end = align_up(base + bytes, page_size());
    size_t count = 0;
    page_bits bits;
    for (uintptr_t at = align_down(base, page_size()); at < end;) {
        const size_t here = end - at < most ? end - at : most;
        if (find(at, here, bits))
            count += bits.count(0, here / page_size());
        at += here;
    }
    return count * page_size();
}

bool copy_if_there(void* to, uintptr_t from, size_t bytes) noexcept {
    const iovec here{to, bytes};
    const iovec there{reinterpret_cast<void*>(from), bytes};
    const long got = system_call(SYS_process_vm_readv, static_cast<long>(process_id()),
                                 reinterpret_cast<long>(&here), 1, reinterpret_cast<long>(&there), 1, 0);
    if (got == static_cast<long>(bytes) || got == -EFAULT)
        return got == static_cast<long>(bytes);
    const int memory = open_for_reading("/proc/self/mem");
    if (memory < 0)
        return false;
    const long read = system_call(SYS_pread64, memory, reinterpret_cast<long>(to), static_cast<long>(bytes),
                                  static_cast<long>(from));
    close_file(memory);
    return read == static_cast<long>(bytes);
}

namespace {

// "[stack]" of /proc/self/maps.
size_t resident_stack(resident_pages& pages) noexcept {
    constexpr size_t most = 64 * mebibyte;
    char buffer[1024];
    line_reader lines("/proc/self/maps", buffer, sizeof(buffer), most);
    for (std::string_view line; lines.next(line);) {
        if (line.find("[stack]") == line.npos)
            continue;
        const uintptr_t begin = to_address(take(line, '-'));
        return pages.bytes_in(begin, to_address(take(line, ' ')) - begin);
    }
    return 0;
}

} // namespace

resident_memory resident_memory_of_process(resident_pages& pages) noexcept {
    char text[2048];
    resident_memory now;
    const long length = read_file("/proc/self/smaps_rollup", text, sizeof(text));
    if (length > 0) {
        const std::string_view all(text, static_cast<size_t>(length));
        now.all = number_behind(all, "\nRss:") * kibibyte;
        now.anonymous = number_behind(all, "\nAnonymous:") * kibibyte;
        now.swapped = number_behind(all, "\nSwap:") * kibibyte;
    } else if (anonymous_resident_bytes() != SIZE_MAX) {
        now.all = now.anonymous = anonymous_resident_bytes();
    }
    now.stack = now.all == 0 ? 0 : resident_stack(pages);
    return now;
}

} // namespace lowtide::os
