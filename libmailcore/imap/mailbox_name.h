// Mailbox names: UTF-8 inside, modified UTF-7 or UTF-8 on the wire; and the patterns of LIST.
// Source: RFC 9051 §5.1, §6.3.9, appendix A.1; RFC 3501 §5.1.3.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace mailcore::imap {

/// How names are written in a session: modified UTF-7 until the client has enabled IMAP4rev2.
enum class NameEncoding : std::uint8_t { ModifiedUtf7, Utf8 };

/// A mailbox name in UTF-8, in normalisation form C; the primary mailbox is always "INBOX".
struct MailboxName {
    std::string utf8;
    /// As the client wrote it, in UTF-8, if normalising changed it: what OLDNAME shows
    /// (RFC 9051 §6.3.9.7). Else empty.
    std::string supplied = {};

    MailboxName() = default;
    explicit MailboxName(std::string name) : utf8(std::move(name)) {}
    [[nodiscard]] bool is_inbox() const { return utf8 == "INBOX"; }
    friend bool operator==(const MailboxName&, const MailboxName&) = default;
};

/// What `octets` of an astring name. Nothing if they are not in `encoding`, or hold a control
/// character, which Net-Unicode does not have (RFC 9051 §5.1).
[[nodiscard]] std::optional<MailboxName> decode_mailbox_name(std::string_view octets,
                                                             NameEncoding encoding);
/// The octets of an astring for `utf8`. Never fails: what is not UTF-8 becomes U+FFFD first.
[[nodiscard]] std::string encode_mailbox_name(std::string_view utf8, NameEncoding encoding);

/// Whether `name` matches `pattern`, both UTF-8: "*" is anything, "%" anything but `delimiter`. The
/// first five letters of INBOX and of what is below it match in any case. Time: the product of the
/// two lengths. Source: RFC 9051 §6.3.9.
[[nodiscard]] bool matches_list_pattern(std::string_view pattern, std::string_view name,
                                        char delimiter);

} // namespace mailcore::imap
