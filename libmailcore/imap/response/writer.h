// Writes responses by the names of the grammar's rules.
// Source: RFC 9051 §4, §7, §9; appendix A for sessions of IMAP4rev1.
#pragma once

#include "libmailcore/imap/capability.h"
#include "libmailcore/imap/mailbox_name.h"
#include "libmailcore/imap/response.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::imap {

/// What an untagged response must know of the session and the command that it answers.
struct ResponseContext {
    Enabled enabled;
    bool uid_command = false;            ///< the command in progress is one of UID's
    std::string_view tag;                ///< of the command in progress; empty: none
    command::SearchReturn search_return; ///< of a SEARCH in progress
    Addressing addressing = Addressing::Numbers;
};

/// Appends to a string that outlives it.
class ResponseWriter {
  public:
    ResponseWriter(std::string& into, bool utf8) : into_(into), utf8_(utf8) {}

    ResponseWriter& raw(std::string_view octets) {
        into_ += octets;
        return *this;
    }
    ResponseWriter& number(std::uint64_t value);
    /// string = quoted / literal. Quoted where that can hold it and it is short; NUL, which IMAP
    /// cannot carry, is left out (RFC 9051 §9, note 3).
    ResponseWriter& string(std::string_view octets);
    ResponseWriter& nstring(std::optional<std::string_view> octets);
    /// literal = "{" number64 "}" CRLF *CHAR8
    ResponseWriter& literal(std::string_view octets);
    /// literal8 = "~{" number64 "}" CRLF *OCTET
    ResponseWriter& literal8(std::string_view octets);
    /// A mailbox name, given in UTF-8: an atom where it can be one.
    ResponseWriter& mailbox(std::string_view name);
    /// A hierarchy delimiter: a quoted character or NIL.
    ResponseWriter& delimiter(std::optional<char> delimiter);
    /// resp-text: one line. What is not allowed in it becomes "?".
    ResponseWriter& text(std::string_view text);
    ResponseWriter& crlf() { return raw("\r\n"); }

    [[nodiscard]] std::string& target() { return into_; }
    [[nodiscard]] bool utf8() const { return utf8_; }

  private:
    std::string& into_; // the caller's
    bool utf8_;
};

/// One or more whole lines, or nothing where the session is not to see it. Not for response::Fetch,
/// whose values may have to be pulled.
void write_response(const Response& response, const ResponseContext& context, std::string& into);

/// "OK [CODE] text" and CRLF, without the tag or star in front.
void write_condition(Condition condition, const ResponseCode& code, std::string_view text,
                     bool utf8, std::string& into);

/// ENVELOPE's value (RFC 9051 §7.5.2).
void write_envelope(const mime::Envelope& envelope, ResponseWriter& out);

enum class BodyExtensions : std::uint8_t { No, Yes }; ///< BODY, BODYSTRUCTURE
/// The body structure of the whole message (RFC 9051 §7.5.2).
void write_body_structure(const mime::Structure& structure, BodyExtensions extensions,
                          ResponseWriter& out);

/// The name of a data item as FETCH answers it: "BODY[TEXT]<0>", "RFC822.SIZE".
void write_fetch_label(const FetchItem& item, ResponseWriter& out);
/// Its value, unless that is Pulled.
void write_fetch_value(const response::FetchValue& value, ResponseWriter& out);

} // namespace mailcore::imap
