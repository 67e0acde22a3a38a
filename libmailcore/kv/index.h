// The durable index below the tables: ordered rows, one writer, readers with a consistent state
// each.
#pragma once

#include "libmailcore/base/result.h"
#include "libmailcore/kv/cursor.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace mailcore::kv {

/// The longest key and value that an index takes, in octets.
inline constexpr std::size_t key_octets_max = 511;
inline constexpr std::size_t value_octets_max = 64 * 1024;

/// One committed state of an index. Pins what it sees: short-lived. One thread at a time.
class IndexReader {
  public:
    virtual ~IndexReader() = default;
    /// The row's value, valid as long as the reader; nothing if there is no such row.
    virtual Result<std::optional<std::string_view>> get(std::string_view key) = 0;
    /// A walk; it ends before its reader does. Its rows are never erased ones.
    virtual std::unique_ptr<Cursor> cursor() = 0;
};

/// Changes to an index, which become visible and durable together with `commit` or, dropped without
/// it, not at all. Sees its own changes. One thread at a time, one writer at a time.
class IndexWriter {
  public:
    virtual ~IndexWriter() = default;
    virtual Result<std::optional<std::string>> get(std::string_view key) = 0;
    virtual Result<void> put(std::string_view key, std::string_view value) = 0;
    virtual Result<void> erase(std::string_view key) = 0;
    /// Durable when it returns. LimitExceeded: no room; nothing was changed and it may be tried
    /// again. Other errors: what is on disk is one of the two states; no further commit is promised
    /// to work.
    virtual Result<void> commit() = 0;
};

struct IndexUsage {
    std::uint64_t used_octets = 0; ///< of pages that hold rows
    std::uint64_t file_octets = 0; ///< on disk, free pages included
    std::uint64_t rows = 0;
};

/// An index. Any thread, as far as its parts say nothing else. Corrupt: the file contradicts
/// itself.
class Index {
  public:
    virtual ~Index() = default;
    virtual Result<std::unique_ptr<IndexReader>> read() = 0;
    virtual Result<std::unique_ptr<IndexWriter>> write() = 0;
    [[nodiscard]] virtual Result<IndexUsage> usage() = 0;
};

} // namespace mailcore::kv
