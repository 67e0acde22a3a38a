// The memory of this process and what it may have, as the kernel tells.
#pragma once

#include "libmailcore/base/memory_gate.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::server {

struct ProcessMemory {
    std::uint64_t anonymous = 0; ///< octets; what cannot be read again from a file
    std::uint64_t resident = 0;  ///< mapped files included
};
/// Of this process. Any thread.
[[nodiscard]] ProcessMemory process_memory();

/// Anonymous memory of this process, whoever in it uses it; gives back what the allocator holds free.
class ProcessMeter final : public base::MemoryMeter {
  public:
    std::uint64_t used() override { return process_memory().anonymous; }
    void give_back() override;
};

/// The least memory limit on the way from this process's control group up to the root, version 1 or 2; nothing:
/// none is limited. `mount` is where the groups lie, `membership` the text of /proc/self/cgroup.
[[nodiscard]] std::optional<std::uint64_t> control_group_limit(const std::string& mount,
                                                               std::string_view membership);

/// A ceiling that fits this machine: three quarters of what the control group, or else the machine, has.
[[nodiscard]] std::uint64_t default_memory_max();

} // namespace mailcore::server
