// Where the dialogues of accepted connections come from.
#pragma once

#include "libmailcore/base/engine.h"
#include "libmailcore/base/scheduler.h"

#include <memory>
#include <string>

namespace mailcore::net {

/// Makes one side of one service. Called on the loop of each connection, on several loops at a
/// time.
class DialogueFactory {
  public:
    virtual ~DialogueFactory() = default;
    /// A dialogue for a peer that has connected (and, with implicit TLS, finished its handshake).
    /// It lives on `scheduler` and wakes `waker`, which outlives it. Absent: the connection is
    /// closed.
    virtual std::unique_ptr<base::Dialogue> create(base::Scheduler& scheduler, const PeerInfo& peer,
                                                   base::Waker& waker) = 0;
    /// What a client over a ceiling is told before its connection is closed, such as
    /// "421 4.3.2 busy; try again later\r\n"; empty: nothing. Not sent under implicit TLS.
    [[nodiscard]] virtual std::string farewell(const PeerInfo&) const { return {}; }
};

} // namespace mailcore::net
