// The port to other hosts: how the courier sees a connection that mail can be handed over on.
#pragma once

#include "libmailcore/base/task.h"
#include "libmailcore/delivery/outcome.h"
#include "libmailcore/queue/message.h"

#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace mailcore::delivery {

/// A connection to a host of a destination, ready for messages one after the other. Loop thread
/// only.
class RemoteConnection {
  public:
    virtual ~RemoteConnection() = default;
    /// Hands a message over for these recipients; an outcome for each, in their order. Never fails
    /// otherwise: what breaks on the way is an outcome. `message` and `recipients` must outlive the
    /// task.
    virtual Task<std::vector<Outcome>> send(const queue::Message& message,
                                            const std::vector<queue::Recipient>& recipients) = 0;
    /// True if another message may be sent.
    [[nodiscard]] virtual bool usable() const = 0;
    /// Says goodbye and closes.
    virtual Task<void> close() = 0;
};

/// Finds and reaches hosts. Loop thread only.
class RemoteTransport {
  public:
    virtual ~RemoteTransport() = default;
    /// `destination`: as in queue::Recipient. The unexpected outcome holds for all its recipients:
    /// Failed (no such domain, null MX) or Deferred (nobody answers).
    virtual Task<std::expected<std::unique_ptr<RemoteConnection>, Outcome>>
    open(std::string destination) = 0;
};

} // namespace mailcore::delivery
