#include "libmailcore/server/process_memory.h"

#include "libmailcore/codec/ascii.h"
#include "libmailcore/codec/number.h"

#include <algorithm>
#include <cstdio>
#include <malloc.h>
#include <unistd.h>

namespace mailcore::server {

namespace {

/// The first octets of a file that the kernel makes up; empty: there is none.
std::string read_kernel_file(const std::string& path) {
    std::string text(1024, '\0');
    std::FILE* file = std::fopen(path.c_str(), "re");
    if (!file) return {};
    text.resize(std::fread(text.data(), 1, text.size(), file));
    std::fclose(file);
    return text;
}

} // namespace

ProcessMemory process_memory() {
    // proc(5), statm: size, resident, shared, ... in pages.
    const auto text = read_kernel_file("/proc/self/statm");
    std::string_view rest = text;
    const auto pages = [&] {
        rest = codec::trim(rest);
        return codec::take_number<std::uint64_t>(rest).value_or(0);
    };
    static_cast<void>(pages());
    const auto resident = pages();
    const auto shared = pages();
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    return {(resident - std::min(shared, resident)) * page, resident * page};
}

void ProcessMeter::give_back() { ::malloc_trim(0); }

std::optional<std::uint64_t> control_group_limit(const std::string& mount,
                                                 std::string_view membership) {
    std::optional<std::uint64_t> least;
    const auto climb = [&](const std::string& hierarchy, std::string group, const char* file) {
        while (true) {
            const auto text = read_kernel_file(hierarchy + group + file);
            std::string_view digits = text; // or "max"
            if (const auto limit = codec::take_number<std::uint64_t>(digits))
                least = std::min(least.value_or(*limit), *limit);
            if (group.empty()) return;
            group.resize(group.find_last_of('/'));
        }
    };
    // Lines are number:controllers:path; version 2 has number 0 and no controllers (cgroups(7)).
    for (std::string_view rest = membership; !rest.empty();) {
        const auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        const auto path = line.find(":/");
        if (path == std::string_view::npos) continue;
        const std::string group(line.substr(path + 1));
        if (line.starts_with("0::"))
            climb(mount, group, "/memory.max");
        else if (line.substr(0, path).ends_with(":memory"))
            climb(mount + "/memory", group, "/memory.limit_in_bytes");
    }
    return least;
}

std::uint64_t default_memory_max() {
    const auto machine = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                         static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    const auto group = control_group_limit("/sys/fs/cgroup", read_kernel_file("/proc/self/cgroup"));
    return std::min(machine, group.value_or(machine)) / 4 * 3;
}

} // namespace mailcore::server
