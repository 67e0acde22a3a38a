// Reading the octets of a message that is under way, across its pieces.
#pragma once

#include "libmailcore/queue/message.h"
#include "libmailcore/store/store.h"

#include <string>

namespace mailcore::delivery {

/// `octets` octets from `offset` on, fewer only at the end; at most 1 MiB a call. NotFound: the
/// message has left the queue meanwhile. `message` must outlive the task.
Task<Result<std::string>> read_octets(store::Store& store, const queue::Message& message,
                                      std::uint64_t offset, std::size_t octets);

} // namespace mailcore::delivery
