// An index in one file of any FileSystem: for simulated disks, which LMDB's maps do not see.
#pragma once

#include "libmailcore/base/file.h"
#include "libmailcore/kv/index.h"

#include <memory>
#include <string>

namespace mailcore::sim {

/// Opens or makes the index in `path`. Each commit replaces the file whole, so it is for small
/// ones.
Result<std::unique_ptr<kv::Index>> open_file_index(base::FileSystem& files,
                                                   const std::string& path);

} // namespace mailcore::sim
