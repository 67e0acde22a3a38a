// What a zip archive contains, for rules that look inside attachments (PKWARE APPNOTE 6.3, without
// ZIP64).
#pragma once

#include "libmailcore/base/result.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::filter {

/// One file of an archive, as the central directory lists it.
struct ZipEntry {
    std::string name; ///< UTF-8 (repaired), at most 1024 octets, as written: may have "/"
    std::uint64_t packed_size = 0; ///< octets in the archive
    std::uint64_t size = 0;        ///< octets unpacked, as the archive says; never trusted
    std::uint16_t method = 0;      ///< 0 stored, 8 deflated; no other can be unpacked
    bool encrypted = false;
    std::uint32_t header = 0; ///< where its local header stands
};

inline constexpr std::size_t zip_entries_max = 10'000; ///< more: LimitExceeded

/// True if the octets begin as zip archives do.
[[nodiscard]] bool looks_like_zip(std::string_view octets);

/// The files of an archive that is in memory as a whole. Corrupt: it has no readable central
/// directory, or its directory and the archive disagree. LimitExceeded: too many entries.
[[nodiscard]] Result<std::vector<ZipEntry>> read_zip(std::string_view archive);

/// A file's octets, at most `octets_max` of them (what is behind is left out, so a bomb costs no
/// more than that). Rejected: encrypted, or a method other than stored and deflated. Corrupt: its
/// data are damaged before `octets_max` is reached.
[[nodiscard]] Result<std::string> unpack(std::string_view archive, const ZipEntry& entry,
                                         std::size_t octets_max);

} // namespace mailcore::filter
