// Who is there: a SASL exchange or a password, answered by the directory.
#pragma once

#include "libmailcore/sasl/server.h"
#include "libmailcore/session/services.h"

#include <optional>
#include <string>
#include <variant>

namespace mailcore::session {

/// Somebody who has proved who he is.
struct LoggedIn {
    store::AccountId account;
    accounts::Address address;
    store::Rights rights;
    std::uint64_t credential_version = 0;
};
/// Why not, in the terms that protocols have for it.
struct LoginRefused {
    enum class Why : std::uint8_t {
        Credentials, ///< wrong, whatever it is that is wrong
        Throttled,   ///< too many failures: later
        Unavailable, ///< cannot be found out now
        Malformed,   ///< not what the mechanism's grammar says
    };
    Why why = Why::Credentials;
};

using LoginStep = std::variant<sasl::Challenge, LoggedIn, LoginRefused>;

/// One login of one connection: by password (USER/PASS, LOGIN) or by SASL. Cancelling is
/// destroying. One scheduler's thread.
class Authentication {
  public:
    /// `service` is for logs and limits: "imap", "pop3", "smtp".
    Authentication(Services& services, std::string service, const PeerInfo& peer,
                   const LoginOptions& login);

    Task<LoginStep> by_password(std::string user, Secret password);
    /// `mechanism`: one that was offered. `initial`: absent if the client sent none.
    Task<LoginStep> begin(std::string mechanism, std::optional<Secret> initial);
    Task<LoginStep> respond(Secret octets);

  private:
    Task<LoginStep> go_on(sasl::ServerStep step);

    Services& services_;
    std::string service_;
    PeerInfo peer_;
    /// If a -PLUS mechanism is offered: then a client that says it saw none is not believed.
    std::optional<sasl::ChannelBinding> binding_;
    std::unique_ptr<sasl::ServerExchange> exchange_;
    std::optional<accounts::ScramLogin>
        scram_; // keys were given and the end is owed to the directory
    accounts::Login scram_login_;
    std::optional<accounts::LoginAnswer> answer_;
};

} // namespace mailcore::session
