// Reads one complete command by the names of the grammar's rules.
// Source: RFC 9051 §9; RFC 3501 §9; RFC 7888.
#pragma once

#include "libmailcore/imap/capability.h"
#include "libmailcore/imap/flag.h"
#include "libmailcore/imap/mailbox_name.h"
#include "libmailcore/imap/response_code.h"
#include "libmailcore/imap/sequence_set.h"
#include "libmailcore/mime/date.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mailcore::imap {

/// What a parser allows and how much of it, besides the limits of framing.
struct Grammar {
    NameEncoding names = NameEncoding::ModifiedUtf7;
    Enabled enabled = {};
    Extensions extensions = Extensions::all();

    /// Elements of a sequence set: as many as a command of the default size can hold.
    std::size_t sequence_elements_max = 32768;
    /// Nesting of NOT, OR and parentheses: far beyond what a client builds, shallow for any stack.
    std::size_t search_depth_max = 64;
    std::size_t search_keys_max = 2000;
    std::size_t flags_max = 256;
    std::size_t fetch_items_max = 256;
    /// The parts of "1.2.3": mime parses no deeper either.
    std::size_t section_parts_max = 128;
    std::size_t list_patterns_max = 64;
    std::size_t id_fields_max = 30; // RFC 2971 §3.3
};

/// Why a command was not understood: BAD, or NO with a code where its form is right and its meaning
/// is not.
struct SyntaxError {
    enum class Answer : std::uint8_t { Bad, No };
    std::size_t offset = 0;    ///< octets from the start of the command
    std::string_view expected; ///< static text; says nothing of what was sent
    Answer answer = Answer::Bad;
    ResponseCode code = Code::None;
};

/// A command under the reader's finger. Each function takes what its rule matches and steps over
/// it. The error is sticky: after the first, every function returns an empty value and takes
/// nothing, and `ok()` tells. Views are of the command.
class WireReader {
  public:
    /// `command` is without its last CRLF; literals stand in it as they were sent: "{3}\r\nabc".
    WireReader(std::string_view command, const Grammar& grammar)
        : text_(command), grammar_(grammar) {}

    [[nodiscard]] const Grammar& grammar() const { return grammar_; }
    [[nodiscard]] bool ok() const { return !error_; }
    [[nodiscard]] const SyntaxError& error() const { return *error_; }
    /// The grammar wanted something else here. Always false.
    bool fail(std::string_view expected);
    /// The form is right, but it cannot be. Always false.
    bool refuse(ResponseCode code, std::string_view text);

    [[nodiscard]] std::size_t offset() const { return at_; }
    [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
    [[nodiscard]] bool next_is(char c) const { return ok() && !at_end() && text_[at_] == c; }
    [[nodiscard]] bool next_is_digit() const;
    /// Takes `c` if it is next.
    bool take(char c);
    /// Takes `name`, whatever its case, if it is the next atom and a space follows; leaves the
    /// space.
    bool take_word(std::string_view name);
    /// Takes `octets` if they are next, letters in any case.
    bool take_sequence(std::string_view octets);
    /// Takes `c` or fails.
    bool expect(char c, std::string_view name);
    bool sp() { return expect(' ', "a space"); }
    bool open() { return expect('(', "\"(\""); }
    bool close() { return expect(')', "\")\""); }
    /// Nothing may follow.
    bool end();

    std::string_view tag();  ///< 1*<any ASTRING-CHAR except "+">
    std::string_view atom(); ///< 1*ATOM-CHAR
    std::string_view word(); ///< letters, digits and dots: the name of a data item before "["
    std::string astring();   ///< 1*ASTRING-CHAR / string
    std::string string();    ///< quoted / literal
    std::optional<std::string> nstring();
    std::uint32_t number();
    std::uint32_t nz_number();
    std::uint64_t number64(); ///< at most 2^63 - 1
    SequenceSet sequence_set();
    /// A sequence set with neither "*" nor "$" (RFC 7162 §7 known-uids).
    NumberSet number_set();
    std::string_view flag();
    void flag_list(FlagSet& flags); ///< "(" [flag *(SP flag)] ")"
    MailboxName mailbox();
    /// list-mailbox, in UTF-8; nothing if it can be no name, which then matches nothing.
    std::optional<std::string> list_mailbox();
    mime::DateTime date_time();
    std::chrono::sys_days date();

    /// The announcement "{n}" or "{n+}" at the very end of what has come: the literal itself is
    /// elsewhere.
    std::uint64_t literal_announcement();
    /// The command ended with an announcement where `string` wanted the literal itself.
    [[nodiscard]] bool wants_literal() const { return wants_literal_; }

  private:
    std::string_view take_while(bool (*allowed)(char));
    std::string quoted();
    std::string literal();
    std::uint64_t announced_octets();

    std::string_view text_; // the caller's
    const Grammar& grammar_;
    std::size_t at_ = 0;
    std::optional<SyntaxError> error_;
    bool wants_literal_ = false;
};

namespace wire {
[[nodiscard]] bool is_atom_char(char c);    ///< any CHAR except atom-specials
[[nodiscard]] bool is_astring_char(char c); ///< ATOM-CHAR / resp-specials
} // namespace wire

} // namespace mailcore::imap
