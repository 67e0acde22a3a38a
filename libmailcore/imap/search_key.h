// What a SEARCH looks for, as a tree.
// Source: RFC 9051 §6.4.4, §9 (search-key); RFC 3501 §6.4.4 (NEW, OLD, RECENT); RFC 7162 §3.1.5;
// RFC 8474 §6.
#pragma once

#include "libmailcore/imap/flag.h"
#include "libmailcore/imap/sequence_set.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace mailcore::imap {

/// One criterion, with those below it. The fields that its kind does not name are empty.
struct SearchKey {
    enum class Kind : std::uint8_t {
        All,
        And,     ///< all of `keys`; a parenthesized list, and the whole criteria
        Or,      ///< either of the two `keys`
        Not,     ///< the one of `keys` does not hold
        HasFlag, ///< `system_flag`
        Keyword, ///< `text` is the keyword
        Text,    ///< `text` in header or body
        Body,    ///< `text` in the body
        Header,  ///< `text` in the field `field`; empty: the field is there. FROM, SUBJECT ... too
        Address, ///< `text` in the field `field`, which is one of From, To, Cc, Bcc
        Before,  ///< INTERNALDATE is earlier than `date`, time and zone disregarded
        On,
        Since,
        SentBefore, ///< the same with the Date field
        SentOn,
        SentSince,
        Larger, ///< RFC822.SIZE is above `number`
        Smaller,
        Uid,     ///< UID in `set`
        Number,  ///< message number in `set`
        ModSeq,  ///< MODSEQ at least `number`; entry name and type are ignored (RFC 7162 §3.1.5)
        EmailId, ///< `text` is the id
        ThreadId,
    };

    Kind kind = Kind::All;
    SystemFlag system_flag{};
    std::string field = {};
    std::string text = {}; ///< UTF-8
    std::chrono::sys_days date = {};
    std::uint64_t number = 0;
    SequenceSet set = {};
    std::vector<SearchKey> keys = {};

    /// Whether it or one below it is of `wanted`.
    [[nodiscard]] bool mentions(Kind wanted) const {
        if (kind == wanted) return true;
        for (const auto& key : keys)
            if (key.mentions(wanted)) return true;
        return false;
    }
    friend bool operator==(const SearchKey&, const SearchKey&) = default;
};

} // namespace mailcore::imap
