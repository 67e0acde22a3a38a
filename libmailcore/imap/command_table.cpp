#include "libmailcore/imap/command_table.h"

#include "libmailcore/codec/ascii.h"

#include <string>

namespace mailcore::imap {
namespace {

// "CAPABILITY" / "LOGOUT" / "NOOP" ... : nothing follows.
template <class NoArguments>
Command bare(WireReader&) {
    return NoArguments{};
}

// "DELETE" SP mailbox, and the like.
template <class WithMailbox>
Command mailbox(WireReader& in) {
    in.sp();
    return WithMailbox{in.mailbox()};
}

} // namespace

std::span<const CommandRow> command_table() {
    using namespace command;
    using enum Expunges;
    using X = Extension;
    constexpr auto any = std::nullopt;
    // clang-format off
    static constexpr CommandRow rows[] = {
        // verb           states  OK   plain  expunge extension   parser, source
        {"CAPABILITY",   "NAS", '=', false, Yes, any,          bare<Capability>, "RFC 9051 §6.1.1"},
        {"NOOP",         "NAS", '=', false, Yes, any,          bare<Noop>, "RFC 9051 §6.1.2"},
        {"LOGOUT",       "NAS", '=', false, No,  any,          bare<Logout>, "RFC 9051 §6.1.3"},
        {"ID",           "NAS", '=', false, Yes, any,          parse_id, "RFC 2971 §3.1"},
        {"STARTTLS",     "N",   '=', false, No,  any,          bare<StartTls>, "RFC 9051 §6.2.1"},
        {"AUTHENTICATE", "N",   'A', false, No,  any,          parse_authenticate, "RFC 9051 §6.2.2"},
        {"LOGIN",        "N",   'A', true,  No,  any,          parse_login, "RFC 9051 §6.2.3"},
        {"ENABLE",       "A",   '=', false, No,  any,          parse_enable, "RFC 9051 §6.3.1"},
        {"SELECT",       "AS",  'S', false, No,  any,          parse_select, "RFC 9051 §6.3.2"},
        {"EXAMINE",      "AS",  'S', false, No,  any,          parse_examine, "RFC 9051 §6.3.3"},
        {"CREATE",       "AS",  '=', false, Yes, any,          parse_create, "RFC 9051 §6.3.4"},
        {"DELETE",       "AS",  '=', false, Yes, any,          mailbox<Delete>, "RFC 9051 §6.3.5"},
        {"RENAME",       "AS",  '=', false, Yes, any,          parse_rename, "RFC 9051 §6.3.6"},
        {"SUBSCRIBE",    "AS",  '=', false, Yes, any,          mailbox<Subscribe>, "RFC 9051 §6.3.7"},
        {"UNSUBSCRIBE",  "AS",  '=', false, Yes, any,          mailbox<Unsubscribe>, "RFC 9051 §6.3.8"},
        {"LIST",         "AS",  '=', false, Yes, any,          parse_list, "RFC 9051 §6.3.9"},
        {"LSUB",         "AS",  '=', false, Yes, any,          parse_lsub, "RFC 3501 §6.3.9"},
        {"NAMESPACE",    "AS",  '=', false, Yes, X::Namespace, bare<Namespace>, "RFC 9051 §6.3.10"},
        {"STATUS",       "AS",  '=', false, Yes, any,          parse_status, "RFC 9051 §6.3.11"},
        {"APPEND",       "AS",  '=', false, Yes, any,          parse_append, "RFC 9051 §6.3.12"},
        {"IDLE",         "AS",  '=', false, Yes, X::Idle,      bare<Idle>, "RFC 9051 §6.3.13"},
        {"CHECK",        "S",   '=', false, Yes, any,          bare<Check>, "RFC 3501 §6.4.1"},
        {"CLOSE",        "S",   'A', false, No,  any,          bare<Close>, "RFC 9051 §6.4.1"},
        {"UNSELECT",     "S",   'A', false, No,  X::Unselect,  bare<Unselect>, "RFC 9051 §6.4.2"},
        {"EXPUNGE",      "S",   '=', false, Yes, any,          parse_expunge, "RFC 9051 §6.4.3"},
        {"SEARCH",       "S",   '=', false, No,  any,          parse_search, "RFC 9051 §6.4.4"},
        {"FETCH",        "S",   '=', false, No,  any,          parse_fetch, "RFC 9051 §6.4.5"},
        {"STORE",        "S",   '=', false, No,  any,          parse_store, "RFC 9051 §6.4.6"},
        {"COPY",         "S",   '=', false, Yes, any,          parse_copy, "RFC 9051 §6.4.7"},
        {"MOVE",         "S",   '=', false, Yes, X::Move,      parse_move, "RFC 9051 §6.4.8"},
        {"UID COPY",     "S",   '=', false, Yes, any,          parse_uid_copy, "RFC 9051 §6.4.9"},
        {"UID EXPUNGE",  "S",   '=', false, Yes, X::UidPlus,   parse_uid_expunge, "RFC 9051 §6.4.9"},
        {"UID FETCH",    "S",   '=', false, Yes, any,          parse_uid_fetch, "RFC 9051 §6.4.9"},
        {"UID MOVE",     "S",   '=', false, Yes, X::Move,      parse_uid_move, "RFC 9051 §6.4.9"},
        {"UID SEARCH",   "S",   '=', false, Yes, any,          parse_uid_search, "RFC 9051 §6.4.9"},
        {"UID STORE",    "S",   '=', false, Yes, any,          parse_uid_store, "RFC 9051 §6.4.9"},
    };
    // clang-format on
    return rows;
}

// command = tag SP (command-any / command-auth / command-nonauth / command-select) CRLF
CommandHead read_command_head(WireReader& in) {
    CommandHead head;
    const auto tag = in.tag();
    if (!in.ok()) return head;
    head.tag = tag;
    in.sp();
    auto verb = codec::upper(in.atom());
    if (verb == "UID") {
        in.sp();
        verb += ' ';
        verb += codec::upper(in.atom());
    }
    if (!in.ok()) return head;
    for (const auto& row : command_table())
        if (row.verb == verb && (!row.needs || in.grammar().extensions.has(*row.needs)))
            head.row = &row;
    return head;
}

} // namespace mailcore::imap
