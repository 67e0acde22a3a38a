// The folder in which an administrator keeps rules.
#pragma once

#include "libmailcore/base/file.h"
#include "libmailcore/filter/lua_rules.h"

namespace mailcore::filter {

inline constexpr std::size_t rule_files_max = 20'000;
inline constexpr std::uint64_t rule_file_octets_max = 4 * 1024 * 1024;
inline constexpr std::uint64_t rule_folder_octets_max = 256 * 1024 * 1024;

/// Reads `*.lua` as rules and `*.txt` as lists, in the order of their names (octets); other files
/// are left alone, so that "10-spam.lua.off" is a rule that is switched off. A folder that does not
/// exist holds nothing. LimitExceeded: too many files or too many octets.
[[nodiscard]] Result<RuleSource> read_rule_folder(base::FileSystem& files,
                                                  const std::string& folder);

} // namespace mailcore::filter
