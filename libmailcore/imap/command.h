// Every command of a client, parsed.
// Source: RFC 9051 §6, §9; RFC 3501 §6 for those that IMAP4rev2 dropped; the extensions where they
// are named.
#pragma once

#include "libmailcore/base/secret.h"
#include "libmailcore/imap/fetch_item.h"
#include "libmailcore/imap/flag.h"
#include "libmailcore/imap/mailbox_attribute.h"
#include "libmailcore/imap/mailbox_name.h"
#include "libmailcore/imap/search_key.h"
#include "libmailcore/imap/sequence_set.h"
#include "libmailcore/imap/status_item.h"
#include "libmailcore/mime/date.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace mailcore::imap {

/// What the numbers of a sequence set are: FETCH or UID FETCH, and so on.
enum class Addressing : std::uint8_t { Numbers, Uids };

/// Name and value pairs of ID; a value may be NIL.
using IdFields = std::vector<std::pair<std::string, std::optional<std::string>>>;

namespace command {

// Any state.
struct Capability {};
struct Noop {};
struct Logout {};
/// RFC 2971: who the client says it is.
struct Id {
    IdFields fields;
};

// Not authenticated.
struct StartTls {};
struct Authenticate {
    std::string mechanism;         ///< upper case
    std::optional<Secret> initial; ///< decoded; may be present and empty (RFC 4959 §3)
};
struct Login {
    std::string user; ///< as sent: not prepared, not checked for UTF-8
    Secret password;
};

// Authenticated.
/// The names, upper case, whether known or not.
struct Enable {
    std::vector<std::string> names;
};
/// RFC 7162 §3.2.5: what the client knew when it last looked.
struct KnownState {
    std::uint32_t uid_validity = 0;
    std::uint64_t modseq = 0;
    std::optional<NumberSet> uids; ///< absent: 1 to the largest it can know
    /// Message numbers and their UIDs, pairwise ascending (§3.2.5.2); both or neither.
    std::optional<NumberSet> numbers, number_uids;
};
struct Select {
    enum class Access : std::uint8_t { ReadWrite, ReadOnly }; ///< SELECT, EXAMINE
    MailboxName mailbox;
    Access access = Access::ReadWrite;
    bool condstore = false;
    std::optional<KnownState> known; ///< QRESYNC
};
struct Create {
    MailboxName mailbox;
    std::vector<MailboxAttribute> special_uses; ///< RFC 6154 §3
};
struct Delete {
    MailboxName mailbox;
};
struct Rename {
    MailboxName from, to;
};
struct Subscribe {
    MailboxName mailbox;
};
struct Unsubscribe {
    MailboxName mailbox;
};
struct List {
    std::string reference; ///< UTF-8
    /// UTF-8, with wildcards. What is no valid name is left out already: it matches nothing.
    std::vector<std::string> patterns;
    /// RFC 9051 §6.3.9: with options or a list of patterns, an empty pattern means nothing special.
    bool extended = false;
    // Which names:
    bool select_subscribed = false;
    bool select_remote = false;
    bool select_special_use = false;
    bool recursive_match = false;
    // What about them (`return_subscribed` is set too with `select_subscribed`):
    bool return_subscribed = false;
    bool return_children = false;
    bool return_special_use = false;
    std::vector<StatusItem> return_status;
};
/// RFC 3501 §6.3.9. Answered with LIST responses of kind Lsub.
struct Lsub {
    std::string reference, pattern;
};
struct Namespace {};
struct Status {
    MailboxName mailbox;
    std::vector<StatusItem> items;
};
/// One message of an APPEND, without its octets: they follow as BodyChunk events once it is
/// accepted.
struct AppendedMessage {
    enum class Form : std::uint8_t {
        Literal,
        Literal8, ///< may hold NUL (RFC 3516 §4.4)
        Utf8,     ///< the same, and its header may be UTF-8 (RFC 6855 §4)
    };
    FlagSet flags;
    std::optional<mime::DateTime> date;
    std::uint64_t octets = 0;
    Form form = Form::Literal;
};
/// With the first message; others follow as AppendNext events (RFC 3502).
struct Append {
    MailboxName mailbox;
    AppendedMessage message;
};
struct Idle {};

// Selected.
struct Check {};
struct Close {};
struct Unselect {};
struct Expunge {
    std::optional<SequenceSet> uids; ///< UID EXPUNGE; absent: all that are \Deleted
};
/// What a SEARCH is to return (RFC 9051 §6.4.4).
struct SearchReturn {
    /// False: the answer is the SEARCH response of IMAP4rev1.
    bool extended = false;
    bool min = false, max = false, all = false, count = false;
    bool save = false; ///< into the search result variable (§6.4.4.1)
};
struct Search {
    Addressing addressing = Addressing::Numbers;
    SearchReturn returns;
    SearchKey key;
};
struct Fetch {
    Addressing addressing = Addressing::Numbers;
    SequenceSet set;
    /// In the order asked for, macros expanded. UID is there whenever the response must have it,
    /// ModSeq likewise.
    std::vector<FetchItem> items;
    std::optional<std::uint64_t> changed_since; ///< RFC 7162 §3.1.4.1
    bool vanished = false; ///< RFC 7162 §3.2.6; only with `changed_since` and UIDs
};
struct Store {
    enum class Action : std::uint8_t { Replace, Add, Remove };
    enum class Silence : std::uint8_t { Loud, Silent };
    Addressing addressing = Addressing::Numbers;
    SequenceSet set;
    Action action = Action::Replace;
    Silence silence = Silence::Loud;
    FlagSet flags;
    std::optional<std::uint64_t> unchanged_since; ///< RFC 7162 §3.1.3
};
struct Copy {
    Addressing addressing = Addressing::Numbers;
    SequenceSet set;
    MailboxName mailbox;
};
struct Move {
    Addressing addressing = Addressing::Numbers;
    SequenceSet set;
    MailboxName mailbox;
};

} // namespace command

using Command =
    std::variant<command::Capability, command::Noop, command::Logout, command::Id,
                 command::StartTls, command::Authenticate, command::Login, command::Enable,
                 command::Select, command::Create, command::Delete, command::Rename,
                 command::Subscribe, command::Unsubscribe, command::List, command::Lsub,
                 command::Namespace, command::Status, command::Append, command::Idle,
                 command::Check, command::Close, command::Unselect, command::Expunge,
                 command::Search, command::Fetch, command::Store, command::Copy, command::Move>;

/// Whether it makes the client "CONDSTORE-aware" (RFC 7162 §3.1). ENABLE is not counted here.
[[nodiscard]] bool enables_condstore(const Command& command);

} // namespace mailcore::imap
