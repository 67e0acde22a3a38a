// What a server says, as values: untagged responses, and the reply that ends a command.
// Source: RFC 9051 §7; RFC 3501 §7; RFC 7162 §3.2.10; RFC 8474; RFC 2971 §3.2.
#pragma once

#include "libmailcore/imap/command.h"
#include "libmailcore/imap/response_code.h"
#include "libmailcore/mime/structure.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace mailcore::imap {

enum class Condition : std::uint8_t { Ok, No, Bad };

/// The tagged end of a command. `text` is one line of US-ASCII (UTF-8 once IMAP4rev2 is enabled).
struct Reply {
    Condition condition = Condition::Ok;
    ResponseCode code = Code::None;
    std::string text;
};
[[nodiscard]] inline Reply ok(std::string text, ResponseCode code = Code::None) {
    return {Condition::Ok, std::move(code), std::move(text)};
}
[[nodiscard]] inline Reply no(std::string text, ResponseCode code = Code::None) {
    return {Condition::No, std::move(code), std::move(text)};
}
[[nodiscard]] inline Reply bad(std::string text, ResponseCode code = Code::None) {
    return {Condition::Bad, std::move(code), std::move(text)};
}

namespace response {

/// "* OK [UIDNEXT 4] ...", "* NO ...".
struct Status {
    Condition condition = Condition::Ok;
    ResponseCode code = Code::None;
    std::string text;
};

/// The flags that can be in use in the mailbox.
struct Flags {
    FlagSet flags;
};
struct Exists {
    std::uint32_t messages = 0;
};
/// Left out once IMAP4rev2 is enabled (RFC 9051 appendix E, 12).
struct Recent {
    std::uint32_t messages = 0;
};

/// Messages are gone from the selected mailbox: EXPUNGE responses, or VANISHED once QRESYNC is
/// enabled.
struct Expunged {
    /// The message numbers, each as it is when its turn comes: 3, 3 are what were 3 and 4.
    std::vector<std::uint32_t> numbers;
    NumberSet uids; ///< the same messages; every one known to the client
};
/// VANISHED (EARLIER): the answer to UID FETCH (VANISHED) and SELECT (QRESYNC).
struct VanishedEarlier {
    NumberSet uids;
};

struct List {
    enum class Kind : std::uint8_t { List, Lsub };
    Kind kind = Kind::List;
    std::vector<MailboxAttribute> attributes;
    std::optional<char> delimiter = '/'; ///< absent: the name is flat
    std::string mailbox;                 ///< UTF-8
    bool child_info_subscribed = false;  ///< CHILDINFO ("SUBSCRIBED") (RFC 9051 §6.3.9.6)
    std::string old_name;                ///< UTF-8; OLDNAME (§6.3.9.7); empty: none
};

/// A value of STATUS: a number, or an id for MAILBOXID.
struct MailboxStatus {
    std::string mailbox; ///< UTF-8
    std::vector<std::pair<StatusItem, std::variant<std::uint64_t, std::string>>> items;
};

/// The answer to SEARCH in the form that the command asked for.
struct SearchResult {
    NumberSet matches;        ///< message numbers, or UIDs behind UID SEARCH
    std::uint64_t modseq = 0; ///< highest of those returned, if MODSEQ was a criterion; else 0
};

struct Namespace {
    struct Entry {
        std::string prefix; ///< UTF-8
        std::optional<char> delimiter = '/';
    };
    std::vector<Entry> personal, other_users, shared;
};

/// A value that is pulled when its turn comes: NeedBody events ask for exactly `octets` octets.
struct Pulled {
    std::uint64_t octets = 0;
    std::uint64_t token = 0; ///< the owner's; NeedBody repeats it
};
/// No such part, or none of the asked header: NIL.
struct Nil {};

/// A data item and its value. Which type belongs to which kind:
/// number: Rfc822Size, Uid, BinarySize, ModSeq · FlagSet: Flags · mime::DateTime: InternalDate ·
/// Structure: Envelope, Body, BodyStructure; need only live until `respond` returns ·
/// string, Pulled, Nil: BodySection, Binary, Rfc822 and its kin (octets); EmailId, ThreadId (an id
/// or Nil) · string or Nil: Preview.
struct FetchValue {
    using Value = std::variant<Nil, std::uint64_t, FlagSet, mime::DateTime, std::string, Pulled,
                               const mime::Structure*>;
    FetchItem item;
    Value value;
};
/// The answer to FETCH for one message, items in the order given.
struct Fetch {
    std::uint32_t number = 0;
    std::vector<FetchValue> items;
};

/// Flags have changed, whoever did it: the answer to STORE, \Seen set by a FETCH, another session.
/// The engine adds UID and MODSEQ where the client is to see them (RFC 9051 §7.5.2, RFC 7162
/// §3.2.4).
struct FlagsChanged {
    std::uint32_t number = 0;
    std::uint32_t uid = 0;
    std::uint64_t modseq = 0;
    /// Absent: a silent STORE. Then MODSEQ alone is told, and nothing where it is not to be told.
    std::optional<FlagSet> flags;
};

} // namespace response

using Response = std::variant<response::Status, response::Flags, response::Exists, response::Recent,
                              response::Expunged, response::VanishedEarlier, response::List,
                              response::MailboxStatus, response::SearchResult, response::Namespace,
                              response::Fetch, response::FlagsChanged>;

} // namespace mailcore::imap
