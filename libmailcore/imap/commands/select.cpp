#include "libmailcore/imap/commands/parsers.h"

#include "libmailcore/codec/ascii.h"

namespace mailcore::imap {
namespace {

// "QRESYNC" SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")" (RFC
// 7162 §7)
command::KnownState parse_known_state(WireReader& in) {
    command::KnownState known;
    in.sp();
    in.open();
    known.uid_validity = in.nz_number();
    in.sp();
    known.modseq = in.number64();
    if (in.ok() && known.modseq == 0) in.fail("a mod-sequence above 0");
    bool more = in.take(' ');
    if (more && !in.next_is('(')) {
        known.uids = in.number_set();
        more = in.take(' ');
    }
    if (more) {
        // seq-match-data = "(" known-sequence-set SP known-uid-set ")"
        in.open();
        known.numbers = in.number_set();
        in.sp();
        known.number_uids = in.number_set();
        if (in.ok() && known.numbers->size() != known.number_uids->size())
            in.fail("as many UIDs as message numbers");
        in.close();
    }
    in.close();
    return known;
}

// select = "SELECT" SP mailbox [SP "(" select-param *(SP select-param) ")"] (RFC 4466 §6)
Command parse(WireReader& in, command::Select::Access access) {
    command::Select select;
    select.access = access;
    in.sp();
    select.mailbox = in.mailbox();
    if (!in.take(' ')) return select;
    in.open();
    do {
        const auto name = in.atom();
        const auto& grammar = in.grammar();
        if (codec::equal_ignoring_case(name, "CONDSTORE") &&
            grammar.extensions.has(Extension::CondStore)) {
            select.condstore = true;
        } else if (codec::equal_ignoring_case(name, "QRESYNC") && !select.known) {
            // RFC 7162 §3.2.5: BAD unless QRESYNC was enabled.
            if (!grammar.enabled.qresync) in.fail("ENABLE QRESYNC before it is used");
            select.known = parse_known_state(in);
        } else {
            in.fail("a parameter of SELECT that is supported, once");
        }
    } while (in.take(' '));
    in.close();
    return select;
}

} // namespace

Command parse_select(WireReader& in) { return parse(in, command::Select::Access::ReadWrite); }
Command parse_examine(WireReader& in) { return parse(in, command::Select::Access::ReadOnly); }

} // namespace mailcore::imap
