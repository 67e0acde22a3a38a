// Response codes: what stands in brackets behind OK, NO, BAD and BYE.
// Source: RFC 9051 §7.1; RFC 3501 §7.1 (UNSEEN); RFC 5530; RFC 7162 §7; RFC 8474 §4.1; TOOBIG is
// CATENATE's.
#pragma once

#include "libmailcore/imap/flag.h"
#include "libmailcore/imap/sequence_set.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mailcore::imap {

/// Codes without arguments.
enum class Code : std::uint8_t {
    None,
    Alert,
    AlreadyExists,
    AuthenticationFailed,
    AuthorizationFailed,
    Cannot,
    ClientBug,
    Closed,
    ContactAdmin,
    Corruption,
    Expired,
    ExpungeIssued,
    HasChildren,
    InUse,
    Limit,
    NoModSeq,
    NonExistent,
    NoPerm,
    NotSaved,
    OverQuota,
    Parse,
    PrivacyRequired,
    ReadOnly,
    ReadWrite,
    ServerBug,
    TooBig,
    TryCreate,
    UidNotSticky,
    Unavailable,
    UnknownCte,
    UseAttr,
};
[[nodiscard]] std::string_view to_string(Code code);

/// The client can store `flags`, and with `new_keywords` any other keyword too ("\*").
struct PermanentFlags {
    FlagSet flags;
    bool new_keywords = false;
};
struct UidNextCode {
    std::uint32_t uid = 0;
};
struct UidValidityCode {
    std::uint32_t uid_validity = 0;
};
/// The message number of the first message without \Seen; IMAP4rev1 only.
struct UnseenCode {
    std::uint32_t number = 0;
};
struct AppendUid {
    std::uint32_t uid_validity = 0;
    std::uint32_t uid = 0;
    std::uint32_t last = 0; ///< MULTIAPPEND: of `uid` to `last`, in the order sent; 0: only one
};
/// `source` in the mailbox copied from became `destination`, pairwise in ascending order. If
/// `source` is empty, nothing was copied and no code is written.
struct CopyUid {
    std::uint32_t uid_validity = 0; ///< of the destination
    NumberSet source, destination;
};
struct HighestModSeq {
    std::uint64_t modseq = 0;
};
/// Message numbers, or UIDs behind a UID command, that failed UNCHANGEDSINCE (RFC 7162 §3.1.3).
struct Modified {
    NumberSet numbers;
};
struct MailboxIdCode {
    std::string id; ///< ALPHA, DIGIT, "_", "-"; 1 to 255
};
struct BadCharset {
    std::vector<std::string> supported;
};
/// The engine's own.
struct CapabilityCode {
    std::string capabilities; ///< separated by spaces
};

using ResponseCode =
    std::variant<Code, PermanentFlags, UidNextCode, UidValidityCode, UnseenCode, AppendUid, CopyUid,
                 HighestModSeq, Modified, MailboxIdCode, BadCharset, CapabilityCode>;

/// "[UIDNEXT 5] ", or nothing for Code::None.
void append_response_code(const ResponseCode& code, std::string& into);

} // namespace mailcore::imap
