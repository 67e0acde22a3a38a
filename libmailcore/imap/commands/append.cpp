#include "libmailcore/imap/commands/parsers.h"

namespace mailcore::imap {

// append-message = [SP flag-list] [SP date-time] SP append-data, from behind the first space
// append-data = literal / literal8 / "UTF8" SP "(" literal8 ")"

// The literal is a stream: only its announcement is read here, and what closes the parenthesis
// stands behind it.
void parse_appended_message(WireReader& in, command::AppendedMessage& message) {
    using Form = command::AppendedMessage::Form;
    const auto& grammar = in.grammar();
    if (in.next_is('(')) {
        in.flag_list(message.flags);
        in.sp();
    }
    if (in.next_is('"')) {
        message.date = in.date_time();
        in.sp();
    }
    const bool utf8 = grammar.extensions.has(Extension::Utf8Accept);
    if (utf8 && in.take_sequence("UTF8 (")) {
        // RFC 6855 §4: NO, since the client has not said that it can read what it stores.
        if (!grammar.enabled.wide()) in.refuse(Code::Cannot, "ENABLE UTF8=ACCEPT comes first");
        in.expect('~', "a literal8");
        message.form = Form::Utf8;
    } else if ((grammar.extensions.has(Extension::Binary) ||
                grammar.extensions.has(Extension::Imap4rev2)) &&
               in.take('~')) {
        message.form = Form::Literal8;
    }
    message.octets = in.literal_announcement();
}

// append = "APPEND" SP mailbox 1*append-message
Command parse_append(WireReader& in) {
    command::Append append;
    in.sp();
    append.mailbox = in.mailbox();
    in.sp();
    parse_appended_message(in, append.message);
    return append;
}

} // namespace mailcore::imap
