// The index in an LMDB file: one database, synced commits, a map reserved once.
#pragma once

#include "libmailcore/kv/index.h"

#include <cstdint>
#include <memory>
#include <string>

namespace mailcore::kv {

struct LmdbOptions {
    /// Address space set aside for the file, which can never grow beyond it. Octets. It costs
    /// nothing but addresses; where there are too few of them, less is taken, down to 1 GiB.
    std::uint64_t map_octets = std::uint64_t{256} << 30;
    /// Readers at the same time; one more waits for nobody and fails (Unavailable).
    unsigned readers_max = 1024;
};

/// Opens or makes the index in the file `path`; beside it stands `path`-lock, which is removed
/// first: the caller holds the folder, so nobody else can have the file open. Corrupt: it is no
/// index, or damaged.
[[nodiscard]] Result<std::unique_ptr<Index>> open_lmdb_index(const std::string& path,
                                                             const LmdbOptions& options = {});

} // namespace mailcore::kv
