// The files of the index beside the journal, and how rows follow from records.
#pragma once

#include "libmailcore/base/file.h"
#include "libmailcore/base/result.h"
#include "libmailcore/journal/journal.h"
#include "libmailcore/kv/index.h"
#include "libmailcore/kv/overlay.h"
#include "libmailcore/kv/table.h"
#include "libmailcore/store/detail/blob_rows.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace mailcore::store::detail {

using OpenIndex = std::function<Result<std::unique_ptr<kv::Index>>(const std::string& path)>;

/// How far an index reaches, and whose it is.
struct Applied {
    journal::Mark mark;
    journal::StoreId store{};
};
[[nodiscard]] std::string encode(const Applied& applied);
[[nodiscard]] Result<Applied> decode_applied(std::string_view value);

/// An index that is in use.
struct IndexFile {
    std::uint64_t number = 0;
    std::shared_ptr<kv::Index> index;
    std::optional<Applied> applied; ///< absent: it is new, and the whole journal is to be replayed
};

/// The folder's index files: `index-<number>.mdb`. One is in use, the others are left over.
class IndexFiles {
  public:
    IndexFiles(base::FileSystem& files, std::string folder, OpenIndex open)
        : files_(files), folder_(std::move(folder)), open_(std::move(open)) {}
    /// The newest complete one, or a new one. What cannot be used is removed, and `reported` why.
    Result<IndexFile> open_newest(const std::function<void(const std::string&)>& reported);
    /// A new one.
    Result<IndexFile> make();
    Result<void> remove(std::uint64_t number);

  private:
    [[nodiscard]] std::string path(std::uint64_t number) const;
    base::FileSystem& files_;
    const std::string folder_;
    const OpenIndex open_;
    std::atomic<std::uint64_t> last_number_{0};
};

/// Puts what a record says into a table, at `version`. `before` may be empty; it is told each
/// change of a row before it is made.
using RowChange =
    std::function<Result<void>(std::string_view key, std::optional<std::string_view> value)>;
Result<void> replay_record(const journal::FrameInfo& frame, const journal::Record& record,
                           kv::Table& table, kv::Version version, const RowChange& before);

/// Gathers rows in a table and writes them into an index, in bounded pieces of memory.
class IndexFiller {
  public:
    /// `index` outlives it.
    IndexFiller(kv::Index& index, std::size_t table_octets_max);
    [[nodiscard]] kv::Table& table() { return *table_; }
    Result<void> flush_if_full();
    Result<void> flush();

  private:
    kv::Index& index_;
    const std::size_t table_octets_max_;
    std::unique_ptr<kv::Table> table_;
};

/// Writes the rows that the log from `from` to `to` leads to into an index. Asks `wanted` for each
/// frame: false, and it is passed over.
Result<void> replay_into(const journal::Journal& journal, journal::Position from,
                         journal::Position to, kv::Index& index, std::size_t table_octets_max,
                         const std::function<bool(const journal::FrameInfo&)>& wanted,
                         const std::function<void(const std::string&)>& damaged);
/// Notes in an index how far it reaches.
Result<void> note_applied(kv::IndexWriter& writer, const Applied& applied);

} // namespace mailcore::store::detail
