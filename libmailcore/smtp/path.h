// The addresses of the envelope: reverse-path and forward-path (RFC 5321 §4.1.2, RFC 6531 §3.3).
#pragma once

#include "libmailcore/base/result.h"
#include "libmailcore/codec/domain_name.h"

#include <string>
#include <string_view>

namespace mailcore::smtp {

using codec::Utf8;

inline constexpr std::size_t path_octets_max = 256; // RFC 5321 §4.5.3.1.3, with its brackets

/// local-part "@" domain, as what it means: the local-part without quoting, so that all spellings
/// of one mailbox are equal (RFC 5321 §4.1.2). Its case is kept. The domain is as written, or an
/// address literal with its brackets, or empty for `<Postmaster>` (RFC 5321 §4.1.1.3).
struct Mailbox {
    std::string local_part;
    std::string domain;

    friend bool operator==(const Mailbox&, const Mailbox&) = default;
};

/// What stands between angle brackets. The null path `<>` is an empty mailbox.
struct Path {
    Mailbox mailbox;

    [[nodiscard]] bool is_null() const {
        return mailbox.local_part.empty() && mailbox.domain.empty();
    }
    /// It can only be told to a peer that offers SMTPUTF8.
    [[nodiscard]] bool needs_utf8() const;
    friend bool operator==(const Path&, const Path&) = default;
};
using ReversePath = Path;
using ForwardPath = Path;

/// Parses a MAIL FROM or RCPT TO path, including its angle brackets.
///
/// `text` is octets up to the first unquoted space (`path_end`); at most 256 octets without a
/// source route (RFC 5321 §4.5.3.1.3). The null path "<>" yields an empty mailbox, "<Postmaster>"
/// one without a domain. Source routes are accepted and dropped (§4.1.2, appendix C). The
/// local-part may be longer than 64 octets: §4.5.3.1 asks for no limit where none is needed, and
/// return paths made from addresses are. Fails with the offset of the first octet that cannot
/// continue a path, or of the domain that is none. Source: RFC 5321 §4.1.2; RFC 6531 §3.3 when
/// `utf8 == Utf8::Allowed`.
[[nodiscard]] Result<Path, ParseError> parse_path(std::string_view text, Utf8 utf8);

/// Parses the same without brackets: local-part "@" domain, no route, not empty.
[[nodiscard]] Result<Mailbox, ParseError> parse_mailbox(std::string_view text, Utf8 utf8);

/// Where the path at the front of `text` ends: at the first space outside of quotes, or the end.
[[nodiscard]] std::size_t path_end(std::string_view text);

/// With the least quoting (RFC 5321 §4.1.2). Empty when the mailbox cannot be written: it holds a
/// control character, or a local-part is missing.
[[nodiscard]] std::string to_string(const Mailbox& mailbox);
/// With brackets; "<>" for the null path; empty as above.
[[nodiscard]] std::string to_string(const Path& path);

} // namespace mailcore::smtp
