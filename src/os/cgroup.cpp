// Reading control groups' files: see cgroup.h. Formats: Linux, Documentation/admin-guide/cgroup-v2.rst,
// cgroup-v1/memory.rst, accounting/psi.rst; proc_pid_mountinfo(5).
#include "os/cgroup.h"

#include "base/bits.h"
#include "os/system_text.h"
#include "os/vm.h"

#include <new>

namespace lowtide::os {

namespace {

constexpr size_t longest_name = 31; // of a file in a group's folder
constexpr size_t longest_folder = buffer_size - longest_name - 2;
constexpr size_t longest_root = 255;

bool lists(std::string_view names, std::string_view name) noexcept {
    while (!names.empty())
        if (take(names, ',') == name)
            return true;
    return false;
}

// "max" in version 2 and a number near 2^63 in version 1 say that there is no limit.
size_t limit_in(std::string_view folder, std::string_view name) noexcept {
    constexpr uint64_t as_good_as_none = uint64_t{1} << 62;
    const number limit = number_in(folder, name);
    return limit.there && limit.value < as_good_as_none ? limit.value : control_group::unlimited;
}

// Memory of the file cache, which the kernel takes back before it kills. Not shmem's: that is on no list of
// files.
[[gnu::noinline]] size_t file_cache(std::string_view folder, int version) noexcept {
    char buffer[buffer_size];
    if (!make_path(buffer, folder, "memory.stat"))
        return 0;
    size_t sum = 0;
    line_reader lines(buffer, buffer, sizeof(buffer));
    for (std::string_view line; lines.next(line);) {
        // In version 1, what has no "total_" leaves out the groups below.
        const std::string_view key = take(line, ' ');
        const bool counts = version == 2 ? key == "inactive_file" || key == "active_file"
                                         : key == "total_inactive_file" || key == "total_active_file";
        if (counts && __builtin_add_overflow(sum, to_number(line).value, &sum))
            return SIZE_MAX;
    }
    return sum;
}

// What may still be used below `limit`. memory.stat, by far the slowest file, is read only where that could
// be little.
size_t headroom_below(size_t limit, std::string_view folder, int version) noexcept {
    const number used = number_in(folder, version == 2 ? "memory.current" : "memory.usage_in_bytes");
    if (!used.there)
        return control_group::unlimited;
    size_t usage = used.value;
    if (usage > limit - limit / 8) {
        const size_t cache = file_cache(folder, version);
        usage -= cache < usage ? cache : usage;
    }
    return usage < limit ? limit - usage : 0;
}

// In thousandths; 0: there is none, or one beyond every machine.
unsigned quota(number used, number of) noexcept {
    uint64_t thousandths = 0;
    if (!used.there || !of.there || of.value == 0 ||
        __builtin_mul_overflow(used.value, 1000u, &thousandths) ||
        __builtin_add_overflow(thousandths, of.value / 2, &thousandths))
        return 0;
    thousandths /= of.value;
    if (thousandths > UINT32_MAX)
        return 0;
    return thousandths == 0 ? 1 : static_cast<unsigned>(thousandths);
}

[[gnu::noinline]] unsigned quota_v2(std::string_view folder) noexcept {
    const short_file file(folder, "cpu.max"); // "max 100000", "150000 100000"
    std::string_view text = file.text();
    const number used = to_number(take(text, ' '));
    return quota(used, to_number(text));
}

unsigned quota_v1(std::string_view folder) noexcept {
    const number used = number_in(folder, "cpu.cfs_quota_us"); // -1: none
    return used.there ? quota(used, number_in(folder, "cpu.cfs_period_us")) : 0;
}

// "some avg10=0.00 avg60=0.00 avg300=0.00 total=17343", and another line for "full".
[[gnu::noinline]] int64_t stalled_us_in(std::string_view folder, std::string_view name) noexcept {
    char buffer[buffer_size];
    if (!make_path(buffer, folder, name))
        return -1;
    constexpr std::string_view total = "total=";
    line_reader lines(buffer, buffer, sizeof(buffer));
    for (std::string_view line; lines.next(line);) {
        if (take(line, ' ') != "some")
            continue;
        while (!line.empty()) {
            const std::string_view word = take(line, ' ');
            if (!begins_with(word, total))
                continue;
            const number us = to_number(part(word, total.size(), word.size()));
            return us.there && us.value <= INT64_MAX ? static_cast<int64_t>(us.value) : -1;
        }
    }
    return -1;
}

} // namespace

// One of the hierarchies that find() looks for.
class control_group::search {
public:
    // That of version 1 with this controller; empty: that of version 2.
    void look_for(std::string_view controller) noexcept { controller_ = controller; }

    // One line of /proc/self/cgroup: "4:cpu,cpuacct:/a/b", "0::/a/b".
    void see_group(std::string_view controllers, std::string_view group) noexcept {
        if (controller_.empty() ? !controllers.empty() : !lists(controllers, controller_))
            return;
        bounded_text to(group_, sizeof(group_));
        to.add(group);
        group_length_ = to.complete() ? to.length() : 0;
    }

    // One line of /proc/self/mountinfo.
    void see_mount(std::string_view root, std::string_view mount_root, std::string_view mount,
                   std::string_view type, std::string_view options) noexcept {
        const bool wanted =
            controller_.empty() ? type == "cgroup2" : type == "cgroup" && lists(options, controller_);
        if (wanted && !settled())
            mounted(root, mount_root, mount);
    }

    [[nodiscard]] bool settled() const { return inside_ || group_length_ == 0; }
    [[nodiscard]] bool found() const { return length_ != 0; }
    [[nodiscard]] std::string_view folder() const { return {folder_, length_}; }
    [[nodiscard]] size_t mount_length() const { return mount_length_; }

private:
    // It is mounted there. `mount_root` is the group that is seen at `mount`: not "/" in many containers. Of
    // several mounts the first one counts in which the own group can be seen; if there is none, the first: it
    // is all that can be known.
    void mounted(std::string_view root, std::string_view mount_root, std::string_view mount) noexcept {
        bounded_text to(candidate_, sizeof(candidate_));
        to.add(root);
        to.add_unescaped(mount);
        to.drop_trailing_slashes();
        const size_t mount_length = to.length();
        const bool inside = add_group(to, mount_root);
        if (!to.complete() || (found() && !inside))
            return;
        length_ = inside ? to.length() : mount_length;
        mount_length_ = mount_length;
        inside_ = inside;
        __builtin_memcpy(folder_, candidate_, length_);
    }

    // Adds the way from the mount to the group. False when it doesn't lead down.
    bool add_group(bounded_text& to, std::string_view mount_root) noexcept {
        bounded_text from(mount_root_, sizeof(mount_root_));
        from.add_unescaped(mount_root);
        from.drop_trailing_slashes();
        std::string_view way{group_, group_length_};
        if (!from.complete() || !begins_with(way, from.view()))
            return false;
        way.remove_prefix(from.length());
        if (!way.empty() && way.front() != '/')
            return false;
        while (!way.empty()) {
            const std::string_view step = take(way, '/');
            if (step == "..")
                return false;
            if (!step.empty()) {
                to.add('/');
                to.add(step);
            }
        }
        return true;
    }

    std::string_view controller_;
    size_t group_length_ = 0; // 0: the process is in none
    size_t length_ = 0;
    size_t mount_length_ = 0;
    bool inside_ = false;
    char group_[longest_folder];
    char folder_[longest_folder];
    char candidate_[longest_folder];
    char mount_root_[longest_folder];
};

// All of them, and the buffers for it: too much for a stack.
struct control_group::searches {
    search& unified() { return all[0]; }
    search& memory() { return all[1]; }
    search& cpu() { return all[2]; }

    void read_groups(std::string_view root) noexcept {
        make_path(path, root, "proc/self/cgroup");
        line_reader reader(path, lines, sizeof(lines));
        for (std::string_view line; reader.next(line);) {
            take(line, ':'); // a number
            const std::string_view controllers = take(line, ':');
            if (begins_with(line, "/"))
                for (search& one : all)
                    one.see_group(controllers, line);
        }
    }

    void read_mounts(std::string_view root) noexcept {
        make_path(path, root, "proc/self/mountinfo");
        line_reader reader(path, lines, sizeof(lines));
        for (std::string_view line; !settled() && reader.next(line);) {
            for (int field = 0; field < 3; ++field)
                take(line, ' '); // numbers
            const std::string_view mount_root = take(line, ' ');
            const std::string_view mount = take(line, ' ');
            while (!line.empty() && take(line, ' ') != "-") {
            }
            const std::string_view type = take(line, ' ');
            take(line, ' '); // the source, which may be empty
            for (search& one : all)
                one.see_mount(root, mount_root, mount, type, line);
        }
    }

    [[nodiscard]] bool settled() const { return all[0].settled() && all[1].settled() && all[2].settled(); }

    search all[3];
    char path[buffer_size];
    char lines[8 * kibibyte];
};

// A folder on the way from the own group up to the mount.
class control_group::level {
public:
    level(std::string_view folder, size_t mount_length) noexcept
        : folder_(folder), mount_length_(mount_length) {}

    [[nodiscard]] bool exists() const { return !folder_.empty(); }
    [[nodiscard]] std::string_view folder() const { return folder_; }
    [[nodiscard]] uint64_t bit() const { return uint64_t{1} << above_ % 64; }
    [[nodiscard]] bool is_own() const { return above_ == 0; }

    void rise() noexcept {
        size_t length = folder_.size();
        if (length == mount_length_)
            length = 0;
        else
            while (folder_[--length] != '/') {
            }
        folder_ = part(folder_, 0, length);
        ++above_;
    }

private:
    std::string_view folder_;
    size_t mount_length_;
    unsigned above_ = 0;
};

control_group::level control_group::own(place where) const noexcept {
    return {{text_ + where.begin, where.length}, where.mount_length};
}

control_group::place control_group::keep(const search& found) noexcept {
    const std::string_view folder = found.folder();
    if (folder.empty() || folder.size() > sizeof(text_) - used_)
        return {};
    const place result{used_, static_cast<uint16_t>(folder.size()),
                       static_cast<uint16_t>(found.mount_length())};
    __builtin_memcpy(text_ + used_, folder.data(), folder.size());
    used_ = static_cast<uint16_t>(used_ + folder.size());
    return result;
}

bool control_group::find(const char* root_folder) noexcept {
    limited_ = 0;
    memory_ = cpu_ = unified_ = {};
    limit_length_ = root_length_ = used_ = 0;
    version_ = 0;
    cpu_is_v1_ = false;

    bounded_text kept(text_, longest_root);
    kept.add(root_folder);
    if (!kept.complete())
        return false;
    kept.drop_trailing_slashes();
    const std::string_view root = kept.view();
    root_length_ = used_ = static_cast<uint16_t>(root.size());

    const size_t bytes = align_up(sizeof(searches), page_size());
    const uintptr_t mapping = map(bytes, page_size());
    if (mapping == 0)
        return false;
    auto& s = *new (reinterpret_cast<void*>(mapping)) searches;
    s.memory().look_for("memory");
    s.cpu().look_for("cpu");
    s.read_groups(root);
    s.read_mounts(root);

    // A controller is in one hierarchy only: where version 1 has it, version 2 doesn't.
    const bool memory_is_v1 = s.memory().found();
    cpu_is_v1_ = s.cpu().found();
    memory_ = keep(memory_is_v1 ? s.memory() : s.unified());
    unified_ = memory_is_v1 ? keep(s.unified()) : memory_;
    cpu_ = cpu_is_v1_ ? keep(s.cpu()) : unified_;
    release(mapping, bytes);
    if (memory_.length == 0)
        return false;
    version_ = memory_is_v1 ? 1 : 2;
    find_limits();
    return true;
}

void control_group::find_limits() noexcept {
    for (level at = own(memory_); at.exists(); at.rise()) {
        if (version_ == 2) {
            if (limit_in(at.folder(), "memory.max") != unlimited ||
                limit_in(at.folder(), "memory.high") != unlimited)
                limited_ |= at.bit();
            continue;
        }
        // A group without it isn't charged for what those below it use (Linux before 5.11), nor are those
        // above it.
        const number hierarchy = number_in(at.folder(), "memory.use_hierarchy");
        const bool alone = hierarchy.there && hierarchy.value == 0;
        if (alone && !at.is_own())
            return;
        if (limit_in(at.folder(), "memory.limit_in_bytes") != unlimited)
            limited_ |= at.bit();
        if (alone)
            return;
    }
}

control_group::memory control_group::read_memory() noexcept {
    memory result;
    limit_length_ = 0;
    for (level at = own(memory_); at.exists(); at.rise()) {
        if ((limited_ & at.bit()) == 0)
            continue;
        const bool v2 = version_ == 2;
        const size_t limit = limit_in(at.folder(), v2 ? "memory.max" : "memory.limit_in_bytes");
        const size_t high = v2 ? limit_in(at.folder(), "memory.high") : unlimited;
        if (limit < result.limit) {
            result.limit = limit;
            limit_length_ = static_cast<uint16_t>(at.folder().size());
        }
        if (high < result.high)
            result.high = high;
        const size_t lower = limit < high ? limit : high;
        if (lower == unlimited)
            continue;
        const size_t headroom = headroom_below(lower, at.folder(), version_);
        if (headroom < result.headroom)
            result.headroom = headroom;
    }
    return result;
}

unsigned control_group::cpu_quota() const noexcept {
    unsigned least = 0;
    for (level at = own(cpu_); at.exists(); at.rise()) {
        const unsigned here = cpu_is_v1_ ? quota_v1(at.folder()) : quota_v2(at.folder());
        if (here != 0 && (least == 0 || here < least))
            least = here;
    }
    return least;
}

int64_t control_group::own_stalled_us() const noexcept {
    return unified_.length <= unified_.mount_length
               ? -1
               : stalled_us_in(own(unified_).folder(), "memory.pressure");
}

int64_t control_group::machine_stalled_us() const noexcept {
    return stalled_us_in({text_, root_length_}, "proc/pressure/memory");
}

} // namespace lowtide::os
