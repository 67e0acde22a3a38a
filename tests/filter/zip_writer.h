// Makes zip archives for tests.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mailcore::filter {

struct ZipOptions {
    bool encrypted = false;
    bool deflated = true;
    std::uint32_t size_claimed = 0; ///< unpacked size that is written; 0: the true one
};

/// An archive of these files, with a central directory.
[[nodiscard]] std::string zip_of(const std::vector<std::pair<std::string, std::string>>& files,
                                 const ZipOptions& options = {});

} // namespace mailcore::filter
