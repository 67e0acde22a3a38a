// Octets of a body: from memory on the spot, from the disk on a worker.
#pragma once

#include "libmailcore/base/assert.h"
#include "libmailcore/base/task.h"
#include "libmailcore/journal/body.h"
#include "libmailcore/store/store.h"

#include <memory>
#include <string>
#include <utility>

namespace mailcore::store::detail {

/// Of one call (store.h).
inline constexpr std::size_t blob_read_octets_max = std::size_t{1} << 20;

/// What `State::read_body` gives, without the caller's thread ever waiting for the disk. The state
/// lives until a worker is done with it.
template <class State>
Task<Result<std::string>> read_body_unblocked(std::shared_ptr<State> state, BlobId blob,
                                              std::uint64_t offset, std::size_t octets) {
    MAILCORE_ASSERT(octets <= blob_read_octets_max);
    auto cached = state->read_body(blob, offset, octets, journal::ReadFrom::Cache);
    if (!cached) co_return std::unexpected(std::move(cached).error());
    if (*cached) co_return std::move(**cached);
    auto read = [state, blob, offset, octets] {
        return state->read_body(blob, offset, octets, journal::ReadFrom::Disk);
    };
    auto from_disk = co_await base::offload(std::move(read));
    if (!from_disk) co_return std::unexpected(std::move(from_disk).error());
    co_return std::move(**from_disk);
}

} // namespace mailcore::store::detail
