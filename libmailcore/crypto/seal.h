// Sealing at rest: XChaCha20-Poly1305, with the nonce in front of the ciphertext.
#pragma once

#include "libmailcore/base/random.h"
#include "libmailcore/base/result.h"
#include "libmailcore/base/secret.h"

#include <string>
#include <string_view>

namespace mailcore::crypto {

constexpr std::size_t seal_key_octets = 32;
/// How much longer a sealed text is than the plain one: nonce and tag.
constexpr std::size_t seal_overhead_octets = 24 + 16;

/// A new key for `seal`.
[[nodiscard]] Secret make_seal_key(Random& random);

/// Encrypts `plaintext` and authenticates it together with `associated`, which is not stored: what
/// the text belongs to (a row's key, an account), so that it cannot be moved elsewhere. `key` has
/// `seal_key_octets`. Nonces are random 192-bit values: any number of texts a key. Any thread.
/// Source: RFC 8439 (ChaCha20-Poly1305) with the extended nonce of XChaCha.
[[nodiscard]] std::string seal(const Secret& key, std::string_view plaintext,
                               std::string_view associated, Random& random);

/// The plaintext of what `seal` made with the same key and `associated`; fails `Corrupt` for
/// anything else. Any thread.
[[nodiscard]] Result<Secret> unseal(const Secret& key, std::string_view sealed,
                                    std::string_view associated);

} // namespace mailcore::crypto
