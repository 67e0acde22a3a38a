// A connection inside the process: for embedders, and for tests in virtual time.
#pragma once

#include "libmailcore/base/scheduler.h"
#include "libmailcore/net/transport.h"

#include <memory>
#include <utility>

namespace mailcore::net {

inline constexpr std::size_t pipe_octets_default = 64 * 1024;

/// Both ends of a stream. Each end is used on its own scheduler's thread only; the two may differ.
/// At most `octets_max` wait in each direction.
[[nodiscard]] std::pair<std::unique_ptr<Transport>, std::unique_ptr<Transport>>
make_pipe(base::Scheduler& first, base::Scheduler& second,
          std::size_t octets_max = pipe_octets_default);

} // namespace mailcore::net
