// Addresses as the directory compares them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mailcore::accounts {

/// A local part (without quotes) and a domain (A-labels, lower case). The local part is kept as it
/// was given; `key` is what is compared. A value.
struct Address {
    std::string local;
    std::string domain; ///< empty: only for "postmaster" (RFC 5321 §4.5.1)

    /// Reads "local@domain": the last "@" divides; quotes around the local part are taken off;
    /// domains are made A-labels. Nothing if there is no such address, or a part is longer than RFC
    /// 5321 §4.5.3.1 says.
    [[nodiscard]] static std::optional<Address> parse(std::string_view text);
    /// From the two parts of a parsed mailbox.
    [[nodiscard]] static std::optional<Address> of(std::string_view local, std::string_view domain);

    /// With quotes where the grammar asks for them.
    [[nodiscard]] std::string to_string() const;
    friend bool operator==(const Address&, const Address&) = default;
};

/// The form in which local parts are compared: without regard to case and to how characters are
/// composed (NFKC_Casefold). Nothing if it is not UTF-8, empty, or longer than 64 octets (RFC 5321
/// §4.5.3.1.1).
[[nodiscard]] std::optional<std::string> local_part_key(std::string_view local);

} // namespace mailcore::accounts
