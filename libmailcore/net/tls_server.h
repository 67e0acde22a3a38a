// One set of certificates, as each loop needs it.
#pragma once

#include "libmailcore/base/scheduler.h"
#include "libmailcore/tls/server_context.h"

#include <map>
#include <memory>
#include <mutex>

namespace mailcore::net {

/// Holds the current credentials of a server and makes a context of them for each loop that asks.
/// Any thread; destroyed when the loops have stopped.
class TlsServer {
  public:
    explicit TlsServer(std::shared_ptr<const tls::ServerCredentials> credentials)
        : credentials_(std::move(credentials)) {}

    /// New handshakes use these from now on; connections keep what they started with.
    void replace(std::shared_ptr<const tls::ServerCredentials> credentials);
    [[nodiscard]] std::shared_ptr<const tls::ServerCredentials> credentials() const;
    /// The context of the loop that calls. Fails as tls::ServerContext::create does.
    Result<std::shared_ptr<tls::ServerContext>> context(const base::Scheduler& loop);

  private:
    mutable std::mutex mutex_;
    std::shared_ptr<const tls::ServerCredentials> credentials_;
    std::map<const base::Scheduler*, std::shared_ptr<tls::ServerContext>> contexts_;
};

} // namespace mailcore::net
