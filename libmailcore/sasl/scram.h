// What a server keeps instead of a password so that SCRAM can be spoken (RFC 5802 §3, RFC 7677).
#pragma once

#include "libmailcore/base/random.h"
#include "libmailcore/base/result.h"
#include "libmailcore/base/secret.h"
#include "libmailcore/sasl/mechanism.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::sasl {

enum class ScramHash : std::uint8_t { Sha1, Sha256 };

[[nodiscard]] constexpr ScramHash scram_hash(Mechanism mechanism) {
    return mechanism == Mechanism::ScramSha1 || mechanism == Mechanism::ScramSha1Plus
               ? ScramHash::Sha1
               : ScramHash::Sha256;
}

inline constexpr std::uint32_t scram_iterations_min = 4096; // RFC 7677 §4
inline constexpr std::uint32_t scram_iterations_default = 10'000;
/// More than this is refused wherever it comes from: about half a second of a core.
inline constexpr std::uint32_t scram_iterations_max = 1'000'000;
inline constexpr std::size_t scram_salt_octets = 16;
inline constexpr std::size_t scram_salt_octets_max = 256;

/// Enough to check a password and to prove that it is known, not enough to log in elsewhere with
/// it. A leaked set can be attacked by guessing: keep it like a password hash.
struct ScramKeys {
    ScramHash hash = ScramHash::Sha256;
    std::string salt;
    std::uint32_t iterations = scram_iterations_default;
    std::string stored_key; ///< 20 or 32 octets
    std::string server_key; ///< 20 or 32 octets

    /// "SCRAM-SHA-256$10000:<salt>$<StoredKey>:<ServerKey>", each in base64 (RFC 5803 §2).
    [[nodiscard]] std::string to_string() const;
    static Result<ScramKeys, ParseError> parse(std::string_view text);
    friend bool operator==(const ScramKeys&, const ScramKeys&) = default;
};

/// Keys of a password as typed, with a new salt. Fails with Rejected if the password cannot be
/// prepared or is empty. Costs about 0.5 ms a thousand iterations: for the pool. Any thread.
Result<ScramKeys> make_scram_keys(ScramHash hash, const Secret& password, Random& random,
                                  std::uint32_t iterations = scram_iterations_default);

/// Whether `password` as typed is the one that `keys` were made of, for PLAIN where only keys are
/// stored. Costs as much as making them. Any thread.
[[nodiscard]] bool is_scram_password(const ScramKeys& keys, const Secret& password);

/// The channel that a -PLUS exchange is bound to.
struct ChannelBinding {
    std::string type; ///< "tls-exporter" (RFC 9266)
    std::string data; ///< `base::TlsFacts::exporter_binding`
};
/// Of the TLS session with this peer; nothing: there is none, or it has no binding.
[[nodiscard]] std::optional<ChannelBinding> channel_binding(const PeerInfo& peer);

} // namespace mailcore::sasl
