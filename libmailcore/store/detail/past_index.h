// Filling an index with the state of a journal at a moment.
#pragma once

#include "libmailcore/store/detail/fill_index.h"
#include "libmailcore/store/past_store.h"

#include <memory>

namespace mailcore::store::detail {

/// Fills `parts.index`, which is empty, with the rows of `parts.journal` as they were at `at`, not
/// beyond `to`, and makes the store of it. `parts.done` is called in any case. NotFound: the
/// journal begins later; the text says when.
Result<std::unique_ptr<PastStore>> fill_past(const FillSource& source, PastStore::Parts parts,
                                             WallTime at, journal::Position to, const Log& log);

} // namespace mailcore::store::detail
