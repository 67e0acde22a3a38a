#include "libmailcore/net/tls_server.h"

namespace mailcore::net {

void TlsServer::replace(std::shared_ptr<const tls::ServerCredentials> credentials) {
    const std::scoped_lock lock(mutex_);
    credentials_ = std::move(credentials);
}

std::shared_ptr<const tls::ServerCredentials> TlsServer::credentials() const {
    const std::scoped_lock lock(mutex_);
    return credentials_;
}

Result<std::shared_ptr<tls::ServerContext>> TlsServer::context(const base::Scheduler& loop) {
    std::shared_ptr<const tls::ServerCredentials> credentials;
    {
        const std::scoped_lock lock(mutex_);
        if (const auto known = contexts_.find(&loop);
            known != contexts_.end() && &known->second->credentials() == credentials_.get())
            return known->second;
        credentials = credentials_;
    }
    // Parsing takes milliseconds: outside of the lock. Only this loop makes and replaces its own.
    MAILCORE_TRY(auto context, tls::ServerContext::create(std::move(credentials)));
    std::shared_ptr<tls::ServerContext> old;
    const std::scoped_lock lock(mutex_);
    old = std::exchange(contexts_[&loop], context);
    return context;
}

} // namespace mailcore::net
