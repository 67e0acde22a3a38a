// Passwords at rest: Argon2id (RFC 9106) in PHC string form.
#pragma once

#include "libmailcore/base/random.h"
#include "libmailcore/base/result.h"
#include "libmailcore/base/secret.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace mailcore::crypto {

/// What one guess costs an attacker, and one login costs us: with the defaults about 20 ms of one
/// core and 19 MiB while it runs.
struct PasswordCost {
    /// Memory per computation. Unit: octets, a multiple of 1024. Default: 19 MiB.
    std::uint64_t memory_octets = 19 * 1024 * 1024;
    /// Passes over that memory. Default: 2.
    unsigned passes = 2;

    friend bool operator==(const PasswordCost&, const PasswordCost&) = default;
};

/// A stored password: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`, base64 without padding.
struct PasswordHash {
    PasswordCost cost;
    std::string salt; ///< 8 to 64 octets
    std::string hash; ///< 16 to 64 octets

    /// Reads one. Refuses other functions and versions, more than one lane, and costs above 1 GiB
    /// or 64 passes, so that a foreign string cannot make a login take minutes.
    [[nodiscard]] static Result<PasswordHash, ParseError> parse(std::string_view phc);
    [[nodiscard]] std::string to_string() const;
};

/// Makes the string to store for `password`, with a new salt.
///
/// Blocks for as long as `cost` says: for a worker, not for a loop. Fails `Unavailable` when the
/// memory cannot be had. Any thread.
[[nodiscard]] Result<std::string> hash_password(const Secret& password, Random& random,
                                                const PasswordCost& cost = {});

enum class PasswordMatch : std::uint8_t {
    No,
    Yes,
    YesButWeak, ///< right, but hashed at another cost than `wanted`: store it anew
};

/// Whether `password` is the one that `phc` was made from.
///
/// Blocks as `hash_password` does. Fails `Corrupt` when `phc` is no such string, `Unavailable` when
/// the memory cannot be had. Compares in constant time. Any thread.
[[nodiscard]] Result<PasswordMatch> verify_password(const Secret& password, std::string_view phc,
                                                    const PasswordCost& wanted = {});

} // namespace mailcore::crypto
