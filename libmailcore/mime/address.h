// Addresses in header fields: mailboxes, groups, and their obsolete and broken forms (RFC 5322
// §3.4, §4.4).
#pragma once

#include "libmailcore/codec/domain_name.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mailcore::mime {

using codec::Utf8;

/// One row of an address list, as IMAP's ENVELOPE counts them: a mailbox, or the start or end of a
/// group.
struct Address {
    enum class Kind : std::uint8_t { Mailbox, GroupBegin, GroupEnd };
    Kind kind = Kind::Mailbox;
    std::string
        name; ///< display name (or the group's), unquoted, encoded words as written; empty: none
    std::string route;  ///< obsolete route "@a,@b"; empty: none
    std::string local;  ///< local part without quotes
    std::string domain; ///< as written, or "[literal]"; empty if missing

    /// "local@domain", quoted where the grammar asks for it; "" for the ends of groups.
    [[nodiscard]] std::string addr_spec() const;
    /// The display name for people, encoded words decoded.
    [[nodiscard]] std::string display_name() const;

    friend bool operator==(const Address&, const Address&) = default;
};

/// Reads an address list (From, Sender, Reply-To, To, Cc, Bcc, Resent-...), folded or not; never
/// fails.
///
/// What is broken gives what can be read of it: a missing ">" or quote ends with the text, ";"
/// parts addresses as "," does, a bare word is a mailbox without domain, a comment behind an
/// address without a name becomes its name, as was the custom before display names. UTF-8 and other
/// raw 8-bit octets stay (RFC 6532). At most `addresses_max` rows, and one more that closes
/// a group they leave open. Linear time, no recursion.
[[nodiscard]] std::vector<Address> parse_addresses(std::string_view text,
                                                   std::size_t addresses_max = 10'000);

/// One address alone ("a@b", "<a@b>", "Name <a@b>"): nothing if there is not exactly one mailbox
/// with both a valid local part and a valid domain or address literal. For what people and
/// configurations enter.
[[nodiscard]] std::optional<Address> parse_one_address(std::string_view text,
                                                       Utf8 utf8 = Utf8::Forbidden);

/// Whether `text`, unquoted, can be a local part at all: 1 to 64 octets without control characters,
/// ASCII unless allowed otherwise (RFC 5321 §4.5.3.1.1, RFC 6531 §3.3).
[[nodiscard]] bool is_local_part(std::string_view text, Utf8 utf8 = Utf8::Forbidden);
/// Whether it can be written without quotes: dot-atom.
[[nodiscard]] bool is_dot_atom(std::string_view text, Utf8 utf8 = Utf8::Allowed);
/// A local part as it is written: itself if it is a dot-atom, else quoted.
[[nodiscard]] std::string quoted_local_part(std::string_view local);
/// `text` as a quoted string, with `"` and `\` escaped.
[[nodiscard]] std::string quoted_string(std::string_view text);

/// The list as one line (the writer folds it). Names that are not ASCII become encoded words, or,
/// if `utf8 == Utf8::Allowed`, stay as UTF-8 (RFC 6532).
[[nodiscard]] std::string to_string(const std::vector<Address>& addresses,
                                    Utf8 utf8 = Utf8::Forbidden);

} // namespace mailcore::mime
