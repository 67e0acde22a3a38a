// Where an address leads: to accounts of ours, to other hosts, or nowhere.
#pragma once

#include "libmailcore/accounts/directory.h"
#include "libmailcore/base/task.h"
#include "libmailcore/queue/message.h"

#include <string>
#include <vector>

namespace mailcore::delivery {

/// Answer of `Router::route`.
struct Routing {
    enum class Kind : std::uint8_t {
        Known,    ///< `recipients` says where it goes
        NotLocal, ///< the domain is not ours: only for who may relay; `recipients` says how
        Unknown,  ///< our domain, nobody there
        Disabled, ///< our domain, takes no mail for now
        Broken,   ///< aliases that go in circles or too far
    };
    Kind kind = Kind::Unknown;
    /// Rows to be, with address, route, account, folder and destination filled in.
    std::vector<queue::Recipient> recipients;
};

/// Turns addresses into queue recipients by asking the directory. One scheduler's thread.
class Router {
  public:
    explicit Router(accounts::Directory& directory) : directory_(directory) {}

    /// Rejected: `address` is not an address. Unavailable: the directory cannot answer now.
    Task<Result<Routing>> route(std::string address);

  private:
    accounts::Directory& directory_;
};

} // namespace mailcore::delivery
