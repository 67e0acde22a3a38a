// What a FETCH asks for.
// Source: RFC 9051 §6.4.5; RFC 3501 §6.4.5 (RFC822 items); RFC 7162 §3.1.4.2; RFC 8474 §5; RFC 8970
// §3.
#pragma once

#include "libmailcore/imap/section.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace mailcore::imap {

struct FetchItem {
    // SAVEDATE has its place here.
    enum class Kind : std::uint8_t {
        Envelope,
        Flags,
        InternalDate,
        Rfc822Size,
        Body, ///< BODYSTRUCTURE without extension data
        BodyStructure,
        Uid,
        BodySection, ///< BODY[section]<partial> and its .PEEK form
        Binary,      ///< the section's content, transfer encoding removed; section.text is All
        BinarySize,
        Rfc822,       ///< BODY[] under another name; IMAP4rev1 only, as are the next two
        Rfc822Header, ///< BODY.PEEK[HEADER] under another name
        Rfc822Text,   ///< BODY[TEXT] under another name
        ModSeq,
        EmailId,
        ThreadId,
        Preview, ///< RFC 8970; LAZY or not, it is at hand
    };
    enum class Peek : std::uint8_t { No, Yes };

    Kind kind{};
    mime::Section section = {};
    std::optional<Partial> partial = {};
    Peek peek = Peek::No;

    /// Whether delivering it sets \Seen.
    [[nodiscard]] bool sets_seen() const {
        return peek == Peek::No && (kind == Kind::BodySection || kind == Kind::Binary ||
                                    kind == Kind::Rfc822 || kind == Kind::Rfc822Text);
    }
    friend bool operator==(const FetchItem& a, const FetchItem& b) {
        return a.kind == b.kind && a.peek == b.peek && a.partial == b.partial &&
               a.section.part == b.section.part && a.section.text == b.section.text &&
               a.section.fields == b.section.fields;
    }
};

} // namespace mailcore::imap
