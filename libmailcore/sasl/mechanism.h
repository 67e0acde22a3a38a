// The SASL mechanisms that are spoken here, by name (RFC 4422 §3.1).
#pragma once

#include "libmailcore/base/peer.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::sasl {

/// From weak to strong, which is how a client chooses.
enum class Mechanism : std::uint8_t {
    Login,       ///< obsolete (no RFC), but what old clients speak
    Plain,       ///< RFC 4616
    ScramSha1,   ///< RFC 5802
    ScramSha256, ///< RFC 7677
    ScramSha1Plus,
    ScramSha256Plus,
    External, ///< RFC 4422 appendix A
};

[[nodiscard]] std::string_view to_string(Mechanism mechanism);
/// In any case; nothing for a mechanism that is not spoken here.
[[nodiscard]] std::optional<Mechanism> parse_mechanism(std::string_view name);

/// The password itself crosses the line: only under TLS.
[[nodiscard]] constexpr bool shows_password(Mechanism mechanism) {
    return mechanism == Mechanism::Login || mechanism == Mechanism::Plain;
}
/// The exchange is bound to the TLS session under it, so it needs one.
[[nodiscard]] constexpr bool binds_channel(Mechanism mechanism) {
    return mechanism == Mechanism::ScramSha1Plus || mechanism == Mechanism::ScramSha256Plus;
}
[[nodiscard]] constexpr bool is_scram(Mechanism mechanism) {
    return mechanism >= Mechanism::ScramSha1 && mechanism <= Mechanism::ScramSha256Plus;
}

/// Whether a service that is configured for `name` (upper case) may offer it to this peer now: what
/// shows a password or a token only if `plaintext_allowed`, -PLUS only where the TLS session has a
/// channel binding, EXTERNAL only to who has shown a good certificate.
[[nodiscard]] bool is_offerable(std::string_view name, const PeerInfo& peer,
                                bool plaintext_allowed);

/// What a service offers where nobody says otherwise. Not the -PLUS kind: some clients take the
/// first name that they know the beginning of, and fail.
[[nodiscard]] std::vector<std::string> default_mechanisms();

/// Octets of one message of an exchange, decoded; engines bound the encoded line by their own
/// limits.
inline constexpr std::size_t message_octets_max = 8192;
/// Octets of an authentication or authorization identity; 255 at least (RFC 4616 §2).
inline constexpr std::size_t identity_octets_max = 1024;
inline constexpr std::size_t password_octets_max = 1024;

} // namespace mailcore::sasl
