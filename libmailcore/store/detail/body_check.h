// Whether all bodies that rows name are there and as they were written.
#pragma once

#include "libmailcore/journal/journal.h"
#include "libmailcore/kv/index.h"
#include "libmailcore/store/check.h"
#include "libmailcore/store/detail/blob_rows.h"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mailcore::store::detail {

inline constexpr std::size_t problems_max = 1000, rows_a_step = 1000;

/// Rows of a range, a bounded number at a time: nothing is pinned between two steps.
using Rows = std::vector<std::pair<std::string, std::string>>;
Result<Rows> rows_from(kv::Index& index, std::string_view from, std::string_view to);

/// A key for people.
[[nodiscard]] std::string printable(std::string_view key);
void add_problem(CheckReport& report, std::string text);

/// Adds what it finds and counts to `report`. All outlive it.
struct BodyCheck {
    kv::Index& index; ///< whose rows name the bodies
    const journal::Journal& journal;
    CheckReport& report;
    /// Where a body lies by now, if it may have gone or moved since. May be empty.
    std::function<Result<BlobRow>(BlobId)> now;

    /// Every reference has its body, and every body a reference.
    Result<void> references();
    /// Every body has its digest.
    Result<void> bodies();

  private:
    Result<void> body(BlobId blob, const BlobRow& row);
};

} // namespace mailcore::store::detail
