// The client's half of a SASL exchange.
#pragma once

#include "libmailcore/sasl/scram.h"

#include <memory>
#include <optional>
#include <span>
#include <string>

namespace mailcore::sasl {

struct Credentials {
    std::string authzid; ///< to act as somebody else; usually empty
    std::string authcid;
    Secret password;
};

struct ClientOptions {
    /// The TLS session's; nothing: no -PLUS.
    std::optional<ChannelBinding> binding;
    /// The server also offered the -PLUS variant of the mechanism chosen, or its list is not known
    /// to be complete. With `binding` and without -PLUS offered, the server is told so, which
    /// uncovers an attacker who shortened the list (RFC 5802 §6).
    bool plus_offered = false;
    /// A server that asks for fewer is refused: it could be one that collects proofs to guess from.
    std::uint32_t iterations_min = scram_iterations_min;
    /// What a server may cost us.
    std::uint32_t iterations_max = 200'000;
    /// Instead of a random one. Tests only.
    std::string nonce;
};

/// The strongest of `offered` for a client with a password: -PLUS before plain SCRAM before PLAIN
/// before LOGIN; those that show the password only if `private_channel`. Nothing: none will do.
[[nodiscard]] std::optional<Mechanism> choose_mechanism(std::span<const Mechanism> offered,
                                                        bool private_channel, bool have_binding);

/// One exchange. After an error the protocol's way of cancelling ("*") is due. One thread only.
class ClientExchange {
  public:
    /// Fails with Rejected if name or password cannot be used with this mechanism.
    static Result<std::unique_ptr<ClientExchange>>
    create(Mechanism mechanism, Credentials credentials, ClientOptions options, Random& random);
    virtual ~ClientExchange() = default;

    /// What may be sent with the command; nothing if the server speaks first (LOGIN). If the
    /// protocol has no initial responses, the server's first challenge is empty and `respond` gives
    /// the same.
    virtual std::optional<Secret> initial_response() = 0;
    /// Answers a challenge. Fails with Rejected if it is not what the mechanism allows, or proves
    /// that the server does not know the password.
    virtual Result<Secret> respond(std::string_view challenge) = 0;
    /// The server says that we are in, perhaps with data. Fails with Rejected if the mechanism
    /// wants the server's proof and it has not come: then nothing may be sent to it.
    virtual Result<void> succeed(std::optional<std::string_view> data) = 0;
};

} // namespace mailcore::sasl
