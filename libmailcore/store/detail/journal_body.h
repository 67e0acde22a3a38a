// Bodies on their way into the journal.
#pragma once

#include "libmailcore/crypto/hash.h"
#include "libmailcore/journal/journal.h"
#include "libmailcore/store/detail/blob_rows.h"
#include "libmailcore/store/detail/row_transaction.h"
#include "libmailcore/store/store.h"

#include <memory>
#include <optional>
#include <string>

namespace mailcore::store::detail {

/// A body handed in: small ones are a chunk in memory, larger ones lie in a segment already.
class JournalBody final : public Body {
  public:
    JournalBody(const Store& store, std::uint64_t octets, std::array<unsigned char, 32> digest);

    std::string chunk;   ///< empty: see `place` (or the body is empty)
    bool uniform = true; ///< of `chunk`
    std::optional<journal::BodyPlace> place;
    journal::SegmentHold hold; ///< keeps the place until a row names it
};

/// Fills the frame's record of a body.
[[nodiscard]] journal::BodyRecord record_of(BlobId id, const JournalBody& body);

/// Whether the octets of a body on disk are those that were handed in. NotFound: its segment is not
/// there. Corrupt: a chunk is damaged. Blocks.
Result<bool> is_whole(const journal::Journal& journal, const BlobRow& row);

/// Memory: at most one chunk. What it streams, it streams on the scheduler's pool.
class JournalBlobWriter final : public BlobWriter {
  public:
    /// `room` answers whether so many octets more may go to disk.
    using Room = std::function<Result<void>(std::uint64_t octets)>;
    JournalBlobWriter(const Store& store, std::shared_ptr<journal::Journal> journal, Room room,
                      std::uint64_t size_hint);

    Task<Result<void>> append(std::string_view octets) override;
    Task<Result<NewBlobRef>> finish() override;
    [[nodiscard]] std::uint64_t size() const override { return size_; }
    [[nodiscard]] std::size_t memory() const override { return sizeof *this + buffer_.capacity(); }

  private:
    Task<Result<void>> write_out();

    const Store& store_;
    std::shared_ptr<journal::Journal> journal_;
    Room room_;
    std::uint64_t size_ = 0;
    std::string buffer_;
    crypto::Blake2b256 hash_;
    std::shared_ptr<journal::BodyStream> stream_; // absent as long as it is small
    std::optional<Error> failed_;                 // what was lost cannot be made good
};

} // namespace mailcore::store::detail
